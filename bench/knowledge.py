"""What the library costs and how well it finds, beside baselines in the same run.

    python bench/knowledge.py [--passages 50000] [--corpus docs_bilingual.jsonl]

Cost: made-up Malay and English passages with four labels; CPU seconds to index them, CPU milliseconds of a
search with a label filter, recall against an exact scan of the same words. Quality, where the bilingual
corpus is at hand: the questions in `bench/knowledge/questions.jsonl`.
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
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from selat.core.caller import Caller
from selat.core.label import LOWEST, parse_label
from selat.core.passage import Passage, Source
from selat.core.sources import answer_text, read_sources
from selat.flows.answer import Grounded, Inquiry, answer
from selat.flows.ingest import Intake, ingest
from selat.knowledge import Document, Judged, Library, Query, documents_of, quote, score
from selat.knowledge.malay import roots

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
        print(f"search with label filter, p50 CPU: selat {statistics.median(spent):.1f} ms", end="")
        print(f", FTS5 {statistics.median(spent_fts):.1f} ms")
        print(f"the passage meant is found, or hidden above the clearance: {found}/200; shown above it: {shown}")


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


async def extractive(grounded: Grounded) -> str:
    sources = read_sources(grounded.system)
    assert sources
    return answer_text(quote(grounded.question, sources.passages), sources.language)


def quality(corpus: Path) -> None:
    baseline = bm25([json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()])
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    questions = [one for one in questions if one["corpus"] == "datagovmy"]
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        ingest(library, [corpus], Intake("t", "c", LOWEST, id_field="id"), lambda document: None)
        for split in sorted({one["split"] for one in questions}):
            judged, plain = [], []
            for one in questions:
                if one["split"] != split:
                    continue
                gold = frozenset(one["gold"])
                hits = documents_of(library, Query("t", "c", one["query"], LOWEST, 10))
                answered = asyncio.run(answer(library, Inquiry(one["query"], Caller("t", "k"), "c"), extractive))
                cited = [citation.passage.source.document for citation in answered.citations]
                judged.append(Judged(one["language"], gold, hits, cited, answered.abstained))
                plain.append(Judged(one["language"], gold, baseline(one["query"])))
            beside = score(plain)
            for language, one in score(judged).items():
                recall = f"r@5 {one.recall[5]:.2f} (BM25 {beside[language].recall[5]:.2f})"
                recall += f" r@10 {one.recall[10]:.2f} (BM25 {beside[language].recall[10]:.2f})"
                rest = f"cited {one.cited:.2f} abstains {one.abstained_rightly:.2f} ({one.abstained_wrongly:.2f})"
                print(f"{split:9} {language:3} {one.questions:4} questions  {recall}  MRR {one.mrr:.2f}  {rest}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--corpus", type=Path, default=SHARED / "datagovmy-meta" / "docs_bilingual.jsonl")
    given = parser.parse_args()
    if given.passages:
        cost(given.passages)
    if given.corpus.exists():
        quality(given.corpus)
    else:
        print(f"quality not measured: no {given.corpus.name} at hand (set SELAT_SHARED_DATA)")
