"""The index: which leaves belong to a receipt id, and their plain facts; a fold over the log, rebuilt at will."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from selat.core.errors import LedgerBroken

NAME = "index.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, time TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entry_id ON entry (id);
"""


class Facts(msgspec.Struct, frozen=True):
    """What every leaf says of itself; empty where a leaf does not say it."""

    id: str = ""
    kind: str = ""
    tenant: str = ""
    time: str = ""


_decode = msgspec.json.Decoder(Facts).decode


def facts(leaf: bytes) -> Facts:
    """The plain facts of a leaf; empty ones for a leaf that is not JSON of ours, which is still an entry."""
    try:
        return _decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Facts()


class Index:
    """SQLite beside the log; what it lacks is read from the log, so losing it loses nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def make(self) -> int:
        """Create it where it is missing; how many leaves it has. Raises: LedgerBroken."""
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
        return self.size()

    def size(self) -> int:
        with self._open() as database:
            return int(database.execute("SELECT coalesce(max(leaf) + 1, 0) FROM entry").fetchone()[0])

    def add(self, first: int, leaves: list[bytes]) -> None:
        """Enter leaves that start at index `first`; repeating it changes nothing."""
        said = (facts(leaf) for leaf in leaves)
        rows = [(n, fact.id, fact.kind, fact.tenant, fact.time) for n, fact in enumerate(said, first)]
        with self._open() as database, database:
            database.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", rows)

    def find(self, receipt: str) -> list[int]:
        """The leaves of a receipt id, oldest first."""
        with self._open() as database:
            rows = database.execute("SELECT leaf FROM entry WHERE id = ? ORDER BY leaf", (receipt,))
            return [int(leaf) for (leaf,) in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._path, timeout=10.0)
            try:
                database.execute("PRAGMA synchronous = NORMAL")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise LedgerBroken(f"index {self._path}: {error}; rebuild it: selat ledger reindex") from error
