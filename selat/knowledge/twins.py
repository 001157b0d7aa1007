"""Near-duplicates: documents that share most of their runs of words, told by sketches cheap to compare.

A sketch is the 32 smallest hashes of a text's runs of four stems (bottom-k MinHash; Broder 1997). Its eight
smallest are kept as marks: two texts that are nearly the same share one, so only those are compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from heapq import nsmallest

from selat.knowledge.store import Record, Store

RUN = 4
KEPT = 32
MARKS = 8
ALIKE = 0.75  # share of common runs from which two documents count as the same
LEAST = 12  # stems of a text that says enough to be compared
TOGETHER = 256


def sketch(stems: Sequence[str]) -> list[int]:
    """The smallest hashes of a text's runs, smallest first; none for a text that says too little."""
    if len(stems) < LEAST:
        return []
    runs = {" ".join(stems[at : at + RUN]) for at in range(len(stems) - RUN + 1)}
    return nsmallest(KEPT, {zlib.crc32(run.encode()) for run in runs})


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """The estimated share of runs that two texts have in common."""
    both = nsmallest(KEPT, {*one, *other})
    return len({*one} & {*other} & {*both}) / len(both) if both else 0.0


def mark(store: Store) -> int:
    """Sketch the documents that have none yet; how many there were."""
    done = 0
    while rows := store.unsketched(TOGETHER):
        made = []
        for doc in rows:
            stems = [stem for one in store.of_document(doc) for stem in one.stems.split()]
            made.append((doc, sketch(stems)))
        store.sketched([(doc, _text(found), found[:MARKS]) for doc, found in made])
        done += len(made)
    return done


def twins(store: Store, record: Record) -> list[Record]:
    """The tenant's other documents that say nearly the same, the likest first."""
    mine, candidates = store.marked_like(record)
    own = _numbers(mine)
    found = [(alike(own, _numbers(text)), other) for other, text in candidates]
    return [other for share, other in sorted(found, key=lambda one: -one[0]) if share >= ALIKE]


def _text(numbers: Iterable[int]) -> str:
    return " ".join(f"{number:x}" for number in numbers) or "-"


def _numbers(text: str) -> list[int]:
    return [] if text in ("", "-") else [int(word, 16) for word in text.split()]
