"""Pages of a long list of documents: the same documents as the whole list, in its order, each page as cheap."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selat.core.caller import Caller
from selat.core.label import HIGHEST, LOWEST, Label, parse_label
from selat.core.passage import Passage, Source
from selat.flows.documents import Card, cards
from selat.flows.listing import Turn, leaf, readable
from selat.knowledge import Library, postgres_place
from selat.knowledge.inbox import Parcel
from selat.knowledge.listing import ANY, Filter, Spot
from selat.knowledge.store import Record

TENANT = "default"
LABELS = ("terbuka/public/none/MY", "terhad/internal/none/MY", "sulit/confidential/personal/MY")
FOLDERS = ("", "hr", "hr/cuti", "hr_lama", "kewangan")


@pytest.fixture
def library(database: str, tmp_path: Path) -> Iterator[Library]:
    place = (
        postgres_place(database.replace("+psycopg", ""), tmp_path / "k")
        if database.startswith("postgresql")
        else None
    )
    made = Library(tmp_path / "k", None, place)
    yield made
    made.close()


def caller(clearance: Label = HIGHEST, *groups: str, key: str = "key_x") -> Caller:
    return Caller(TENANT, key, frozenset({"builder"}), clearance, frozenset(), LOWEST, groups=frozenset(groups))


def seed(library: Library, count: int, chance: random.Random) -> None:
    """Documents as ingestion leaves them, without their index; one in ten was sent in and waits."""
    with library.store.connection():
        for number in range(count):
            name, label = f"surat-{number:05}%_{chance.choice('abc')}.txt", chance.choice(LABELS)
            place = (TENANT, chance.choice(("documents", "arkib")), name)
            folder = chance.choice(FOLDERS)
            if chance.random() < 0.1:
                parcel = Parcel(*place, folder, name, f"{number:064x}", chance.choice((label, "")), sender="key_s")
                library.inbox.put(parcel, draft(library, number))
                continue
            status = chance.choice(("ready", "ready", "ready", "failed"))
            told = ("", f"{number:064x}", status, "", f"Surat {number}", "failkan", "2026-01-01", "ms", label, 1)
            readers = chance.choice(("", "", "hr", "hr,audit"))
            record = Record(*place, *told, folder=folder, readers=readers)
            source = Source(name, f"Surat {number}")
            library.store.put(record, [Passage(source, 1, 0, 5, "Surat", parse_label(label))])


def draft(library: Library, number: int) -> Path:
    path = library.inbox.draft()
    path.write_text(f"surat {number}")
    return path


def whole(library: Library, who: Caller, wanted: Filter, most: int = 7) -> list[Card]:
    """Every page from the first to the last."""
    found: list[Card] = []
    after: Spot | None = None
    while True:
        page = leaf(library, who, wanted, Turn(after, None, most))
        assert len(page.cards) <= most
        found += page.cards
        if page.after is None:
            return found
        after = page.after


def fits(one: Card, wanted: Filter) -> bool:
    inside = not wanted.folder or f"{one.folder}/".startswith(f"{wanted.folder}/")
    text = f"{one.id} {one.title} {one.origin}".lower()
    same = wanted.collection in ("", one.collection) and wanted.status in ("", one.status)
    return same and inside and all(word.lower() in text for word in wanted.words)


def cost(library: Library, does: Callable[[], object]) -> Counter[str]:
    """What `does` makes SQLite do: statements, rows handed out, and steps of its machine by the hundred."""
    connection, done = library.store.connection(), Counter[str]()
    assert isinstance(connection, sqlite3.Connection)

    def row(_cursor: object, values: tuple[object, ...]) -> tuple[object, ...]:
        done["rows"] += 1
        return values

    connection.row_factory = row
    connection.set_trace_callback(lambda _statement: done.update(("statements",)))
    connection.set_progress_handler(lambda: done.update(("steps",)), 100)
    try:
        does()
    finally:
        connection.row_factory = None
        connection.set_trace_callback(None)
        connection.set_progress_handler(None, 0)
    return done


@pytest.mark.parametrize(
    "who",
    [caller(), caller(parse_label(LABELS[1]), "hr"), caller(parse_label(LABELS[0])), caller(LOWEST, key="key_s")],
    ids=["all", "hr", "outsider", "sender"],
)
def test_pages_together_are_the_list_that_the_caller_may_know_of(library: Library, who: Caller) -> None:
    seed(library, 120, random.Random(7))
    known = cards(library, who)
    for wanted in (
        ANY,
        Filter(status="waiting"),
        Filter(status="failed", collection="arkib"),
        Filter(folder="hr"),
        Filter(folder="hr_lama"),
        Filter(words=("SURAT", "%_a")),
        Filter(words=("tiada",)),
    ):
        expected = [one for one in known if fits(one, wanted)]
        assert whole(library, who, wanted) == expected
        page = leaf(library, who, wanted, Turn(most=7))
        assert (page.total, page.wanted) == (len(known), len(expected))
    assert set(page.folders) == {one.folder for one in known if one.folder}
    count, collections = readable(library, who)
    ready = [one for one in known if one.status == "ready"]
    assert (count, set(collections)) == (len(ready), {one.collection for one in ready})


def test_a_page_before_another_is_the_one_that_led_to_it(library: Library) -> None:
    seed(library, 60, random.Random(8))
    first = leaf(library, caller(), ANY, Turn(most=10))
    second = leaf(library, caller(), ANY, Turn(after=first.after, most=10))
    assert second.before is not None
    back = leaf(library, caller(), ANY, Turn(before=second.before, most=10))
    assert [one.id for one in back.cards] == [one.id for one in first.cards]
    assert (first.before, back.before) == (None, None)
    assert back.after == first.after


def test_the_last_page_of_five_thousand_costs_what_the_first_does(tmp_path: Path) -> None:
    """In statements, rows read and steps of SQLite's machine; and no page reads them all, as each once did."""
    library = Library(tmp_path / "k")
    try:
        seed(library, 5000, random.Random(9))
        end = cards(library, caller())[-60]
        first = cost(library, lambda: leaf(library, caller(), ANY, Turn()))
        last = cost(library, lambda: leaf(library, caller(), ANY, Turn(after=Spot(end.id, end.collection))))
        everything = cost(library, lambda: cards(library, caller()))
        assert max(first["statements"], last["statements"]) < 4 * 50
        assert last["steps"] < first["steps"] * 2
        assert max(first["rows"], last["rows"]) < 500 < 5000 <= everything["rows"]
    finally:
        library.close()
