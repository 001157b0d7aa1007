"""A room's rows by plain SQL, the same over SQLite and PostgreSQL: what every request needs, without SQLAlchemy.

SQLAlchemy takes 11 MB of a process. It makes the tables and serves what people change by hand; a gateway on a
SQLite file that nobody administers never loads it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from selat.core.errors import HomeBroken, Unavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

BUSY_MS = 5000
SETTINGS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")
_NONE: Mapping[str, object] = {}
_KEPT = 8
_FILE = "sqlite:///"


class Later:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


class Session(Protocol):
    """A transaction. Parameters in SQL are named, as in `:tenant`."""

    def all(self, sql: str, values: Mapping[str, object] = _NONE) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    def run(self, sql: str, values: Mapping[str, object] = _NONE) -> int:
        """How many rows a statement changed."""


class Maker(Protocol):
    """What makes a room's tables and opens transactions on them by SQLAlchemy: `Tables`."""

    def prepare(self, engine: sa.Engine) -> None: ...
    def reading(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]: ...
    def writing(self, engine: sa.Engine) -> AbstractContextManager[sa.Connection]: ...


@dataclass(frozen=True)
class Room:
    """Whose tables they are: `schema` is the version that this Selat knows, and its row in table `state` says so.

    `load` gives what makes the tables and brings older ones up to date, and imports SQLAlchemy.
    """

    name: str
    schema: int
    state: str
    tables: frozenset[str]
    load: Callable[[], Maker]
    cure: str = "restore it from a backup"


class Database:
    """A SQLite file (a path, or `sqlite:///PATH`) or any other SQLAlchemy URL. May serve many threads."""

    def __init__(self, where: Path | str) -> None:
        self._where = where
        bare = str(where).removeprefix(_FILE)
        self._path = None if "://" in bare or "?" in bare else bare
        self._free: list[sqlite3.Connection] = []
        self._pulse: sqlite3.Connection | None = None
        self._feeling = threading.Lock()

    @cached_property
    def engine(self) -> sa.Engine:
        """The same for SQLAlchemy, made where something asks for it."""
        return open_engine(self._where)

    def prepare(self, room: Room) -> None:
        """Make the room's tables where they are missing or older. Raises: HomeBroken, Unavailable."""
        if self._path is None or not self._is_ready(room):
            room.load().prepare(self.engine)

    @contextmanager
    def reading(self, room: Room) -> Iterator[Session]:
        """Raises: Unavailable for a busy or absent database, HomeBroken for a damaged one."""
        begun = self._transaction(room, "BEGIN") if self._path else None
        with begun or _through(room.load().reading(self.engine)) as session:
            yield session

    @contextmanager
    def writing(self, room: Room) -> Iterator[Session]:
        """As `reading`; holds SQLite's write lock from its start."""
        begun = self._transaction(room, "BEGIN IMMEDIATE") if self._path else None
        with begun or _through(room.load().writing(self.engine)) as session:
            yield session

    def version(self, room: Room) -> int | None:
        """A number that changes when a connection has written; None where only a query would tell."""
        if self._path is None:
            return None
        with self._feeling, _trouble(room, self._path):
            try:
                if self._pulse is None:
                    self._pulse = _connect(self._path)
                return int(self._pulse.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error:
                self._close_pulse()
                raise

    def close(self) -> None:
        with self._feeling:
            self._close_pulse()
        while self._free:
            self._free.pop().close()
        if "engine" in self.__dict__:
            self.engine.dispose()

    def _close_pulse(self) -> None:
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    def _is_ready(self, room: Room) -> bool:
        """Whether all tables are there as this Selat makes them."""
        if not Path(self._path or "").exists():
            return False
        with self.reading(room) as session:
            there = {name for (name,) in session.all("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not there >= room.tables:
                return False
            return session.all(f"SELECT schema_version FROM {room.state}") == [(room.schema,)]  # noqa: S608 - ours

    @contextmanager
    def _transaction(self, room: Room, begin: str) -> Iterator[Session]:
        assert self._path is not None
        with _trouble(room, self._path):
            connection = self._taken()
            try:
                connection.execute(begin)
                yield _File(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                self._give_back(connection)
                raise
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if len(self._free) < _KEPT and not connection.in_transaction:
            self._free.append(connection)
        else:
            connection.close()

    def _taken(self) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            return self._free.pop()
        assert self._path is not None
        return _connect(self._path)


class _File:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, values: Mapping[str, object] = _NONE) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, values: Mapping[str, object] = _NONE) -> int:
        return self._connection.execute(sql, values).rowcount


class Within:
    """A session inside a transaction of SQLAlchemy's."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, values: Mapping[str, object] = _NONE) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._execute(sql, values)]

    def run(self, sql: str, values: Mapping[str, object] = _NONE) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: Mapping[str, object]) -> sa.CursorResult[Any]:
        from sqlalchemy import text

        return self._connection.execute(text(sql), dict(values))


@contextmanager
def _through(begun: AbstractContextManager[sa.Connection]) -> Iterator[Session]:
    with begun as connection:
        yield Within(connection)


def open_engine(where: Path | str) -> sa.Engine:
    """An engine for a SQLite file (a path) or any SQLAlchemy URL (text with `://`).

    SQLite runs in WAL mode, so that readers never wait for a writer, and takes the write lock when a writing
    transaction begins: two workers then queue instead of failing halfway.
    """
    import sqlalchemy as sa
    from sqlalchemy import event

    url = where if isinstance(where, str) and "://" in where else f"sqlite:///{where}"
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")

    return engine


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _trouble(room: Room, path: str) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(unusable(room.name, path, error)) from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise HomeBroken(unsound(room.name, path, error, room.cure)) from error


def unusable(room: str, where: str, error: BaseException | None) -> str:
    """What is said of a database that is busy, full or absent."""
    return (
        f"{room}: the database {where} cannot be used now ({type(error).__name__}: locked, "
        "full, not writable or not there); check the disk, its permissions and that the server runs"
    )


def unsound(room: str, where: str, error: BaseException | None, cure: str) -> str:
    """What is said of a damaged database."""
    return f"{room}: {where} is not a sound database ({type(error).__name__}); {cure}"
