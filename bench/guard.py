"""What the guard costs: a 32 KB prompt, short texts, and throughput beside Presidio's in the same run.

    python bench/guard.py            Presidio is measured where presidio-analyzer is installed, else skipped

Times are CPU time of this thread, the best of several rounds; nothing is remembered between rounds. Python's collector
is set as the gateway's workers set it, for both.
"""

# ruff: noqa: E501 - sample prose
from __future__ import annotations

import gc
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from selat.guard import Guard
from selat.guard.scoring import CORPUS, read_corpus, score

PROSE = (
    "Could you summarise the attached minutes and list the open points? The committee agreed to review the budget in the "
    "third quarter, and the vendor will send a revised quotation before the end of the week. Boleh tolong semak ayat ini "
    "supaya lebih sopan? Pihak kami telah menerima cadangan itu dan akan memaklumkan keputusan selepas mesyuarat. The build "
    "failed because the cache was stale; clearing it helped, but the second test is still slow. Harga minyak naik sedikit "
    "bulan ini, jadi kos penghantaran perlu dikira semula. Write a short poem about rain in the afternoon, in two verses. "
    "Sila terangkan perbezaan antara pinjaman tetap dan pinjaman boleh ubah dengan contoh yang mudah. Thanks in advance! "
)
EIGHT = (
    "ic saya 900101-14-5678. ", "hp 012-345 6789. ", "emel siti@contoh.my. ", "Puan Rohani binti Ahmad. ",
    "akaun Maybank 114012345678. ", "No. 5, Jalan Universiti, 46200 Petaling Jaya. ", "plat WXY 1234. ", "DOB 12/03/1990. ",
)  # fmt: skip
SMALL = (
    "Salam, nama saya Rohani binti Ahmad, ic 900101-14-5678. Boleh tolong semak status permohonan saya yang dihantar minggu lepas? "
    "Kalau ada apa-apa yang kurang, sila telefon 012-345 6789. Terima kasih."
)
SIZE = 32_768
SECONDS = 6.0


def main() -> None:
    samples = [sample for path in sorted(CORPUS.glob("*.jsonl")) for sample in read_corpus(path)]
    with tempfile.TemporaryDirectory() as folder:
        cold = cost_us(lambda: Guard.load(Path(folder)), 1)
        warm = cost_us(lambda: Guard.load(Path(folder)), 5)
        guard = Guard.load(Path(folder))
    print(f"prefilter {guard.engine}; load {cold / 1e3:.0f} ms compiled, {warm / 1e3:.1f} ms from the cache")
    prose = (PROSE * 60)[:SIZE]
    step = SIZE // len(EIGHT)
    mixed = "".join(prose[k * step : (k + 1) * step - len(hit) - 1] + " " + hit for k, hit in enumerate(EIGHT))
    dense = " ".join(sample.text for sample in samples)[:SIZE]
    print(f"{'32 KB prompt':34} {'us CPU':>8} {'findings':>9}")
    for name, text in (
        ("prose, nothing in it", prose),
        ("prose with 8 findings", mixed),
        ("corpus texts end to end", dense),
    ):
        found = len(guard.scan(text).findings)
        print(f"  {name:32} {cost_us(lambda text=text: guard._scan(text), 30):8.0f} {found:9}")
    print(f"  {'the same text again (remembered)':32} {cost_us(lambda: guard.scan(mixed), 30):8.0f}")
    whole_ms, held_ms = in_a_thread(lambda: guard._scan(dense * 100))
    print(
        f"  {'3 MB in a thread of its own':32} {whole_ms:8.0f} ms, in which another waits {held_ms:.1f} ms at most"
    )
    print(f"{'prompt of 200 B':34} {'us CPU':>8} {'findings':>9}")
    for name, text in (("nothing in it", PROSE[:200]), ("a name, an IC and a phone number", SMALL)):
        found = len(guard.scan(text).findings)
        print(f"  {name:32} {cost_us(lambda text=text: guard._scan(text), 300):8.1f} {found:9}")
        print(f"  {'  remembered':32} {cost_us(lambda text=text: guard.scan(text), 300):8.1f}")
    corpus = [sample.text for sample in samples]
    plain = [sentence + "." for sentence in PROSE.strip(" !").split(". ")]
    chat = [
        text
        for k, dense in enumerate(corpus)
        for text in (*(plain[(k + j) % len(plain)] for j in range(4)), dense)
    ]
    random.Random(7).shuffle(chat)
    analyse = presidio()
    if analyse:
        print(
            "Presidio: its default recognisers for English over a blank spaCy pipeline. Without a model's pass, which its"
        )
        print("default has, it looks for no names of persons and is the faster for it.")
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    print(f"{'throughput, KB/s of UTF-8':34} {'Selat':>8} {'Presidio':>9} {'times':>6}")
    for name, texts in (("mixed chat: 1 message in 5 dense", chat), ("corpus texts alone", corpus)):
        ours = throughput(guard._scan, texts)
        theirs = throughput(analyse, texts) if analyse else 0.0
        beside = (
            f"{theirs:9.1f} {ours / theirs:6.0f}" if theirs else "  skipped: presidio-analyzer is not installed"
        )
        print(f"  {name:32} {ours:8.0f} {beside}")
    for path in sorted(CORPUS.glob("*.jsonl")):
        result = score(guard.scan, read_corpus(path))
        total = result.structured
        print(
            f"{path.name}: structured recall {total.recall:.3f} precision {total.precision:.3f}; NAME F1"
            f" {result.kinds['NAME'].f1:.3f}, ADDRESS F1 {result.kinds['ADDRESS'].f1:.3f};"
            f" {result.false_in_decoys} false findings in {result.decoys} decoys"
        )


def cost_us(run: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        run()
        best = min(best, time.thread_time() - began)
    return best * 1e6


def in_a_thread(run: Callable[[], object]) -> tuple[float, float]:
    """How long `run` takes in a thread, and the longest that this one meanwhile waits for its turn, in milliseconds."""
    working, waits = threading.Thread(target=run), [0.0]
    began = last = time.perf_counter()
    working.start()
    while working.is_alive():
        time.sleep(0)
        waits.append((now := time.perf_counter()) - last)
        last = now
    return (last - began) * 1e3, max(waits) * 1e3


def throughput(scan: Callable[[str], object], texts: list[str]) -> float:
    """KB of UTF-8 a second of CPU time: the best of the passes that fit into some seconds, three at least.

    The same time for both, since other work on the machine slows a pass now and then.
    """
    size, best, spent, passes = sum(len(text.encode()) for text in texts), float("inf"), 0.0, 0
    while passes < 3 or spent < SECONDS:
        took = cost_us(lambda: [scan(text) for text in texts], 1) / 1e6
        best, spent, passes = min(best, took), spent + took, passes + 1
    return size / 1024 / best


def presidio() -> Callable[[str], Any] | None:
    """Presidio's analyzer over a blank pipeline: its recognisers alone, which flatters it.

    The models that its default setting names are not to be had from a package index.
    """
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError:
        return None

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            pass

        def is_loaded(self) -> bool:
            return True

    engine = Blank()
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    return lambda text: analyzer.analyze(text, language="en")


if __name__ == "__main__":
    main()
