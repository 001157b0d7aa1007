"""The tables of policy: an older database is brought up to date whole, a newer one is refused."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from selat.core.errors import HomeBroken, SelatError, Unavailable
from selat.core.label import parse_label
from selat.database import Database
from selat.policy import Incidents, Instruments, Quota, Recall, store
from selat.tables import Step, open_engine

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
    store.TABLES.prepare(engine)
    assert version(engine) == store.TABLES.version
    place = Database(database)
    assert [one.amount for one in Quota(place).limits("default")] == [5000]
    assert Instruments(engine).get("default", "TIA-OLD").destinations == {"SG"}
    assert Incidents(engine, lambda tenant: ()).get("default", "inc_old").title == "from before"
    recall = Recall(place, b"k" * 32)
    recall.keep("default", ["a long enough answer to be known again"], parse_label("sulit"))
    place.close()
    fresh = engine_of(str(tmp_path / "fresh.db"))
    store.TABLES.prepare(fresh)
    assert columns(engine) == columns(fresh), "an upgraded database is as a fresh one"
    store.TABLES.prepare(engine)
    assert version(engine) == version(fresh) == store.TABLES.version
    engine.dispose()
    fresh.dispose()


def test_a_database_of_a_newer_selat_is_refused(database: str) -> None:
    engine = engine_of(database)
    store.TABLES.prepare(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE policy_state SET schema_version = 99")
    with pytest.raises(HomeBroken, match="schema 99"):
        store.TABLES.prepare(engine)
    engine.dispose()


def test_a_step_that_fails_leaves_the_database_as_it_was(database: str) -> None:
    engine = open_engine(database)
    store.TABLES.prepare(engine)
    bad = (
        Step("incidents", "ALTER TABLE incidents ADD COLUMN extra VARCHAR(8)"),
        Step("incidents", "ALTER TABLE incidents DROP COLUMN never_there"),
    )
    with pytest.raises((HomeBroken, Unavailable)):
        replace(store.TABLES, steps=(*store.TABLES.steps, bad)).prepare(engine)
    assert "extra" not in columns(engine)["incidents"]
    assert version(engine) == store.TABLES.version
    engine.dispose()


def test_a_step_is_left_out_where_its_table_is_only_now_made(database: str) -> None:
    engine = open_engine(database)
    store.TABLES.prepare(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE answer_labels")
    late = (Step("answer_labels", "ALTER TABLE answer_labels ADD COLUMN day INTEGER"),)  # it would be there twice
    newer = replace(store.TABLES, steps=(*store.TABLES.steps, late))
    newer.prepare(engine)
    assert version(engine) == newer.version
    assert columns(engine)["answer_labels"] == ["day", "digest", "label"]
    engine.dispose()


def test_workers_may_prepare_one_database_at_once(database: str) -> None:
    engines = [open_engine(database) for _ in range(4)]
    failed: list[Exception] = []

    def work(engine: sa.Engine) -> None:
        try:
            store.TABLES.prepare(engine)
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
