"""Tables that a room keeps in SQLite or PostgreSQL: connections that behave alike, errors, and their versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from selat.core.errors import HomeBroken, Unavailable
from selat.database import open_engine as open_engine
from selat.database import unsound, unusable


def key(name: str, length: int = 64) -> sa.Column[str]:
    """A column of the primary key: an id, as all rooms bound theirs."""
    return sa.Column(name, sa.String(length), primary_key=True)


def text(name: str, length: int = 200, **options: Any) -> sa.Column[str]:
    """A text that is always there; at most `length` characters, which only PostgreSQL enforces."""
    return sa.Column(name, sa.String(length), nullable=False, **options)


def number(name: str, kind: type[sa.Integer], **options: Any) -> sa.Column[int]:
    """A whole number that is always there."""
    return sa.Column(name, kind, nullable=False, **options)


def moment(name: str, *, nullable: bool = True) -> sa.Column[str]:
    """When something happened (UTC, ISO 8601); null while it has not."""
    return sa.Column(name, sa.String(32), nullable=nullable)


def state(name: str, metadata: sa.MetaData, *more: sa.Column[Any]) -> sa.Table:
    """The table of one row that holds a room's schema version, and what else it counts there."""
    return sa.Table(
        name, metadata, sa.Column("id", sa.Integer, primary_key=True), number("schema_version", sa.Integer), *more
    )


class Step(NamedTuple):
    """A change of one table, in SQL that both databases speak; left out where that table is only now made."""

    table: str
    sql: str


@dataclass(frozen=True)
class Tables:
    """The tables of one room, their version and what leads there from older ones."""

    room: str  # as errors name it
    metadata: sa.MetaData
    state: sa.Table  # one row: id, schema_version, and what else has a default
    lock: int  # of PostgreSQL: workers that start together prepare one after the other
    steps: tuple[tuple[Step, ...], ...] = ()  # from schema N to N + 1, at index N - 1
    cure: str = "restore it from a backup"  # what to do with a damaged database
    fill: Callable[[sa.Connection], None] | None = None  # rows that must be there

    @property
    def version(self) -> int:
        """The schema that this Selat makes."""
        return len(self.steps) + 1

    @contextmanager
    def trouble(self, engine: sa.Engine) -> Iterator[None]:
        """The database's errors as ours: HomeBroken for a damaged file, Unavailable for a busy or absent one."""
        where = engine.url.database or engine.url.host or "database"
        try:
            yield
        except OperationalError as error:
            raise Unavailable(unusable(self.room, where, error.orig)) from error
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise HomeBroken(unsound(self.room, where, error.orig, self.cure)) from error

    @contextmanager
    def writing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """A transaction that holds SQLite's write lock from its first statement; PostgreSQL locks rows."""
        with self.trouble(engine), engine.execution_options(writing=True).begin() as connection:
            yield connection

    @contextmanager
    def reading(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        with self.trouble(engine), engine.connect() as connection:
            yield connection

    def prepare(self, engine: sa.Engine) -> None:
        """Make the tables where they are missing, and bring older ones up to date, all or nothing.

        A first schema that had no state counts as version 1.
        Raises: HomeBroken for a damaged database or one that a newer Selat made; Unavailable.
        """
        with self.writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.lock)))
            older = set(sa.inspect(connection).get_table_names()) & set(self.metadata.tables)
            found = self._version(connection) if self.state.name in older else None
            if found is not None and found > self.version:
                raise HomeBroken(
                    f"{self.room}: the database has schema {found}, this Selat knows {self.version}; "
                    "run the newer Selat that made it"
                )
            self.metadata.create_all(connection)
            if found is None:
                found = 1 if older - {self.state.name} else self.version
                connection.execute(self.state.insert().values(id=1, schema_version=found))
            _apply(connection, self.steps[found - 1 :], older)
            if found < self.version:
                connection.execute(self.state.update().values(schema_version=self.version))
            if self.fill is not None:
                self.fill(connection)

    def _version(self, connection: sa.Connection) -> int | None:
        found: int | None = connection.execute(sa.select(self.state.c.schema_version)).scalar()
        return found


def _apply(connection: sa.Connection, steps: Sequence[tuple[Step, ...]], older: set[str]) -> None:
    for step in (step for version in steps for step in version):
        if step.table in older:
            connection.exec_driver_sql(step.sql)
