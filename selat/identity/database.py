"""The tables of tenants, purposes and keys, and connections that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, OperationalError

from selat.core.errors import HomeBroken, Unavailable

VERSION = 3
_LOCK = 7352001  # of PostgreSQL: workers that start together prepare one after the other
BUSY_MS = 5000

metadata = sa.MetaData()

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("highest_label", sa.String(200), nullable=False),
    sa.Column("prompt_label", sa.String(200), nullable=False),
    sa.Column("profile", sa.String(32), nullable=False),
    sa.Column("content_days", sa.Integer, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)

purposes = sa.Table(
    "purposes",
    metadata,
    sa.Column("tenant", sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name_ms", sa.String(200), nullable=False),
    sa.Column("name_en", sa.String(200), nullable=False),
    sa.Column("needs_passport", sa.Boolean, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.ForeignKey("tenants.id"), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("roles", sa.String(200), nullable=False),
    sa.Column("scopes", sa.String(200), nullable=False),
    sa.Column("clearance", sa.String(200), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("expires", sa.String(32), nullable=True),
    sa.Column("revoked", sa.String(32), nullable=True),
    sa.Column("last_used", sa.String(32), nullable=True),
    sa.Column("rotated_from", sa.String(64), nullable=True),
)

identity_state = sa.Table(
    "identity_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("changes", sa.BigInteger, nullable=False),
)


def open_engine(where: Path | str) -> sa.Engine:
    """An engine for a SQLite file (a path) or any SQLAlchemy URL (text with `://`).

    SQLite runs in WAL mode, so that readers never wait for a writer, and takes the write lock when a writing
    transaction begins: two workers then queue instead of failing halfway.
    """
    url = where if isinstance(where, str) and "://" in where else f"sqlite:///{where}"
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")

    return engine


@contextmanager
def trouble(engine: sa.Engine) -> Iterator[None]:
    """Turns the database's errors into ours: a damaged file is HomeBroken, a busy or absent one Unavailable."""
    where = engine.url.database or engine.url.host or "database"
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            f"identity: the database {where} cannot be used now ({type(error.orig).__name__}: locked, full, "
            "not writable or not there); check the disk, its permissions and that the server runs"
        ) from error
    except DatabaseError as error:
        if isinstance(error, sa.exc.IntegrityError):
            raise
        raise HomeBroken(
            f"identity: {where} is not a sound database ({type(error.orig).__name__}); restore it from a "
            "backup, or move it away and run: selat up (keys must then be made anew)"
        ) from error


# What leads from schema N to N + 1, at index N - 1; each in SQL that both databases speak.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    ("ALTER TABLE keys ADD COLUMN rotated_from VARCHAR(64)",),
    ("ALTER TABLE tenants ADD COLUMN content_days INTEGER NOT NULL DEFAULT 0",),
)


def prepare(engine: sa.Engine) -> None:
    """Make the tables where they are missing, and bring older ones up to date, all or nothing.

    Raises: HomeBroken for a damaged database or one that a newer Selat made; Unavailable.
    """
    with trouble(engine), writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        identity_state.create(connection, checkfirst=True)
        found = connection.execute(sa.select(identity_state.c.schema_version)).scalar()
        if found is None:
            metadata.create_all(connection)
            connection.execute(identity_state.insert().values(id=1, schema_version=VERSION, changes=0))
            return
        if found > VERSION:
            raise HomeBroken(
                f"identity: the database has schema {found}, this Selat knows {VERSION}; "
                "run the newer Selat that made it"
            )
        for steps in MIGRATIONS[found - 1 :]:
            for step in steps:
                connection.exec_driver_sql(step)
        if found < VERSION:
            connection.execute(identity_state.update().values(schema_version=VERSION))


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that holds the write lock from its first statement."""
    with engine.execution_options(writing=True).begin() as connection:
        yield connection


def count_change(connection: sa.Connection) -> None:
    """Note, in the same transaction, that identities changed: what other workers watch."""
    connection.execute(identity_state.update().values(changes=identity_state.c.changes + 1))
