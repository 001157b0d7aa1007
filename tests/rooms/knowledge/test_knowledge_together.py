"""Searches go on while others write, rebuild, label anew and remove; what was taken away is never shown after."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from test_knowledge_library import document
from waiting import CEILING_S

from selat.core.errors import HomeBroken, NotFound
from selat.core.label import HIGHEST, LOWEST, parse_label
from selat.knowledge import Library, Place, Query, documents_of
from selat.knowledge import library as knowledge
from selat.knowledge.place import TextIndex

ASKED = Query("t", "c", "kopi tarik", LOWEST, 50)


@pytest.fixture
def library(place: Place) -> Iterator[Library]:
    library = Library(place.originals.parent, place=place)
    with library.writing() as shelf:
        for number in range(40):
            shelf.add("t", "c", document(f"d{number:02}", f"kopi tarik nombor {number} " + "gula " * 30))
    yield library
    library.close()


@contextmanager
def asking(library: Library) -> Iterator[list[tuple[frozenset[str], list[str]]]]:
    """Somebody who searches without a pause; each finding with what had been taken away before it."""
    found: list[tuple[frozenset[str], list[str]]] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                gone = frozenset(GONE)
                found.append((gone, documents_of(library, ASKED)))
                library.evidence(ASKED)
        except BaseException as error:  # noqa: BLE001  told to the test
            errors.append(error)
        finally:
            library.place.close()

    GONE.clear()
    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield found
    finally:
        stop.set()
        asker.join(60)
    assert not errors, errors


GONE: set[str] = set()


def test_searches_go_on_and_show_nothing_that_was_taken_away(library: Library) -> None:
    with asking(library) as found:
        for number in range(0, 10, 2):
            library.relabel("t", "c", f"d{number:02}", parse_label("sulit"))
            GONE.add(f"d{number:02}")
            library.remove("t", "c", f"d{number + 1:02}")
            GONE.add(f"d{number + 1:02}")
            if number % 4 == 0:
                library.rebuild()
        end = time.monotonic() + CEILING_S
        while time.monotonic() < end and not (found and found[-1][0] == GONE):
            time.sleep(0.01)
    assert all(found_here for _, found_here in found)
    for gone, shown in found:
        assert gone.isdisjoint(shown)
        assert len(shown) >= 30
    assert library.status().waiting == 0
    with pytest.raises(NotFound):
        library.passage(Query("t", "c", "", HIGHEST), "d01", 1)


def test_an_index_that_a_rebuild_drops_while_it_is_opened_is_left_for_the_new_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Library(library.folder, place=library.place)
    opened: list[str] = []
    open_ = library.place.index

    def index(name: str) -> TextIndex:
        if not opened:
            library.rebuild()
        opened.append(name)
        return open_(name)

    monkeypatch.setattr(library.place, "index", index)
    assert len(documents_of(asker, ASKED)) == 40
    assert len(opened) == 2
    assert opened[0] != opened[1]
    with pytest.raises(HomeBroken):
        open_(opened[0])  # and it was not made anew


def test_an_index_that_a_rebuild_drops_within_a_search_is_left_for_the_new_one(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Library(library.folder, place=library.place)
    answers = knowledge.answering
    dropped: list[str] = []

    def answering(question: Any, ranked: Any, index: Any, first: int) -> Any:
        if not dropped:
            dropped.append(index.name)
            library.rebuild()
            index.renew()
        return answers(question, ranked, index, first)

    monkeypatch.setattr(knowledge, "answering", answering)
    assert asker.evidence(replace(ASKED, text="kopi tarik nombor 7")).hits
    assert library.status().index not in dropped


def test_an_index_that_is_gone_is_told_and_not_taken_for_an_empty_one(library: Library) -> None:
    library.place.drop("index", library.status().index)
    with pytest.raises(HomeBroken, match="selat index rebuild"):
        documents_of(Library(library.folder, place=library.place), ASKED)
    library.rebuild()
    assert len(documents_of(library, ASKED)) == 40


def test_two_ingestions_of_one_folder_at_once_end_as_one(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    rows = "".join(f'{{"id": "r{number}", "nota": "kedai nombor {number}"}}\n' for number in range(300))
    (papers / "rows.jsonl").write_text(rows)
    script = (
        "import sys; from pathlib import Path\n"
        "from selat.core.label import LOWEST\n"
        "from selat.flows.ingest import Intake, ingest\n"
        "from selat.knowledge import Library\n"
        "library, papers = Library(Path(sys.argv[1])), [Path(sys.argv[2])]\n"
        "told = ingest(library, papers, Intake('t', 'c', LOWEST), lambda one: None)\n"
        "print(len(told.added), len(told.failed))\n"
    )
    house = Path(__file__).parents[3]

    def begin(into: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, str(tmp_path / into), str(papers)]
        return subprocess.Popen(command, cwd=house, stdout=subprocess.PIPE, text=True)

    told = [one.communicate(timeout=120)[0].split() for one in [begin("two"), begin("two"), begin("one")]]
    assert int(told[0][0]) + int(told[1][0]) == 300 == int(told[2][0])
    two, one = Library(tmp_path / "two"), Library(tmp_path / "one")
    assert two.status().digest == one.status().digest
    assert two.status().waiting == 0
    asked = Query("t", "c", "kedai nombor 77", HIGHEST)
    assert documents_of(two, asked) == documents_of(one, asked)
    two.close()
    one.close()


def test_a_lock_that_was_let_go_of_is_free_before_the_server_sees_who_left(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[psycopg.Connection[Any]] = []
    close = psycopg.Connection.close
    monkeypatch.setattr(psycopg.Connection, "close", lambda self: left.append(self))
    try:
        for waits in (True, False, False):
            with place.locked("vectors", waits) as alone:
                assert alone
                with place.locked("vectors", wait=False) as second:
                    assert not second
    finally:
        for connection in left:
            close(connection)
