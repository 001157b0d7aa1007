"""On a full disk no closing is lost: it is owed, written with the first room, and never booked twice."""

from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_house import House, leaf
from waiting import until

from selat import durable
from selat.core.errors import LedgerUnavailable
from selat.ledger import Book, Journal, Ticket, frame, owed, secret
from selat.ledger import journal as module
from selat.ledger.check import Report, check
from selat.ledger.segment import ROOM_BYTES, Segment

SALT = secret("answer", b"s" * 32)
LONG = secret("prompt.text", b"t" * ROOM_BYTES)


def fill(disk: Path, but_bytes: int = 0) -> Path:
    """Leave so much free on a disk, at most; the file that takes the rest."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize) > but_bytes:
            file.write(bytes(free - but_bytes))
    return filler


def booked(house: House) -> Counter[tuple[str, str]]:
    """How often the log holds each (id, kind), once all journals are in it."""
    while house.sequence():
        continue
    entries = map(json.loads, Book(house.folder).entries())
    return Counter((entry["id"], entry["kind"]) for entry in entries)


def clean(house: House) -> Report:
    """Its report. Times of these leaves run backwards, since a closing's is an hour after its opening's."""
    report = check(house.folder)
    assert (report.problems, report.orphan_count) == ((), 0)
    assert {note.kind for note in report.notes} <= {"clock"}
    return report


def refused(journal: Journal, number: int, secrets: bytes = SALT) -> None:
    with pytest.raises(LedgerUnavailable, match="No space left"):
        journal.append(leaf(number), secrets).wait(60)


class Down:
    """A house on a disk that has just become full: r0 is open and durable, r1 was refused with its batch."""

    def __init__(self, disk: Path, but_bytes: int = 0, owes: bool = True) -> None:
        self.house = House(disk)
        self.house.sequence()
        self.journal = Journal(self.house.folder, "w")
        self.journal.start(owes=owes)
        self.journal.append(leaf(0), SALT).wait(60)
        self.filler = fill(disk, 64 * 1024)
        refused(self.journal, 1, LONG)
        assert self.journal.down is not None
        fill(disk, but_bytes)

    def close(self, number: int) -> Ticket:
        return self.journal.append(leaf(number, "closed"), SALT)


def test_closings_are_owed_while_the_disk_is_full_and_booked_once_it_is_not(small_disk: Path) -> None:
    down = Down(small_disk)
    journal = down.journal
    closings = [down.close(0), down.close(1)]
    with pytest.raises(LedgerUnavailable, match="No space left"):
        journal.append(leaf(2))
    made = journal._made
    until(lambda: journal._made > made + 2)
    assert journal.waiting == 3
    assert not any(ticket.durable for ticket in closings)
    assert journal.down is not None
    down.filler.unlink()
    for ticket in closings:
        ticket.wait(60)
    until(lambda: journal.down is None)
    journal.append(leaf(3, "refused"), SALT).wait(60)
    journal.close()
    everything = {(f"r{number}", kind): 1 for number in (0, 1) for kind in ("opened", "closed")}
    assert booked(down.house) == everything | {("r3", "refused"): 1}
    clean(down.house)
    assert Book(down.house.folder).secrets("r1")[1]["prompt.text"] == b"t" * ROOM_BYTES


def test_what_is_owed_is_written_as_soon_as_there_is_room_for_that_much(small_disk: Path) -> None:
    down = Down(small_disk)
    os.truncate(down.filler, down.filler.stat().st_size - 400 * 1024)  # for the entry, not for room ahead as well
    down.close(1).wait(60)
    closing = down.close(0)
    closing.wait(60)
    assert down.journal.down is not None
    assert down.journal.waiting == 0
    down.journal.close()
    down.filler.unlink()
    assert booked(down.house).total() == 4
    clean(down.house)


def test_what_finds_no_room_until_the_end_is_lost_and_told(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    down = Down(small_disk)
    closing = down.close(0)
    with caplog.at_level(logging.ERROR):
        down.journal.close()
    assert "2 entries that found no room are lost" in caplog.text
    with pytest.raises(LedgerUnavailable, match="closed"):
        closing.wait(60)
    with pytest.raises(LedgerUnavailable, match="closed"):
        down.close(1)
    down.filler.unlink()
    assert booked(down.house) == {("r0", "opened"): 1}
    assert [receipt for _, receipt in check(down.house.folder).orphans] == ["r0"]


def test_a_writer_that_owes_nothing_writes_nothing_that_it_refused(small_disk: Path) -> None:
    down = Down(small_disk, owes=False)
    with pytest.raises(LedgerUnavailable, match="No space left"):
        down.close(0)
    down.filler.unlink()
    until(lambda: down.journal.down is None)
    down.journal.close()
    assert booked(down.house) == {("r0", "opened"): 1}


def test_no_more_is_owed_than_the_bound_and_all_of_it_again_once_that_is_written(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(frame.body(leaf(0, "closed"), SALT))
    monkeypatch.setattr(module, "OWED_BYTES", 3 * size)
    down = Down(small_disk)
    for _ in range(2):
        closings = [down.close(number) for number in range(3)]
        with pytest.raises(LedgerUnavailable, match="No space left"):
            down.close(3)
        down.filler.unlink()
        for ticket in closings:
            ticket.wait(60)
        fill(down.house.folder.parent, 64 * 1024)
        refused(down.journal, 4, LONG)
        fill(down.house.folder.parent)
    down.journal.close()


def test_only_what_is_true_without_being_durable_is_owed() -> None:
    kinds = ["opened", "closed", "refused", "rerouted", "key.created", owed.ALTERED]
    bodies = [frame.body(leaf(number, kind)) for number, kind in enumerate(kinds)]
    assert owed.kept(bodies) == owed.Kept([*bodies[:3], bodies[5]], False)
    assert owed.kept([bodies[1], bodies[5]]) == owed.Kept([bodies[1], bodies[5]], True)
    assert owed.kept([frame.body(b"not JSON")]) == owed.Kept([], False)


def test_that_a_journal_was_altered_is_owed_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(house.folder, "w")
    journal.start()
    journal.append(leaf(0), SALT).wait(60)
    house.sequence()
    (path,) = (house.folder / "journals").glob("*.journal")
    with monkeypatch.context() as full:
        full.setattr(journal, "_make", failing(errno.ENOSPC))
        os.truncate(path, frame.HEADER_BYTES)
        refused(journal, 1)
    closing = journal.append(leaf(0, "closed"), SALT)
    closing.wait(60)
    journal.close()
    kinds = Counter(kind for _, kind in booked(house).elements())
    assert kinds == {"opened": 2, "closed": 1, owed.ALTERED: 1}


def failing(code: int) -> Callable[..., None]:
    def fail(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_commit_that_finds_no_room_leaves_none_of_it_in_the_file(small_disk: Path) -> None:
    path = small_disk / "a.journal"
    segment = Segment.make(path)
    segment.commit([frame.body(leaf(0))])
    fill(small_disk, 64 * 1024)
    with pytest.raises(durable.Unwritten, match="No space left"):
        segment.commit([frame.body(leaf(1), LONG), frame.body(leaf(2))])
    left = path.read_bytes()
    at = frame.start(left)
    assert at is not None
    found = frame.scan(left[at.offset :], at)
    assert found.records.leaves == [leaf(0)]
    assert not left[found.end.offset :].strip(b"\0")
    segment.abandon()
    assert len(path.read_bytes()) == found.end.offset


@pytest.mark.parametrize(
    ("code", "part", "certain"),
    [
        *((code, 0, True) for code in durable.NO_ROOM),
        *((code, 5, False) for code in durable.NO_ROOM),
        (errno.EIO, 0, False),
    ],
)
def test_it_is_certain_only_where_not_a_byte_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, part: int, certain: bool
) -> None:
    segment = Segment.make(tmp_path / "a.journal")

    def refuse(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:part])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(durable, "write_all", refuse)
    with pytest.raises(OSError, match=os.strerror(code)) as error:
        segment.commit([frame.body(leaf(0))])
    assert isinstance(error.value, durable.Unwritten) == certain
    segment.abandon()


class Disk:
    """Fails the writer's writes as told, one by one, `full` at once or in `part` after some bytes; or its syncs.

    Where records may be left in the file, the sequencer takes them before the writer can cut them off.
    """

    def __init__(self, house: House) -> None:
        self.house, self.unknown = house, False
        self.writes, self.syncs = list[str](), list[bool]()
        self._write, self._sync = durable.write_all, durable.data_sync

    def write_all(self, descriptor: int, data: bytes) -> None:
        fault = self.writes.pop(0) if self.writes and is_writer() else ""
        if fault == "part":
            os.write(descriptor, data[: len(data) // 2])
            if data.strip(b"\0") and not data.startswith(frame.MAGIC):
                self._take()  # neither room nor a segment being made, which hold no records
        if fault in ("full", "part"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write(descriptor, data)

    def data_sync(self, descriptor: int) -> None:
        if self.syncs and is_writer() and self.syncs.pop(0):
            self._take()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(descriptor)

    def _take(self) -> None:
        self.unknown = True
        writes, syncs, self.writes, self.syncs = self.writes, self.syncs, [], []
        self.house.sequence()
        self.writes, self.syncs = writes, syncs


def is_writer() -> bool:
    return threading.current_thread().name == "journal-w"


class Story:
    """Requests, some with long prompts, while a disk fails: each that was appended is closed, taken or refused."""

    def __init__(self, house: House) -> None:
        self.journal = Journal(house.folder, "w")
        self.open: list[int] = []
        self.durable: set[tuple[str, str]] = set()
        self._numbers = count()

    def act(self, what: str) -> None:
        if what == "rest":
            until(lambda: self.journal.down is None)
        elif what == "close" and self.open:
            self.end(self.open.pop(0))
        elif what in ("ask", "ask long", "hang up"):
            self.ask(next(self._numbers), LONG if what == "ask long" else SALT, wait=what != "hang up")

    def ask(self, number: int, secrets: bytes, wait: bool) -> None:
        try:
            ticket = self.journal.append(leaf(number), secrets)
        except LedgerUnavailable:
            return
        if not wait:
            self.end(number)
            return
        try:
            ticket.wait(60)
        except LedgerUnavailable:
            self.end(number)
            return
        self.durable.add((f"r{number}", "opened"))
        self.open.append(number)

    def end(self, number: int) -> None:
        self.journal.append(leaf(number, "closed"), SALT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(st.sampled_from(["ask", "ask long", "hang up", "close", "rest"]), min_size=5, max_size=25),
    writes=st.lists(st.sampled_from(["", "full", "part"]), max_size=20),
    syncs=st.lists(st.booleans(), max_size=10),
)
def test_whatever_write_fails_nothing_is_booked_twice_and_no_closing_lost(
    monkeypatch: pytest.MonkeyPatch, acts: list[str], writes: list[str], syncs: list[bool]
) -> None:
    with tempfile.TemporaryDirectory() as home, monkeypatch.context() as patch:
        house = House(Path(home))
        story, disk = Story(house), Disk(house)
        story.journal.start()
        patch.setattr(module, "RETRY_S", 0.0005)
        patch.setattr(durable, "write_all", disk.write_all)
        patch.setattr(durable, "data_sync", disk.data_sync)
        disk.writes, disk.syncs = writes, syncs
        for what in acts:
            story.act(what)
        disk.writes, disk.syncs = [], []
        for number in story.open:
            story.end(number)
        story.journal.close()
        found = booked(house)
        assert set(found.values()) <= {1}
        assert story.durable <= found.keys()
        assert story.journal.waiting == 0
        assert check(house.folder).ok
        if not disk.unknown:
            clean(house)
            assert len(found) % 2 == 0
