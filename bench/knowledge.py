"""What the library costs and how well it finds, beside baselines in the same run.

    python bench/knowledge.py [--passages 50000] [--files 0] [--corpus docs_bilingual.jsonl] [--minilm FOLDER]

Cost: made-up Malay and English passages with four labels and chance vectors of 384 dimensions; CPU seconds to
index them, CPU milliseconds of a hybrid search with a label filter (the question's vector is given: a model's
own time is not ours), recall of its vectors against an exact scan; and of a PDF of 20 pages. Quality, where the
bilingual corpus is at hand: the questions in `bench/knowledge/questions.jsonl`, beside BM25, FTS5, MiniLM (where
`make .make/minilm/made` could have it) and their fusions, and with MiniLM's vectors in our own search (`hybrid`).
`--files N`: that many files ingested with a kill -9 at chance moments end in the same digest as without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from selat.core.caller import Caller
from selat.core.label import LOWEST, Label, parse_label
from selat.core.passage import Passage, Source
from selat.core.sources import answer_text, read_sources
from selat.flows.answer import Grounded, Inquiry, answer
from selat.flows.ingest import Intake, ingest
from selat.house import furnish
from selat.knowledge import Document, Embedder, Judged, Library, Models, Query, Scores, documents_of, onnx_embedder
from selat.knowledge.malay import roots
from selat.knowledge.near import recall
from selat.knowledge.quote import quote
from selat.knowledge.scope import Scope
from selat.knowledge.score import score

QUESTIONS = Path(__file__).parent / "knowledge" / "questions.jsonl"
SHARED = Path(os.environ.get("SELAT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
LABELS = [parse_label(word) for word in ("terbuka",) * 10 + ("terhad",) * 6 + ("sulit",) * 3 + ("rahsia",)]
CLEARED = parse_label("terhad")


def cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def made_up(passages: int) -> list[Document]:
    """Documents of ten passages of 62 words; word forms with a long tail."""
    chance = random.Random(7)
    known = sorted(roots())
    forms = [*known, *("me" + word for word in known), *(word + "an" for word in known)]
    forms += [f"{word}{number}" for word in known[:800] for number in range(30)]
    weights = [1 / (rank + 5) for rank in range(len(forms))]
    chance.shuffle(forms)
    documents = []
    for number in range(passages // 10):
        source = Source(f"d{number}", " ".join(chance.choices(forms, weights, k=5)))
        label = chance.choice(LABELS)
        inside = []
        for place in range(10):
            text = " ".join(chance.choices(forms, weights, k=61)) + f" rujukan{number}x{place}."
            inside.append(Passage(source, place + 1, 0, len(text), text, label))
        documents.append(Document(source, label, str(number), inside))
    return documents


def cost(passages: int) -> None:
    documents = made_up(passages)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "selat")

        def index() -> None:
            with library.writing() as shelf:
                for document in documents:
                    shelf.add("t", "c", document)

        print(f"index {passages} passages: selat {cpu(index):.2f} s CPU", end="")
        fts = sqlite3.connect(Path(folder) / "fts.sqlite")

        def index_fts() -> None:
            fts.execute("CREATE VIRTUAL TABLE p USING fts5(text, level UNINDEXED)")
            rows = [(one.text, int(one.label.official)) for document in documents for one in document.passages]
            fts.executemany("INSERT INTO p VALUES (?, ?)", rows)
            fts.commit()

        print(f", FTS5 {cpu(index_fts):.2f} s CPU")
        chance = random.Random(8)
        asked = []
        for document in chance.sample(documents, 200):
            words = chance.choice(document.passages).text.split()
            asked.append(
                (" ".join(chance.sample(words[:-1], 2) + words[-1:]), words[-1].rstrip("."), document.label)
            )
        library.search(Query("t", "c", asked[0][0], CLEARED))
        spent, spent_fts, found, shown = [], [], 0, 0
        for text, mark, label in asked:
            before = time.process_time()
            hits = library.search(Query("t", "c", text, CLEARED, 10))
            spent.append((time.process_time() - before) * 1000)
            right = any(mark in hit.passage.text for hit in hits)
            found += right == label.within(CLEARED)
            shown += sum(not hit.passage.label.within(CLEARED) for hit in hits)
            line = " OR ".join(text.rstrip(".").split())
            before = time.process_time()
            sql = "SELECT rowid FROM p WHERE p MATCH ? AND level <= 1 ORDER BY rank LIMIT 10"
            fts.execute(sql, (line,)).fetchall()
            spent_fts.append((time.process_time() - before) * 1000)
        hybrid(library, [text for text, _, _ in asked])
        print(f"search with label filter, p50 CPU: selat {statistics.median(spent):.1f} ms", end="")
        print(f", FTS5 {statistics.median(spent_fts):.1f} ms")
        print(f"the passage meant is found, or hidden above the clearance: {found}/200; shown above it: {shown}")


class Chance:
    """An embedder of chance vectors, the same for the same text: for what a search costs, not what it finds."""

    digest = "0" * 64

    def passages(self, texts: Sequence[str], tenant: str, label: Label) -> list[Any]:
        return [self.query(text, tenant) for text in texts]

    def query(self, text: str, tenant: str) -> Any:
        return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(384, dtype=np.float32)

    def close(self) -> None: ...


def hybrid(library: Library, asked: list[str]) -> None:
    """Searches by words and vectors together, with the label filter in both."""
    with_vectors = Library(library.folder, Models(Chance))
    print(f"vectors: {cpu(with_vectors.catch_up):.1f} s CPU to make by chance and to store", end="")
    vectors = [tuple(float(x) for x in Chance().query(text, "t")) for text in asked]
    spent = []
    for text, vector in [(asked[0], vectors[0]), *zip(asked, vectors, strict=True)]:
        before = time.process_time()
        with_vectors.search(Query("t", "c", text, CLEARED, 10, vector=vector))
        spent.append((time.process_time() - before) * 1000)
    live = with_vectors.near._live()
    assert live is not None
    found = recall(live, vectors, Scope("t", "c", CLEARED), 10)
    print(f"; hybrid search with label filter, p50 CPU {statistics.median(spent[1:]):.1f} ms", end="")
    print(
        f", recall@10 of its vectors against an exact float scan {recall_exact(with_vectors, vectors):.3f}", end=""
    )
    print(f" ({found:.3f} against our own exact road)")
    with_vectors.close()


def recall_exact(library: Library, asked: list[tuple[float, ...]]) -> float:
    """Against float64 products over every passage that the caller may see, computed here."""
    rows = library.store.connection().execute("SELECT p.id, p.label, p.text FROM passages p").fetchall()
    allowed = [(identity, text) for identity, label, text in rows if parse_label(label).within(CLEARED)]
    titles = dict(library.store.connection().execute(
        "SELECT p.id, d.title FROM passages p JOIN documents d ON d.doc = p.doc").fetchall())  # fmt: skip
    whole = np.stack([Chance().query(f"{titles[identity]}\n{text}", "t") for identity, text in allowed])
    whole = whole.astype(np.float64) / np.linalg.norm(whole, axis=1, keepdims=True)
    ids = np.array([identity for identity, _ in allowed])
    live = library.near._live()
    assert live is not None
    found = 0
    for vector in asked[:50]:
        exact = set(ids[np.argsort(-(whole @ np.asarray(vector)))[:10]])
        found += len(exact & {identity for identity, _ in live.search(vector, Scope("t", "c", CLEARED), 10)})
    return found / (10 * len(asked[:50]))


def pdf() -> None:
    """CPU seconds to read 20 pages of text, in a process that has parsed before."""
    from reportlab.pdfgen.canvas import Canvas

    from selat.knowledge.parse.files import parse

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "twenty.pdf"
        canvas = Canvas(str(path))
        for page in range(20):
            for line in range(50):
                canvas.drawString(72, 800 - 14 * line, f"Halaman {page + 1} baris {line} tentang kadar dan harga.")
            canvas.showPage()
        canvas.save()
        parse(path)
        print(f"PDF of 20 pages: {min(cpu(lambda: parse(path)) for _ in range(5)):.3f} s CPU")


def killed(files: int) -> None:
    """The digest of files ingested in peace, and with kill -9 at chance moments."""
    from selat.home import create_home

    chance = random.Random(9)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        for number in range(files):
            text = f"Nota {number} tentang kedai nombor {number * 7}. Harga naik {number % 90} sen. " * 5
            (folder / f"{number:06}.txt").write_text(text)
        digests, kills, begun = [], 0, time.monotonic()
        for name in ("whole", "broken"):
            home = create_home(Path(place) / name)
            furnish(home)
            command = [sys.executable, "-m", "selat", "ingest", str(folder), "--home", str(home.path)]
            while True:
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    process.wait(chance.uniform(3, 12) if name == "broken" and kills < 12 else 1200)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
            library = Library(home.knowledge)
            state = library.status()
            digests.append((state.digest, state.documents, state.waiting))
            library.close()
        same = "the same" if digests[0] == digests[1] else "ANOTHER"
        print(
            f"{files} files, {kills} kills: {same} digest, {digests[1][1]} documents, {digests[1][2]} waiting",
            end="",
        )
        print(f"; {time.monotonic() - begun:.0f} s in all")


def flat(value: object) -> str:
    if isinstance(value, str):
        return value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return " ".join(map(flat, inside))


def bm25(rows: list[dict[str, object]]) -> Callable[[str], list[str]]:
    """Plain BM25 over whole rows with word tokens, k1 1.2, b 0.75."""
    texts = [(str(row["id"]), Counter(re.findall(r"\w+", flat(list(row.values())).lower()))) for row in rows]
    seen = Counter(word for _, counts in texts for word in counts)
    mean = sum(sum(counts.values()) for _, counts in texts) / len(texts)

    def search(question: str) -> list[str]:
        scores: Counter[str] = Counter()
        for identity, counts in texts:
            norm = 1.2 * (0.25 + 0.75 * sum(counts.values()) / mean)
            for word in re.findall(r"\w+", question.lower()):
                if word in counts:
                    rare = math.log(1 + (len(texts) - seen[word] + 0.5) / (seen[word] + 0.5))
                    scores[identity] += rare * counts[word] * 2.2 / (counts[word] + norm)
        return [identity for identity, _ in scores.most_common(10)]

    return search


def fts5(rows: list[dict[str, object]]) -> Callable[[str], list[str]]:
    """SQLite's FTS5 with its own BM25 over the same texts, any word of the question."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE p USING fts5(id UNINDEXED, text)")
    base.executemany("INSERT INTO p VALUES (?, ?)", [(str(row["id"]), flat(list(row.values()))) for row in rows])

    def search(question: str) -> list[str]:
        asked = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question.lower()))
        sql = "SELECT id FROM p WHERE p MATCH ? ORDER BY rank LIMIT 10"
        return [row[0] for row in base.execute(sql, (asked,))] if asked else []

    return search


def fused(*searches: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Reciprocal rank fusion of several baselines."""

    def search(question: str) -> list[str]:
        scores: Counter[str] = Counter()
        for one in searches:
            for rank, identity in enumerate(one(question), 1):
                scores[identity] += 1 / (60 + rank)
        return [identity for identity, _ in scores.most_common(10)]

    return search


async def extractive(grounded: Grounded) -> str:
    sources = read_sources(grounded.system)
    assert sources
    return answer_text(quote(grounded.question, sources.passages), sources.language)


Search = Callable[[str], list[str]]


def minilm(rows: list[dict[str, object]], embedder: Embedder) -> Search:
    """The nearest whole rows by cosine."""
    made = embedder.passages([flat(list(row.values())) for row in rows], "t", LOWEST)
    assert made is not None
    whole = np.stack(made)

    def search(question: str) -> list[str]:
        near = np.argsort(-(whole @ embedder.query(question, "t")), kind="stable")
        return [str(rows[place]["id"]) for place in near[:10]]

    return lru_cache(search)


def baselines(rows: list[dict[str, object]], embedder: Embedder | None) -> dict[str, Search]:
    """What others would run, and every fusion of it by reciprocal ranks."""
    words: Search = lru_cache(bm25(rows))
    tables: Search = lru_cache(fts5(rows))
    found = {"BM25": words, "FTS5": tables, "both": fused(words, tables)}
    if embedder:
        near = minilm(rows, embedder)
        found |= {"MiniLM": near, "BM25+MiniLM": fused(words, near), "all three": fused(words, tables, near)}
    return found


def quality(corpus: Path, model: Path) -> None:
    """Recall, first right place, citations and abstention by split and language, with the best baseline beside."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    embedder = onnx_embedder(model) if (model / "model.onnx").exists() else None
    if embedder is None:
        print(f"no MiniLM at {model}: neither as a baseline nor in a hybrid search")
    peers = baselines(rows, embedder)
    asked = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    asked = [one for one in asked if one["corpus"] == "datagovmy"]
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        with_vectors = Library(Path(folder), Models(lambda: embedder)) if embedder else None
        intake = Intake("t", "c", LOWEST, id_field="id")
        ingest(with_vectors or library, [corpus], intake, lambda document: None)
        for split in sorted({one["split"] for one in asked}):
            questions = [one for one in asked if one["split"] == split]
            ours, hybrid = judged(Library(Path(folder)), questions), {}
            if with_vectors:
                hybrid = score(judged(with_vectors, questions))
            beside = {name: score([_judged(one, search) for one in questions]) for name, search in peers.items()}
            for language, one in score(ours).items():
                told(split, (language, one), {name: found[language] for name, found in beside.items()})
                if hybrid:
                    print(f"{'':12} hybrid {figures(hybrid[language])}")


def judged(library: Library, questions: list[dict[str, Any]]) -> list[Judged]:
    """What a search and an answer of the extractive engine are worth."""
    found = []
    for one in questions:
        hits = documents_of(library, Query("t", "c", one["query"], LOWEST, 10))
        answered = asyncio.run(answer(library, Inquiry(one["query"], Caller("t", "k"), "c"), extractive))
        cited = [citation.passage.source.document for citation in answered.citations]
        found.append(Judged(one["language"], frozenset(one["gold"]), hits, cited, answered.abstained))
    return found


def _judged(one: dict[str, Any], search: Search) -> Judged:
    return Judged(one["language"], frozenset(one["gold"]), search(one["query"]))


def told(split: str, ours: tuple[str, Scores], beside: dict[str, Scores]) -> None:
    """One split and language; at `all`, by how much we lead the best baseline."""
    language, one = ours
    print(f"{split:9} {language:3} {one.questions:4} questions  {figures(one)}")
    for k in (5, 10):
        peers = {name: found.recall[k] for name, found in beside.items()}
        said = "  ".join(f"{name} {recall:.2f}" for name, recall in peers.items())
        print(f"{'':12} r@{k}: {said}  ours leads the best by {100 * (one.recall[k] - max(peers.values())):.0f}")


def figures(one: Scores) -> str:
    return (
        f"r@5 {one.recall[5]:.3f}  r@10 {one.recall[10]:.3f}  MRR {one.mrr:.3f}  cited {one.cited:.2f}  "
        f"abstains {one.abstained_rightly:.2f} ({one.abstained_wrongly:.2f})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=SHARED / "datagovmy-meta" / "docs_bilingual.jsonl")
    parser.add_argument("--minilm", type=Path, default=Path(__file__).parents[1] / ".make" / "minilm")
    given = parser.parse_args()
    if given.passages:
        cost(given.passages)
        pdf()
    if given.files:
        killed(given.files)
    if given.corpus.exists():
        quality(given.corpus, given.minilm)
    else:
        print(f"quality not measured: no {given.corpus.name} at hand (set SELAT_SHARED_DATA)")
