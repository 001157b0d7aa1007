"""Documents that say nearly the same are linked, for those who may know of both, and let go when one goes."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

import pytest
from test_knowledge_library import document

from selat.core.label import HIGHEST, LOWEST
from selat.knowledge import Library, Place, Query
from selat.knowledge.twins import ALIKE, alike, sketch

WORDS = [f"kata{number}" for number in range(400)]


def text(seed: int, size: int = 300) -> list[str]:
    return random.Random(seed).choices(WORDS, k=size)


@pytest.fixture
def library(place: Place) -> Iterator[Library]:
    library = Library(place.originals.parent, place=place)
    first = text(1)
    changed = [*first[:100], "lain", *first[101:290], "akhir"]
    for identity, words, label in (
        ("a", first, "terbuka"),
        ("b", changed, "terbuka"),
        ("c", first, "sulit"),
        ("d", text(2), "terbuka"),
    ):
        library.add("t", "c", document(identity, " ".join(words), label, digest=identity))
    library.add("u", "c", document("e", " ".join(first), digest="e"))
    library.catch_up()
    yield library
    library.close()


def of(library: Library, identity: str, clearance: object = HIGHEST) -> list[str]:
    query = Query("t", "c", "", clearance)  # type: ignore[arg-type]
    return [one.document for one in library.twins(query, identity)]


def test_a_copy_and_a_revision_are_twins_and_nothing_else_is(library: Library) -> None:
    assert of(library, "a") == ["c", "b"]
    assert set(of(library, "b")) == {"a", "c"}
    assert of(library, "d") == []


def test_a_twin_above_the_clearance_is_not_told(library: Library) -> None:
    assert of(library, "a", LOWEST) == ["b"]


def test_a_removed_twin_is_gone(library: Library) -> None:
    library.remove("t", "c", "b")
    assert of(library, "a") == ["c"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_the_estimate_is_near_the_share_of_common_runs(share: float) -> None:
    one, other = text(3, 2000), text(4, 2000)
    kept = int(2000 * share)
    mixed = [*one[:kept], *other[kept:]]
    true = kept / (4000 - kept) if kept else 0.0
    assert abs(alike(sketch(" ".join(one)), sketch(" ".join(mixed))) - true) < 0.2
    assert sketch(" ".join(one[:5])) == []
    runs = [" ".join(one[at : at + 4]).encode() for at in range(len(one) - 3)]
    assert sketch(" ".join(one)) == sorted({zlib.crc32(run) for run in runs})[:32]
    assert ALIKE > 0.5
