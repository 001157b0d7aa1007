"""Disks that fill, tear, lie or are altered by hand: nothing acknowledged is lost, and what happened is named."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_house import House, leaf
from waiting import until

from selat import durable
from selat.core.errors import HomeBusy, LedgerBroken, LedgerUnavailable
from selat.core.proof import verify
from selat.ledger import Book, Journal, Sequencer, files, frame, load_signer, prepare, secret
from selat.ledger.check import check
from selat.ledger.repair import repair
from selat.ledger.rotate import rotate
from selat.ledger.vault import Vault


def accepts(journal: Journal, number: int) -> bool:
    try:
        journal.append(leaf(number)).wait(60)
    except LedgerUnavailable:
        return False
    return True


def ids(house: House) -> list[str]:
    return [json.loads(entry)["id"] for entry in Book(house.folder).entries()]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write_all", "data_sync"])
def test_a_refusing_disk_refuses_entries_until_it_recovers(
    house: House, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    journal = Journal(house.folder, "w0")
    journal.start()
    assert accepts(journal, 0)

    def refuse(fd: int, data: bytes = b"") -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(durable, call, refuse)
        assert not accepts(journal, 1)
        broken.setattr(durable, "write_all", refuse)
        until(lambda: not accepts(journal, 2))
        with pytest.raises(LedgerUnavailable, match=os.strerror(code)):
            journal.append(leaf(3))
    until(lambda: accepts(journal, 4))
    journal.close()
    house.sequence()
    assert {"r0", "r4"} <= set(ids(house))
    assert "r3" not in ids(house)
    assert check(house.folder).ok


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ledger_house import House, leaf
from selat.core.errors import LedgerUnavailable
from selat.ledger import Journal
house = House(Path(sys.argv[1]))
journal = Journal(house.folder, "w")
journal.start()
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
for number in range(1000):
    try:
        journal.append(leaf(number)).wait(60)
    except LedgerUnavailable:
        print("refused", number, flush=True)
        break
    print(number, flush=True)
"""


def test_a_file_size_limit_of_the_system_loses_nothing_acknowledged(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), here], capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.split("\n")
    assert lines[-2].startswith("refused"), done.stderr
    house = House(tmp_path)
    house.sequence()
    assert ids(house)[: len(lines) - 2] == [f"r{number}" for number in lines[:-2]]


def test_a_disk_that_fills_during_a_step_only_delays_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write([leaf(number) for number in range(300)])
    sequencer = Sequencer(house.folder, house.signer)
    sequencer.start()
    real, calls = files.put, []

    def sometimes(path: str, data: bytes, name: str, *, durable: bool) -> int:
        calls.append(name)
        if len(calls) % 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data, name, durable=durable)

    monkeypatch.setattr(files, "put", sometimes)
    refusals = 0
    for _ in range(40):
        try:
            sequencer.step()
        except OSError:
            refusals += 1
        if Book(house.folder).size:
            break
        monkeypatch.setattr(files, "put", sometimes if refusals < 4 else real)
    sequencer.close()
    assert refusals == 4
    assert ids(house) == [f"r{number}" for number in range(300)]
    assert check(house.folder).ok


def test_a_journal_that_cannot_be_made_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file where the folder should be")
    with pytest.raises(LedgerUnavailable):
        Journal(tmp_path / "ledger", "w").start()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 2000), flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), max_size=3))
def test_torn_and_rotten_bytes_never_become_entries(cut: int, flips: list[tuple[int, int]]) -> None:
    head = frame.header(b"0123456789abcdef")
    at = frame.start(head)
    assert at is not None
    bodies = [frame.body(leaf(number), secret("prompt", b"s" * 32)) for number in range(15)]
    data = bytearray(frame.frames(bodies, at.chain)[0])
    for position, mask in flips:
        data[position % len(data)] ^= mask
    del data[len(data) - cut % len(data) :]
    found = frame.scan(bytes(data), at)
    assert [record.leaf for record in found.records] == [leaf(number) for number in range(len(found.records))]
    assert found.end.offset - at.offset + found.rest == len(data)


def test_two_sequencers_started_at_once_leave_one(house: House) -> None:
    code = (
        "import sys; from pathlib import Path; from selat.ledger import sequence, HERE"
        "; sequence(Path(sys.argv[1]) / 'ledger', Path(sys.argv[1]) / 'keys' / 'ledger.key', every_s=0.1)"
    ).replace(", HERE", "")
    home = str(house.folder.parent)
    pair = [
        subprocess.Popen([sys.executable, "-c", code, home], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        until(lambda: any(process.poll() is not None for process in pair))
        (refused,) = [process for process in pair if process.poll() is not None]
        (alive,) = [process for process in pair if process.poll() is None]
        assert refused.returncode == 1
        assert refused.stderr is not None
        assert b"exactly one" in refused.stderr.read()
        alive.send_signal(signal.SIGTERM)
        assert alive.wait(60) == 0
    finally:
        for process in pair:
            process.kill()
            process.communicate()


def test_a_truncated_journal_is_named_in_the_ledger_itself(house: House) -> None:
    journal = Journal(house.folder, "w0")
    journal.start()
    assert accepts(journal, 0)
    assert accepts(journal, 1)
    house.sequence()
    (path,) = (house.folder / "journals").glob("*.journal")
    os.truncate(path, frame.HEADER_BYTES)
    assert accepts(journal, 2)
    path.unlink(missing_ok=True)
    assert accepts(journal, 3)
    journal.close()
    house.sequence()
    found = ids(house)
    assert [entry for entry in found if entry.startswith("r")] == ["r0", "r1", "r2", "r3"]
    kinds = [json.loads(entry)["kind"] for entry in Book(house.folder).entries()]
    assert kinds.count("ledger.journal-altered") == 1
    assert check(house.folder).ok


def test_a_lost_key_is_named_and_replaced_without_losing_a_receipt(house: House) -> None:
    house.write([leaf(0)])
    house.sequence()
    before, trust = Book(house.folder).proof(0), Book(house.folder).trust()
    house.key_file.unlink()
    with pytest.raises(LedgerBroken, match="rotate-key"):
        prepare(house.folder, house.key_file)
    key = rotate(house.folder, house.key_file)
    house.signer = load_signer(house.key_file)
    assert house.signer.key == key
    house.write([leaf(1)])
    house.sequence()
    book = Book(house.folder)
    assert verify(before, book.trust()).index == 0
    assert verify(book.proof(2), book.trust()).leaf == leaf(1)
    assert b'"old":"lost"' in book.leaf(1)
    with pytest.raises(LedgerBroken):
        verify(book.proof(2), trust)
    assert check(house.folder).ok


def test_a_rotated_key_is_announced_under_the_old_one(house: House) -> None:
    old = house.signer
    house.sequence()
    seen: list[str] = []
    publish = Sequencer._publish

    def watch(self: Sequencer, head: object) -> None:
        publish(self, head)  # type: ignore[arg-type]
        seen.append((house.folder / "log" / "checkpoint").read_text())

    Sequencer._publish = watch  # type: ignore[method-assign,assignment]
    try:
        rotate(house.folder, house.key_file)
        house.signer = load_signer(house.key_file)
        house.write([leaf(1)])
        house.sequence()
    finally:
        Sequencer._publish = publish  # type: ignore[method-assign]
    assert old.name in seen[0]
    assert [str(old.sign(text.rpartition("\n\n")[0] + "\n")) in text for text in seen] == [True, True, False]
    assert [str(house.signer.key.name) in text for text in seen] == [True, True, True]
    assert check(house.folder).ok


def test_a_key_file_open_to_others_is_refused(house: House) -> None:
    house.key_file.chmod(0o644)
    with pytest.raises(LedgerBroken, match="chmod 600"):
        prepare(house.folder, house.key_file)


def test_a_running_sequencer_keeps_repair_out(house: House) -> None:
    sequencer = Sequencer(house.folder, house.signer)
    sequencer.start()
    with pytest.raises(HomeBusy):
        repair(house.folder, house.signer)
    sequencer.close()


@pytest.mark.parametrize("origin", ["two words", "a+b", "x" * 256])
def test_a_log_gets_no_name_that_a_note_could_not_carry(tmp_path: Path, origin: str) -> None:
    with pytest.raises(LedgerBroken, match="ledger_origin"):
        prepare(tmp_path / "ledger", tmp_path / "keys" / "ledger.key", origin)
    assert not (tmp_path / "keys").exists()


def test_room_that_a_killed_writer_left_is_no_damage(house: House) -> None:
    journal = Journal(house.folder, "w")
    journal.start()
    journal.append(leaf(0)).wait(60)
    (path,) = (house.folder / "journals").glob("*.journal")
    left = path.read_bytes()
    assert left.endswith(bytes(200 * 1024)), "room was made ahead"
    journal.close()
    assert not path.read_bytes().endswith(b"\0"), "and cut off at the end"
    path.write_bytes(left)
    assert [note.kind for note in check(house.folder).notes] == ["waiting"]
    assert house.sequence() == 1
    assert list((house.folder / "journals").rglob("*.journal")) == []


def test_damage_in_the_middle_of_the_room_is_named(house: House) -> None:
    house.write([leaf(0)])
    (path,) = (house.folder / "journals").glob("*.journal")
    path.write_bytes(path.read_bytes() + bytes(100) + b"x" + bytes(100))
    assert {note.kind: note.what for note in check(house.folder).notes}["torn"].endswith(
        "101 bytes at its end are no whole record"
    )


def test_a_journal_refuses_until_a_full_disk_has_room_for_a_segment(tmp_path: Path) -> None:
    """On a real small disk: with 200 KiB free no segment is begun, however often it is tried."""
    disk = tmp_path / "ledger"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs to mount a small disk, which takes root")
    try:
        journal = Journal(disk, "w")
        journal.start(owes=False)  # or what is owed has a small segment of its own
        assert accepts(journal, 0)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "filler").write_bytes(bytes(free - 200 * 1024))
        assert next(number for number in range(1, 5000) if not accepts(journal, number)) > 1, (
            "its room was reserved"
        )
        (left,) = (disk / "journals").glob("*.journal")
        left.unlink()  # the sequencer integrated and removed it
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "more").write_bytes(bytes(free - 200 * 1024))
        tried = journal._made
        while journal._made < tried + 3:
            assert not accepts(journal, 5000)
            assert journal.down is not None
        until(lambda: not list((disk / "journals").iterdir()))  # while one is tried, it stands there for a moment
        (disk / "filler").unlink()
        until(lambda: accepts(journal, 5001))
        journal.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_records_full_of_zeros_are_taken_from_a_journal_that_is_being_written(house: House) -> None:
    """They look like the room behind the records, where reading stops; what was not reached comes a step later."""
    journal = Journal(house.folder, "w")
    journal.start()
    sequencer = Sequencer(house.folder, house.signer)
    for number, size in enumerate((64, 70_000, 200_000, 65_536, 1, 400_000)):
        journal.append(leaf(number), secret("answer.text", bytes(size))).wait(60)
    taken = 0
    for _ in range(10):
        taken += sequencer.step()
    assert taken == 6
    assert ids(house) == [f"r{number}" for number in range(6)]
    assert [len(found["answer.text"]) for found in Vault(house.folder).of("t1", range(6)).values()] == [
        *(64, 70_000, 200_000, 65_536, 1, 400_000)
    ]
    sequencer.close()
    journal.close()
