"""SQLite files of the ledger: opened for one use or kept open, errors told apart as disk trouble or damage."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selat.core.errors import LedgerBroken, LedgerUnavailable

BUSY_S = 10.0
PAGES = "page_size = 8192"
"""For a file that is made: a step writes many pages, each with two calls. One that is there keeps its own."""
# Primary result codes that say that the disk or a lock refuses now, not that the file is damaged.
_REFUSED = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
    }
)


@contextmanager
def opened(path: Path, *pragmas: str, advice: str = "") -> Iterator[sqlite3.Connection]:
    """A connection with these pragmas set.

    Raises: LedgerUnavailable, when the disk refuses (full, read-only, busy); LedgerBroken, for all else.
    """
    with _trouble(path, advice), contextlib.closing(_connect(path, pragmas)) as database:
        yield database


class Kept:
    """A connection kept from use to use: closing the last one makes SQLite copy its log and remove it each time.

    For one process that writes often. It is opened anew after an error, and where another hand has put another
    file in its place.
    """

    def __init__(self, path: Path, *pragmas: str, advice: str = "") -> None:
        self._path, self._pragmas, self._advice = path, pragmas, advice
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction that holds the write lock from its start. Raises: as `opened` does."""
        with _trouble(self._path, self._advice):
            try:
                database = self._connected()
                database.execute("BEGIN IMMEDIATE")
                with database:
                    yield database
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None

    def _connected(self) -> sqlite3.Connection:
        if self._database is None or _file(self._path) != self._file:
            self.close()
            self._database = _connect(self._path, self._pragmas)
            self._file = _file(self._path)
        return self._database


def _connect(path: Path, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        for pragma in pragmas:
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _file(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _trouble(path: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _REFUSED:
            raise LedgerUnavailable(f"{path}: {error}") from error
        raise LedgerBroken(f"{path}: {error}. {advice}".rstrip(". ")) from error
