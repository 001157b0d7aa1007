"""Plain SQL over a SQLite file: tables are known without SQLAlchemy, transactions are whole, errors are ours."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from selat.core.errors import HomeBroken, Unavailable
from selat.database import Database, Room
from selat.identity.database import TABLES as IDENTITY_TABLES
from selat.identity.room import ROOM as IDENTITY
from selat.policy.room import ROOM as POLICY
from selat.policy.store import TABLES as POLICY_TABLES
from selat.tables import Tables


@pytest.mark.parametrize(("room", "tables"), [(IDENTITY, IDENTITY_TABLES), (POLICY, POLICY_TABLES)])
def test_a_room_is_described_as_its_tables_are(room: Room, tables: Tables) -> None:
    assert room.load() is tables
    assert (room.name, room.schema, room.state) == (tables.room, tables.version, tables.state.name)
    assert room.tables == set(tables.metadata.tables)


def test_a_lost_table_is_made_again(tmp_path: Path) -> None:
    place = Database(tmp_path / "selat.db")
    place.prepare(POLICY)
    with place.writing(POLICY) as session:
        session.run("DROP TABLE answer_labels")
    place.prepare(POLICY)
    with place.reading(POLICY) as session:
        assert session.all("SELECT count(*) FROM answer_labels") == [(0,)]
    place.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    place = Database(tmp_path / "selat.db")
    place.prepare(POLICY)
    before = place.version(POLICY)

    def fail() -> None:
        with place.writing(POLICY) as session:
            assert session.run("UPDATE quota_state SET changes = 7") == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert place.version(POLICY) == before
    with place.writing(POLICY) as session:
        assert session.all("SELECT changes FROM quota_state") == [(0,)]
        session.run("UPDATE quota_state SET changes = :n", {"n": 3})
    assert place.version(POLICY) != before
    place.close()


def test_threads_write_one_after_the_other(tmp_path: Path) -> None:
    place = Database(tmp_path / "selat.db")
    place.prepare(POLICY)

    def work() -> None:
        for _ in range(20):
            with place.writing(POLICY) as session:
                ((changes,),) = session.all("SELECT changes FROM quota_state")
                session.run("UPDATE quota_state SET changes = :n", {"n": changes + 1})

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with place.reading(POLICY) as session:
        assert session.all("SELECT changes FROM quota_state") == [(100,)]
    place.close()


def test_a_damaged_file_and_a_locked_one_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.db").write_bytes(b"no database at all, " * 300)
    damaged = Database(tmp_path / "bad.db")
    with pytest.raises(HomeBroken, match=r"identity: .* is not a sound database"):
        damaged.prepare(IDENTITY)
    monkeypatch.setattr("selat.database.BUSY_MS", 50)
    place = Database(tmp_path / "selat.db")
    place.prepare(POLICY)
    place.close()
    with sqlite3.connect(tmp_path / "selat.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="policy: the database"), place.writing(POLICY):
            pass
        other.execute("ROLLBACK")
    other.close()
    with place.writing(POLICY):
        pass
    place.close()
