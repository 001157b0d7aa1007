"""The tables of policy: an older database is brought up to date whole, a newer one is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from selat.core.errors import HomeBroken, SelatError, Unavailable
from selat.core.label import parse_label
from selat.policy import Incidents, Instruments, Quota, Recall, store

FIRST_SCHEMA = (Path(__file__).parent / "policy-schema-1.sql").read_text()


def engine_of(database: str) -> sa.Engine:
    return sa.create_engine(database if "://" in database else f"sqlite:///{database}")


def version(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(store.policy_state.c.schema_version)).scalar_one())


def columns(engine: sa.Engine) -> dict[str, list[str]]:
    seen = sa.inspect(engine)
    return {name: sorted(one["name"] for one in seen.get_columns(name)) for name in sorted(seen.get_table_names())}


def test_a_database_of_the_first_schema_is_brought_up_to_date(database: str, tmp_path: Path) -> None:
    engine = engine_of(database)
    with engine.begin() as connection:
        for statement in FIRST_SCHEMA.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    store.prepare(engine)
    assert version(engine) == store.VERSION
    assert [one.amount for one in Quota(engine).limits("default")] == [5000]
    assert Instruments(engine).get("default", "TIA-OLD").destinations == {"SG"}
    assert Incidents(engine, lambda tenant: ()).get("default", "inc_old").title == "from before"
    recall = Recall(engine, b"k" * 32)
    recall.keep("default", ["a long enough answer to be known again"], parse_label("sulit"))
    fresh = engine_of(str(tmp_path / "fresh.db"))
    store.prepare(fresh)
    assert columns(engine) == columns(fresh), "an upgraded database is as a fresh one"
    store.prepare(engine)
    assert version(engine) == version(fresh) == store.VERSION == len(store.MIGRATIONS) + 1
    engine.dispose()
    fresh.dispose()


def test_a_database_of_a_newer_selat_is_refused(database: str) -> None:
    engine = engine_of(database)
    store.prepare(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE policy_state SET schema_version = 99")
    with pytest.raises(HomeBroken, match="schema 99"):
        store.prepare(engine)
    engine.dispose()


def test_a_step_that_fails_leaves_the_database_as_it_was(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from selat.identity import open_engine

    engine = open_engine(database)
    store.prepare(engine)
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    bad = ("ALTER TABLE incidents ADD COLUMN extra VARCHAR(8)", "ALTER TABLE nothing ADD COLUMN x VARCHAR(8)")
    monkeypatch.setattr(store, "MIGRATIONS", (*store.MIGRATIONS, bad))
    with pytest.raises((HomeBroken, Unavailable)):
        store.prepare(engine)
    assert "extra" not in columns(engine)["incidents"]
    assert version(engine) == store.VERSION - 1
    engine.dispose()


def test_workers_may_prepare_one_database_at_once(database: str) -> None:
    from selat.identity import open_engine

    engines = [open_engine(database) for _ in range(4)]
    failed: list[Exception] = []

    def work(engine: sa.Engine) -> None:
        try:
            store.prepare(engine)
        except SelatError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for engine in engines:
        engine.dispose()
