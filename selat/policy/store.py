"""The tables of what policy keeps: instruments, incidents, limits and what was used of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from selat.core.errors import HomeBroken, Unavailable

metadata = sa.MetaData()
VERSION = 2
_LOCK = 7352002  # of PostgreSQL: workers that start together prepare one after the other

instruments = sa.Table(
    "instruments",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("ground", sa.String(16), nullable=False),
    sa.Column("destinations", sa.String(200), nullable=False),
    sa.Column("starts", sa.String(10), nullable=False),
    sa.Column("ends", sa.String(10), nullable=True),
    sa.Column("withdrawn", sa.String(32), nullable=True),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False, index=True),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("kinds", sa.String(64), nullable=False),
    sa.Column("noticed", sa.String(32), nullable=False),
    sa.Column("affected", sa.BigInteger, nullable=True),
    sa.Column("closed", sa.String(32), nullable=True),
)

incident_steps = sa.Table(
    "incident_steps",
    metadata,
    sa.Column("incident", sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("rule", sa.String(64), primary_key=True),
    sa.Column("done", sa.String(32), nullable=False),
    sa.Column("reference", sa.String(200), nullable=False),
    sa.Column("late_reason", sa.String(500), nullable=False),
)

quota_limits = sa.Table(
    "quota_limits",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(128), primary_key=True),
    sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("unit", sa.String(16), primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)

quota_used = sa.Table(
    "quota_used",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(128), primary_key=True),
    sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("unit", sa.String(16), primary_key=True),
    sa.Column("window_start", sa.BigInteger, primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
)

quota_state = sa.Table(
    "quota_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("changes", sa.BigInteger, nullable=False),
)

policy_state = sa.Table(
    "policy_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
)

answer_labels = sa.Table(
    "answer_labels",
    metadata,
    sa.Column("digest", sa.LargeBinary(16), primary_key=True),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("day", sa.Integer, nullable=False, index=True),
)


@contextmanager
def trouble(engine: sa.Engine) -> Iterator[None]:
    """Turns the database's errors into ours: a damaged file is HomeBroken, a busy or absent one Unavailable."""
    where = engine.url.database or engine.url.host or "database"
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            f"policy: the database {where} cannot be used now ({type(error.orig).__name__}: locked, full, "
            "not writable or not there); check the disk, its permissions and that the server runs"
        ) from error
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise HomeBroken(
            f"policy: {where} is not a sound database ({type(error.orig).__name__}); restore it from a backup"
        ) from error


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that holds SQLite's write lock from its first statement; PostgreSQL locks rows."""
    with trouble(engine), engine.execution_options(writing=True).begin() as connection:
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    with trouble(engine), engine.connect() as connection:
        yield connection


# What leads from schema N to N + 1, at index N - 1; each in SQL that both databases speak. New tables need no
# step: they are made where they are missing. The first schema had no version, and no table `answer_labels`.
MIGRATIONS: tuple[tuple[str, ...], ...] = ((),)


def prepare(engine: sa.Engine) -> None:
    """Make the tables where they are missing, and bring older ones up to date, all or nothing.

    Raises: HomeBroken, for a database that a newer Selat made; Unavailable.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        fresh = not sa.inspect(connection).has_table(quota_state.name)
        metadata.create_all(connection)
        found = connection.execute(sa.select(policy_state.c.schema_version)).scalar()
        if found is None:
            found = VERSION if fresh else 1
            connection.execute(policy_state.insert().values(id=1, schema_version=found))
        if found > VERSION:
            raise HomeBroken(
                f"policy: the database has schema {found}, this Selat knows {VERSION}; "
                "run the newer Selat that made it"
            )
        for steps in MIGRATIONS[found - 1 :]:
            for step in steps:
                connection.exec_driver_sql(step)
        if found < VERSION:
            connection.execute(policy_state.update().values(schema_version=VERSION))
        if connection.execute(sa.select(quota_state.c.id)).first() is None:
            connection.execute(quota_state.insert().values(id=1, changes=0))
