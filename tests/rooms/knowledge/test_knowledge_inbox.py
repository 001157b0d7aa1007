"""What waits to be read waits durably: steps, tries, pauses and the files themselves, in every place."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.core.errors import Misused, NotFound
from selat.knowledge import Library, Parcel, Place


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.originals.parent, place=place)


def put(library: Library, document: str, text: str = "kopi", tenant: str = "t") -> Parcel:
    draft = library.inbox.draft()
    draft.write_text(text)
    return library.inbox.put(Parcel(tenant, "c", document, "", f"{document}.txt", ""), draft)


def files(library: Library) -> list[Path]:
    return sorted(path for path in library.inbox.originals.iterdir() if path.suffix == ".txt")


def test_a_parcel_goes_through_its_steps_and_keeps_their_times(library: Library) -> None:
    parcel = put(library, "a")
    assert library.inbox.has_work()
    for step in ("parsing", "indexing", "ready"):
        library.inbox.reach(parcel, step)
    now = library.inbox.find("t", "c", "a")
    assert now is not None
    assert [one.step for one in now.history] == ["waiting", "parsing", "indexing", "ready"]
    assert (now.tries, library.inbox.has_work()) == (1, False)
    progress = library.inbox.progress("t")
    assert (progress.ready, progress.left_s) == (1, 0.0)


def test_one_process_takes_and_what_it_left_half_done_waits_again(library: Library) -> None:
    parcel = put(library, "a")
    library.inbox.reach(parcel, "parsing")
    assert library.inbox.next(5) == []
    with library.inbox.taking() as alone:
        assert alone
        assert library.inbox.is_taken()
        assert [one.document for one in library.inbox.next(5)] == ["a"]
        with library.inbox.taking() as again:
            assert not again
    assert not library.inbox.is_taken()


def test_a_paused_tenant_waits_and_its_neighbour_does_not(library: Library) -> None:
    put(library, "a")
    put(library, "b", tenant="u")
    library.inbox.pause("t")
    assert [one.tenant for one in library.inbox.next(5)] == ["u"]
    assert library.inbox.progress("t").paused
    library.inbox.resume("t")
    assert len(library.inbox.next(5)) == 2


def test_only_a_failed_document_is_read_again(library: Library) -> None:
    parcel = put(library, "a")
    with pytest.raises(Misused):
        library.inbox.retry("t", "c", "a")
    with pytest.raises(NotFound):
        library.inbox.retry("u", "c", "a")
    library.inbox.reach(parcel, "failed", "broken")
    library.inbox.retry("t", "c", "a")
    now = library.inbox.find("t", "c", "a")
    assert now is not None
    assert (now.step, now.reason) == ("waiting", "")


def test_the_same_bytes_are_one_file_that_goes_with_the_last_that_needs_it(library: Library) -> None:
    put(library, "a")
    put(library, "b")
    assert len(files(library)) == 1
    assert library.inbox.drop("t", "c", "a")
    assert len(files(library)) == 1
    put(library, "b", "teh")
    assert [path.read_text() for path in files(library)] == ["teh"]
    assert library.inbox.drop("t", "c", "b")
    assert not library.inbox.drop("t", "c", "b")
    assert files(library) == []


def test_what_was_replaced_meanwhile_hears_nothing_of_the_old_one(library: Library) -> None:
    old = put(library, "a")
    new = put(library, "a", "teh")
    library.inbox.reach(old, "ready")
    assert library.inbox.find("t", "c", "a") == new
