"""Checking names what happened: damage, gaps, orphans, tails; and an honest ledger passes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from ledger_house import House, leaf

from selat.ledger import Journal, Sequencer, intake
from selat.ledger.check import check


def kinds(house: House) -> set[str]:
    return {problem.kind for problem in check(house.folder).problems}


@pytest.fixture
def book(house: House) -> House:
    house.write([leaf(number) for number in range(700)] + [leaf(number, "closed") for number in range(690)])
    house.sequence()
    return house


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_an_honest_ledger_passes_and_its_orphans_are_named(book: House) -> None:
    report = check(book.folder)
    assert report.ok, report.problems
    assert report.size == 1390
    assert report.orphans == tuple((number, f"r{number}") for number in range(690, 700))
    assert report.notes == ()


@pytest.mark.parametrize("name", ["tile/0/002", "tile/1/000.p/5", "tile/0/005.p/110"])
def test_a_changed_hash_is_found(book: House, name: str) -> None:
    flip(book.folder / "log" / name, 100)
    assert kinds(book) == {"bad-tile"}


@pytest.mark.parametrize("name", ["tile/entries/002", "tile/entries/005.p/110"])
def test_a_changed_leaf_is_found_and_placed(book: House, name: str) -> None:
    flip(book.folder / "log" / name, 30)
    report = check(book.folder)
    assert {problem.kind for problem in report.problems} >= {"bad-tile", "bad-root"}
    first = 512 if "002" in name else 1280
    assert any(f"at leaf {first}" in problem.what for problem in report.problems)


@pytest.mark.parametrize("name", ["tile/entries/001", "tile/0/001"])
def test_a_missing_file_is_a_gap(book: House, name: str) -> None:
    (book.folder / "log" / name).unlink()
    report = check(book.folder)
    assert [problem.kind for problem in report.problems] == ["gap" if "entries" in name else "missing-tile"]


def test_a_changed_checkpoint_is_found(book: House) -> None:
    path = book.folder / "log" / "checkpoint"
    path.write_text(path.read_text().replace("\n1390\n", "\n1389\n"))
    assert "bad-checkpoint" in kinds(book)


def test_an_older_checkpoint_put_back_is_found(book: House) -> None:
    old = (book.folder / "log" / "checkpoint").read_bytes()
    book.write([leaf(9000)])
    book.sequence()
    (book.folder / "log" / "checkpoint").write_bytes(old)
    assert kinds(book) == {"put-back"}


def test_bytes_not_yet_integrated_are_noted(book: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "READ_BYTES", 1024)
    book.write([leaf(number) for number in range(9001, 9051)])
    (note,) = check(book.folder).notes
    assert note.kind == "waiting"
    assert "50 records" in note.what
    monkeypatch.undo()
    book.sequence()
    assert check(book.folder).notes == ()


def test_a_torn_tail_is_noted_and_kept_aside(book: House) -> None:
    journal = Journal(book.folder, "w1")
    journal.start()
    journal.append(leaf(9002)).wait(60)
    journal.close()
    (path,) = (book.folder / "journals").glob("*.journal")
    with path.open("ab") as file:
        file.write(b"\0\0\0\x50half a record")
    assert [note.kind for note in check(book.folder).notes] == ["waiting", "torn"]
    assert book.sequence() == 1
    assert [note.kind for note in check(book.folder).notes] == ["kept-aside"]
    assert check(book.folder).ok


def test_a_clock_that_goes_back_is_noted(house: House) -> None:
    house.write([leaf(3000), leaf(1)])
    house.sequence()
    report = check(house.folder)
    assert report.ok
    assert [note.kind for note in report.notes] == ["clock"]


def test_checking_a_ledger_that_grows_raises_no_false_alarm(house: House) -> None:
    stop, sequencer = threading.Event(), Sequencer(house.folder, house.signer)
    sequencer.start()
    journal = Journal(house.folder, "w0")
    journal.start()

    def grow() -> None:
        number = 0
        while not stop.is_set():
            for _ in range(40):
                journal.append(leaf(number))
                number += 1
            sequencer.step()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        checks, size, end = 0, 0, time.monotonic() + 60
        while checks < 25 or not size:
            report = check(house.folder)
            assert report.ok, report.problems
            assert time.monotonic() < end
            checks, size = checks + 1, report.size
    finally:
        stop.set()
        thread.join()
        journal.close()
        sequencer.close()
