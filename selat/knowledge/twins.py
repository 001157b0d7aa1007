"""Near-duplicates: documents that share most of their runs of words, told by sketches cheap to compare.

A sketch is the 32 smallest hashes of a text's runs of four stems (bottom-k MinHash; Broder 1997). Its eight
smallest are kept as marks: two texts that are nearly the same share one, so only those are compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from itertools import accumulate, islice

from selat.knowledge.store import Record, Store

RUN = 4
KEPT = 32
MARKS = 8
ALIKE = 0.75  # share of common runs from which two documents count as the same
LEAST = 12  # stems of a text that says enough to be compared
TOGETHER = 256


def sketch(line: str) -> list[int]:
    """The smallest hashes of a text's runs, as stems parted by one space; none for one that says too little."""
    spelled = line.encode()
    lengths = [length + 1 for length in map(len, spelled.split(b" "))]
    if len(lengths) < LEAST:
        return []
    begins, ends = accumulate(lengths, initial=0), accumulate(lengths, initial=-1)
    runs = map(spelled.__getitem__, map(slice, begins, islice(ends, RUN, None)))
    return sorted(set(map(zlib.crc32, runs)))[:KEPT]


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """The estimated share of runs that two texts have in common."""
    both = nsmallest(KEPT, {*one, *other})
    return len({*one} & {*other} & {*both}) / len(both) if both else 0.0


def mark(store: Store) -> int:
    """Sketch the documents that have none yet; how many there were."""
    done = 0
    while rows := store.unsketched(TOGETHER):
        lines = [" ".join([one.stems for one in store.entries(doc) if one.stems]) for doc in rows]
        made = list(zip(rows, map(sketch, lines), strict=True))
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
