"""Files and PostgreSQL keep the same promises; on several nodes one sequences, another takes over, none forks."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ledger_house import House, leaf
from postgres_server import Server, postgres
from waiting import until

from selat.core.canonical import canonical
from selat.core.checkpoint import parse_checkpoint
from selat.core.errors import HomeBusy, LedgerBroken, LedgerUnavailable
from selat.core.note import parse_note
from selat.core.proof import verify
from selat.core.tree import tree_root
from selat.ledger import Book, Journal, Place, Sequencer, Subject, erase, expire, find, load_signer, points, secret
from selat.ledger.check import check
from selat.ledger.page import Secret, grouped
from selat.ledger.repair import repair
from selat.ledger.rotate import rotate
from selat.ledger.store import FileStore, Store
from selat.ledger.tiles import Tiles

psycopg = pytest.importorskip("psycopg", reason="psycopg is an extra: pip install 'selat[postgresql]'")
from selat.ledger.postgres import SharedJournal, SharedStore, make_tables  # noqa: E402


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    """The URL of an empty database."""
    name = f"d{time.monotonic_ns()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url.replace("/postgres?", f"/{name}?")


class Node:
    """A house whose journals lie in one of the two stores."""

    def __init__(self, house: House, database: str) -> None:
        self.house, self.database, self.folder = house, database, house.folder

    def store(self) -> Store:
        return SharedStore(self.database, self.folder) if self.database else FileStore(self.folder)

    def journal(self, worker: str) -> Journal:
        return SharedJournal(self.database, worker) if self.database else Journal(self.folder, worker)

    def sequencer(self) -> Sequencer:
        return Sequencer(self.folder, self.house.signer, store=self.store())

    def write(self, leaves: list[bytes]) -> None:
        journal = self.journal("w")
        journal.start()
        for ticket in [journal.append(item, secret("prompt", b"s" * 32)) for item in leaves]:
            ticket.wait(60)
        journal.close()


@pytest.fixture(params=["files", "postgres"])
def node(request: pytest.FixtureRequest, house: House) -> Node:
    database = request.getfixturevalue("database") if request.param == "postgres" else ""
    return Node(house, database)


def numbers(folder: Path) -> list[int]:
    return [int(json.loads(entry)["id"][1:]) for entry in Book(folder).entries()]


def test_entries_of_dead_and_living_writers_come_once_and_in_order(node: Node) -> None:
    node.write([leaf(number) for number in range(300)])
    sequencer = node.sequencer()
    assert sequencer.step() == 300
    journal = node.journal("living")
    journal.start()
    for number in range(300, 310):
        journal.append(leaf(number)).wait(60)
        assert sequencer.step() == 1
    journal.close()
    assert sequencer.step() == 0
    sequencer.close()
    again = node.sequencer()
    assert again.step() == 0
    again.close()
    book = Book(node.folder)
    assert numbers(node.folder) == list(range(310))
    assert verify(book.proof(305), book.trust()).leaf == leaf(305)
    assert node.store().vault.of("t1", [7]) == {7: {"prompt": b"s" * 32}}
    assert node.store().vault.forget("t1", [7, 8]) == 2
    assert node.store().vault.of("t1", [6, 7]) == {6: {"prompt": b"s" * 32}}


_FULL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''could not extend file'' USING ERRCODE = ''disk_full''; END';
CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON selat_record DEFERRABLE {} FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("before", [True, False], ids=["before COMMIT", "at COMMIT"])
def test_closings_are_owed_where_postgresql_has_no_room_and_committed_nothing(
    house: House, database: str, before: bool
) -> None:
    """What fails in COMMIT itself is refused for good: who sees no more than that does not know what is there."""
    node = Node(house, database)
    journal = node.journal("w")
    journal.start()
    journal.append(leaf(0)).wait(60)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_FULL.format("INITIALLY IMMEDIATE" if before else "INITIALLY DEFERRED"))
        refused, closing = journal.append(leaf(1)), journal.append(leaf(1, "closed"))
        with pytest.raises(LedgerUnavailable, match="could not extend"):
            refused.wait(60)
        if before:
            assert journal.append(leaf(0, "closed")) is not closing
        else:
            with pytest.raises(LedgerUnavailable, match="could not extend"):
                closing.wait(60)
        connection.execute("DROP TRIGGER full_disk ON selat_record")
    until(lambda: journal.down is None)
    if not before:
        journal.append(leaf(0, "closed")).wait(60)
    journal.close()
    sequencer = node.sequencer()
    sequencer.step()
    sequencer.close()
    assert numbers(node.folder) == ([0, 1, 1, 0] if before else [0, 0])
    assert check(Place(house.folder, database)).orphan_count == 0


def test_only_one_leads(node: Node) -> None:
    first, second = node.sequencer(), node.sequencer()
    first.start()
    with pytest.raises(HomeBusy):
        second.start()
    first.close()
    second.start()
    second.close()


@pytest.mark.parametrize(
    "point", [p for p in points.POINTS if not p.startswith(("journal", "segment", "partials"))]
)
def test_a_step_cut_short_is_finished_the_same(node: Node, point: str) -> None:
    class Cut(Exception):
        pass

    roots = []

    def cut(name: str) -> None:
        if name == point:
            raise Cut

    node.write([leaf(number) for number in range(10)])
    sequencer = node.sequencer()
    sequencer.start()
    points.on_reaching(cut)
    try:
        sequencer.step()
    except Cut:
        roots.append(sequencer._state.plan)
    finally:
        points.on_reaching(lambda name: None)
        sequencer.close()
    node.write([leaf(number) for number in range(10, 20)])
    later = node.sequencer()
    while later.step():
        continue
    later.close()
    assert sorted(numbers(node.folder)) == list(range(20))
    assert Book(node.folder).find("r3") == [numbers(node.folder).index(3)]
    for plan in roots:
        if plan is not None:
            assert plan.root == _root_at(node.folder, plan.size)


def _root_at(folder: Path, size: int) -> bytes:
    return tree_root(size, Tiles(Place(folder).log, Book(folder).size).read)


def second_node(first: Node, home: Path) -> Node:
    """Another machine: its own folder, the log shared, the keys the same."""
    first.store().vault.make()
    shutil.copytree(first.folder.parent / "keys", home / "keys")
    (home / "ledger").mkdir(parents=True)
    (home / "ledger" / "log").symlink_to(first.folder / "log")
    return Node(House(home), first.database)


def test_a_leader_that_lost_the_lead_can_write_nothing_more(house: House, database: str, tmp_path: Path) -> None:
    first = Node(house, database)
    second = second_node(first, tmp_path / "second")
    first.write([leaf(0)])
    stale = first.sequencer()
    assert stale.step() == 1
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    first.write([leaf(1)])
    new = second.sequencer()
    until(lambda: _starts(new))
    assert new.step() == 1
    with pytest.raises(HomeBusy):
        stale.step()
    with pytest.raises(HomeBusy):
        stale._store.save(stale._state)
    stale.close()
    assert numbers(second.folder) == [0, 1]
    new.close()


def test_an_older_term_is_fenced_even_with_a_living_session(house: House, database: str) -> None:
    node = Node(house, database)
    node.write([leaf(0)])
    sequencer = node.sequencer()
    sequencer.start()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE selat_state SET term = term + 1")
    with pytest.raises(HomeBusy, match="taken the lead"):
        sequencer.step()
    sequencer.close()
    assert Book(node.folder).size == 0


def _starts(sequencer: Sequencer) -> bool:
    try:
        sequencer.start()
    except HomeBusy:
        return False
    return True


NODE = """
import signal, sys, threading
from pathlib import Path
from selat.ledger import Sequencer, load_signer
from selat.ledger.postgres import SharedStore
home, url = Path(sys.argv[1]), sys.argv[2]
signer = load_signer(home / "keys" / "ledger.key")
store = SharedStore(url, home / "ledger")
Sequencer(home / "ledger", signer, store=store).run(threading.Event(), 0.2, stand_by=True)
"""


def test_another_node_takes_over_without_a_fork(house: House, database: str, tmp_path: Path) -> None:
    first = Node(house, database)
    house.folder.joinpath("log").mkdir(exist_ok=True)
    second = second_node(first, tmp_path / "second")
    make_tables(database)

    def start(node: Node) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", NODE, str(node.folder.parent), database])

    journal = first.journal("w")
    journal.start()
    acknowledged, heads = [], dict[int, bytes]()
    nodes = {0: (first, start(first)), 1: (second, start(second))}

    def see() -> int:
        path = house.folder / "log" / "checkpoint"
        if not path.exists():
            return 0
        head = parse_checkpoint(parse_note(path.read_text()).unverified_text)
        assert heads.setdefault(head.size, head.root) == head.root, "a fork"
        return head.size

    try:
        for turn in range(4):
            for _ in range(30):
                number = len(acknowledged)
                journal.append(leaf(number), secret("prompt", b"s" * 32)).wait(60)
                acknowledged.append(number)
                see()
            until(lambda: see() >= len(acknowledged))
            with psycopg.connect(database, autocommit=True) as connection:
                sql = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
                (leader,) = connection.execute(sql, (0x5E1A7,)).fetchone()
                assert leader
            # Kill each node in turn: every second time it is the leader for certain.
            victim, process = nodes[turn % 2]
            process.send_signal(signal.SIGKILL)
            process.wait()
            journal.append(leaf(len(acknowledged))).wait(60)
            acknowledged.append(len(acknowledged))
            until(lambda: see() >= len(acknowledged))
            nodes[turn % 2] = (victim, start(victim))
    finally:
        journal.close()
        for _, process in nodes.values():
            process.kill()
            process.wait()
    last = first.sequencer()
    until(lambda: _starts(last))
    while last.step():
        continue
    last.close()
    assert numbers(house.folder) == acknowledged
    tiles = Tiles(Place(house.folder).log, Book(house.folder).size)
    for size, root in heads.items():
        assert tree_root(size, tiles.read) == root, "a checkpoint that is not of this log: a fork"


def test_a_database_that_goes_away_refuses_and_comes_back(house: House) -> None:
    with postgres() as server:
        node = Node(house, server.url)
        journal = node.journal("w")
        journal.start()
        journal.append(leaf(0)).wait(60)
        server.stop()

        def refuses() -> bool:
            try:
                journal.append(leaf(1)).wait(60)
            except LedgerUnavailable:
                return True
            return False

        assert refuses()
        with pytest.raises(LedgerUnavailable):
            journal.append(leaf(2))
        server.start()
        until(lambda: not refuses())
        journal.close()
        sequencer = node.sequencer()
        sequencer.step()
        sequencer.close()
    assert {0, 1} <= set(numbers(node.folder))


def test_a_data_subject_is_forgotten_in_the_database_too(house: House, database: str) -> None:
    node = Node(house, database)
    entry = {"v": 1, "kind": "opened", "id": "R1", "time": "2026-11-22T03:00:00Z", "tenant": "t1", "caller": "k1"}
    place = Place(node.folder, database)
    journal = place.journal("w")
    journal.start()
    secrets = secret("prompt", b"\x10" * 32) + secret("prompt.text", b"900101-14-5678")
    journal.append(canonical(entry), secrets).wait(60)
    journal.close()
    sequencer = Sequencer(place, house.signer)
    sequencer.step()
    subject = Subject("t1", words="900101-14-5678")
    assert [one.receipt for one in find(place, subject)] == ["R1"]
    erased = erase(place, subject, "officer")
    assert (erased.receipts, erased.secrets, erased.verified) == (1, 2, 1)
    assert sequencer.step() == 1
    sequencer.close()
    assert Book(place).secrets("R1") == {}
    assert b"subject.erased" in Book(node.folder).leaf(1)
    assert expire(place, 1, "t1", "officer") == 0
    assert place.vault().forget_tenant("t1") == 0


def test_secrets_of_the_earlier_form_move_into_pages_in_the_database_too(house: House, database: str) -> None:
    place = Place(house.folder, database)
    vault = place.vault()
    vault.make()
    vault.put(0, grouped([Secret(0, "R0", "t1", "2026-11-22T03:00:00Z", "prompt", b"\x10" * 32)]))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE secret (leaf bigint NOT NULL, name text NOT NULL, receipt text NOT NULL,"
            " tenant text NOT NULL, time text NOT NULL, value bytea NOT NULL, PRIMARY KEY (leaf, name))"
        )
        wrapped = connection.execute("SELECT wrapped FROM tenant_key").fetchone()
        assert wrapped is not None
        master = AESGCM((house.folder.parent / "keys" / "vault.key").read_bytes())
        cipher = AESGCM(master.decrypt(wrapped[0][:12], wrapped[0][12:], b"t1"))
        sealed = b"n" * 12 + cipher.encrypt(b"n" * 12, b"\x11" * 32, b"1|R1|prompt")
        row = (1, "prompt", "R1", "t1", "2026-11-22T03:00:01Z", sealed)
        connection.execute("INSERT INTO secret VALUES (%s, %s, %s, %s, %s, %s)", row)
        assert place.vault().of("t1", [0, 1]) == {0: {"prompt": b"\x10" * 32}, 1: {"prompt": b"\x11" * 32}}
        assert connection.execute("SELECT to_regclass('secret')").fetchone() == (None,)


def test_check_reads_state_and_waiting_records_beside_the_leader(node: Node) -> None:
    place = Place(node.folder, node.database)
    node.write([leaf(number) for number in range(5)])
    leader = node.sequencer()
    assert leader.step() == 5
    node.write([leaf(number) for number in range(5, 8)])
    report = check(place)
    assert (report.ok, report.size) == (True, 5)
    assert [note.what.split(": ")[1] for note in report.notes] == ["3 records not integrated yet"]
    assert leader.step() == 3
    leader.close()
    assert check(place).notes == ()


def test_a_rotated_key_is_announced_and_signs_on(node: Node) -> None:
    place = Place(node.folder, node.database)
    node.write([leaf(0)])
    leader = node.sequencer()
    leader.step()
    before = node.house.key_file.read_bytes()
    with pytest.raises(HomeBusy):
        rotate(place, node.house.key_file)
    assert node.house.key_file.read_bytes() == before, "nothing is changed while another hand signs"
    leader.close()
    key = rotate(place, node.house.key_file)
    assert str(key).encode() in Book(place).leaf(1)
    assert check(place).ok
    node.house.signer = load_signer(node.house.key_file)
    node.write([leaf(2)])
    leader = node.sequencer()
    assert leader.step() == 1
    leader.close()


def test_a_lost_state_is_rebuilt_and_nothing_comes_twice(node: Node) -> None:
    place = Place(node.folder, node.database)
    journal = node.journal("living")
    journal.start()
    for number in range(20):
        journal.append(leaf(number)).wait(60)
    leader = node.sequencer()
    assert leader.step() == 20
    leader.close()
    journal.append(leaf(20)).wait(60)
    if node.database:
        with psycopg.connect(node.database, autocommit=True) as connection:
            connection.execute("UPDATE selat_state SET state = NULL")
    else:
        (node.folder / "state.json").unlink()
    assert [problem.kind for problem in check(place).problems] == ["no-state"]
    done = repair(place, node.house.signer)
    assert any("rebuilt state.json at 20 leaves" in what for what in done.done)
    journal.close()
    ids = [json.loads(entry)["id"] for entry in Book(place).entries()]
    assert sorted(i for i in ids if i.startswith("r") and i[1:].isdecimal()) == sorted(f"r{n}" for n in range(21))
    assert len(ids) == 22, "and one entry that says what was repaired"
    assert check(place).ok


def test_records_removed_from_the_database_are_named_and_the_rest_goes_on(house: House, database: str) -> None:
    node, place = Node(house, database), Place(house.folder, database)
    node.write([leaf(number) for number in range(10)])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM selat_record WHERE number IN (3, 4, 7)")
    leader = node.sequencer()
    with pytest.raises(LedgerBroken, match="removed by another hand"):
        leader.step()
    leader.close()
    assert [problem.kind for problem in check(place).problems] == ["journal"]
    done = repair(place, house.signer)
    assert [what.split(": ")[1] for what in done.done] == [
        "records 3 to 4 were removed by another hand",
        "records 7 to 7 were removed by another hand",
    ]
    ids = [json.loads(entry)["id"] for entry in Book(place).entries()]
    assert sorted(i for i in ids if i[1:].isdecimal()) == [f"r{n}" for n in (0, 1, 2, 5, 6, 8, 9)]
    assert b"removed by another hand" in b"".join(Book(place).entries())
    assert check(place).ok


def test_a_step_whose_records_were_removed_is_finished_from_its_tiles(house: House, database: str) -> None:
    node, place = Node(house, database), Place(house.folder, database)
    node.write([leaf(number) for number in range(10)])
    leader = node.sequencer()

    def crash(point: str) -> None:
        if point == "tiles.synced":
            raise KeyboardInterrupt

    points.on_reaching(crash)
    try:
        with pytest.raises(KeyboardInterrupt):
            leader.step()
    finally:
        points.on_reaching(lambda point: None)
        leader.close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM selat_record WHERE number IN (3, 4)")
    done = repair(place, house.signer)
    assert any("finished it from its tiles at 10 leaves" in what for what in done.done)
    ids = [json.loads(entry)["id"] for entry in Book(place).entries()]
    assert [i for i in ids if i[1:].isdecimal()] == [f"r{n}" for n in range(10)]
    assert check(place).ok


def test_a_lead_and_a_stream_that_were_left_are_free_before_the_server_sees_who_left(
    house: House, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(house, database)
    left: list[psycopg.Connection[Any]] = []
    close = psycopg.Connection.close
    monkeypatch.setattr(psycopg.Connection, "close", lambda self: left.append(self))
    try:
        node.write([leaf(0)])
        for _ in range(2):
            sequencer = node.sequencer()
            sequencer.start()
            while sequencer.step():
                continue
            sequencer.close()
        assert numbers(node.folder) == [0]
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT name FROM selat_stream").fetchall() == []
    finally:
        for connection in left:
            close(connection)
