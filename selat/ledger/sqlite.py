"""SQLite files of the ledger: opened for one use, their errors told apart as disk trouble or damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selat.core.errors import LedgerBroken, LedgerUnavailable

BUSY_S = 10.0
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
    try:
        database = sqlite3.connect(path, timeout=BUSY_S)
        try:
            for pragma in pragmas:
                database.execute(f"PRAGMA {pragma}")
            yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _REFUSED:
            raise LedgerUnavailable(f"{path}: {error}") from error
        raise LedgerBroken(f"{path}: {error}. {advice}".rstrip(". ")) from error
