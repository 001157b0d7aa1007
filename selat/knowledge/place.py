"""Where a library lies: its database, its locks, its indexes and vectors, and which of these are in use."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from selat.core.errors import HomeBroken, SelatError, Unavailable
from selat.durable import told_if_full
from selat.knowledge.scope import Clause, Scope

DAMAGED = "the full-text index is damaged; the documents are not: run selat index rebuild"
OURS = "the knowledge base"
ROOM = "make room and do it again; what was read so far is kept"
_ROOM_BYTES = 1 << 18  # where less is free, what failed failed for want of room

if TYPE_CHECKING:
    from selat.knowledge.store import Entry, Row


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Says in words that a disk is full, whichever library met it. Raises: Unavailable; other errors stay.

    SQLite has a code for it, or calls it an I/O error; tantivy tells of a thread that died.
    """
    with told_if_full(OURS, ROOM):
        try:
            yield
        except (sqlite3.OperationalError, ValueError) as error:
            full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
            if not full and _free(folder) >= _ROOM_BYTES:
                raise
            raise OSError(errno.ENOSPC, "no room") from error


def unopened(folder: Path, damaged: str) -> SelatError:
    """What to tell of what cannot be opened in a folder: how its disk is, where that is why; else `damaged`.

    Both of SQLite and tantivy write beside what they read. Callers may be told, so no path is named.
    """
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return HomeBroken(f"the disk of {OURS} cannot be reached ({error.strerror}): see that it is mounted")
    if found.f_flag & os.ST_RDONLY:
        return HomeBroken(f"the disk of {OURS} is read-only: have it mounted so that Selat may write to it")
    if found.f_bavail * found.f_frsize < _ROOM_BYTES:
        return Unavailable(f"the disk of {OURS} is full: {ROOM}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return HomeBroken(
            f"the folder of {OURS} is not Selat's to write in: give it to the user that Selat runs as"
        )
    return HomeBroken(damaged)


def _free(folder: Path) -> int:
    """Bytes that a disk has room for."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Connection(Protocol):
    """What SQLite's and our PostgreSQL's connections have in common: `?` for values, `with` to commit."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any: ...
    def executemany(self, sql: str, rows: Any, /) -> Any: ...
    def commit(self) -> None: ...
    def __enter__(self) -> Connection: ...
    def __exit__(self, *error: Any) -> bool | None: ...


class Writing(Protocol):
    """Adds to an index and removes from it within one commit."""

    def add(self, row: Row, passages: Sequence[Entry]) -> None: ...
    def remove(self, doc: int) -> None: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...


class TextIndex(Protocol):
    """Full text: clauses in scope give row ids with scores, best first."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def search(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]: ...
    def documents(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]: ...
    def frequency(self, stem: str) -> int: ...
    def near(self, stem: str) -> list[str]: ...
    def renew(self) -> None: ...
    def writer(self) -> Writing: ...


class VectorIndex(Protocol):
    """Vectors of one model: the nearest in scope, by cosine."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def search(self, asked: Any, scope: Scope, k: int, exact: bool = False) -> list[tuple[int, float]]: ...
    def known(self, ids: Sequence[int]) -> Mapping[int, Any]: ...
    def add(self, vectors: Sequence[Any], replaced: Sequence[int]) -> None: ...


@dataclass(frozen=True, slots=True)
class Tables:
    """The store's tables: their version, their making, and what leads from each earlier version to the next.

    `upgrades[0]` leads from version 2, the first that is still read.
    """

    version: int
    made: str
    upgrades: tuple[tuple[str, ...], ...]


class Place(Protocol):
    """A library's place. `pointed` and `point` are of two kinds: `index` and `vectors`.

    `make_index` makes an empty one, in place of what a killed rebuild left; `index` opens what is there, and
    never makes: a rebuild may be dropping it. Raises: HomeBroken, where it is not there, or not whole.
    """

    @property
    def originals(self) -> Path: ...
    def prepare(self, tables: Tables) -> None: ...
    def connection(self) -> Connection: ...
    def locked(self, name: str, wait: bool = True) -> AbstractContextManager[bool]: ...
    def pointed(self, kind: str) -> str: ...
    def point(self, kind: str, name: str) -> None: ...
    def drop(self, kind: str, name: str) -> None: ...
    def make_index(self, name: str) -> TextIndex: ...
    def index(self, name: str) -> TextIndex: ...
    def vectors(self, name: str) -> VectorIndex | None: ...
    def size_bytes(self) -> int: ...
    def close(self) -> None: ...


class FilePlace:
    """A folder: SQLite, tantivy and arrays of vectors. One connection a thread; WAL, so readers never wait."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.originals = folder / "originals"
        self._path = folder / "documents.sqlite"
        self._local = threading.local()

    def prepare(self, tables: Tables) -> None:
        """Make the tables where they are missing, and bring older ones up to date, all or nothing."""
        connection = self.connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == tables.version:
            return
        if version > tables.version or version == 1:
            raise HomeBroken(
                f"knowledge base is of version {version}, this Selat reads {tables.version}; upgrade Selat"
            )
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for steps in tables.upgrades[version - 2 :] if version else ():
                for step in steps:
                    connection.execute(step)
            for table in tables.made.split(";"):
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {tables.version}")

    def connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            try:
                found = sqlite3.connect(self._path, timeout=30)
                found.execute("PRAGMA journal_mode = WAL")
                found.execute("PRAGMA synchronous = NORMAL")
                found.execute("PRAGMA foreign_keys = ON")
            except sqlite3.DatabaseError as error:
                raise unopened(
                    self.folder, f"{OURS}'s {self._path.name} is damaged; restore it or ingest anew"
                ) from error
            self._local.connection = found
        return found

    @contextmanager
    def locked(self, name: str, wait: bool = True) -> Iterator[bool]:
        """Hold a lock by its name, over all processes; False, without it, where another holds it."""
        with (self.folder / f"{name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def pointed(self, kind: str) -> str:
        """The name of the one in use, empty where there is none yet."""
        try:
            return os.readlink(self.folder / kind)
        except FileNotFoundError:
            return ""

    def point(self, kind: str, name: str) -> None:
        """Swap the pointer in one step: a reader sees the old one or the new one."""
        fresh = self.folder / f"{kind}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self.folder / kind)

    def drop(self, kind: str, name: str) -> None:
        import shutil  # not in a worker, which asks each second what waits to be read

        shutil.rmtree(self.folder / name, ignore_errors=True)

    def make_index(self, name: str) -> TextIndex:
        from selat.knowledge.index import Index

        self.drop("index", name)
        return Index(self.folder / name, new=True)

    def index(self, name: str) -> TextIndex:
        # Brings tantivy: a process that never searches does not pay for it.
        from selat.knowledge.index import Index

        return Index(self.folder / name)

    def vectors(self, name: str) -> VectorIndex:
        # Brings NumPy.
        from selat.knowledge.vectors import Vectors

        return Vectors(self.folder / name)

    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def close(self) -> None:
        """Let go of this thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found:
            found.close()
            self._local.connection = None


def postgres_place(url: str, folder: Path) -> Place | None:
    """The place of a PostgreSQL URL, files that were sent in lying in `folder`; None for no URL.

    Raises: HomeBroken, without the extra `postgresql`; Unavailable.
    """
    if not url:
        return None
    try:
        from selat.knowledge.postgres import PgPlace  # psycopg is an extra
    except ImportError as error:
        raise HomeBroken(
            "knowledge_database: psycopg is not installed; pip install 'selat[postgresql]'"
        ) from error
    return PgPlace(url, folder)
