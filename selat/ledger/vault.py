"""The vault: salts of entries, kept outside the log, so that erasing them forgets what they committed to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selat.core.errors import LedgerBroken

NAME = "vault.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (
    leaf INTEGER NOT NULL, receipt TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (leaf, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secret_receipt ON secret (receipt);
"""


class Vault:
    """Secrets by the index of their leaf and their name. One writer (the sequencer), any number of readers."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def make(self) -> None:
        """Create the file where it is missing, readable by its owner only. Raises: LedgerBroken."""
        self._path.touch(0o600)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)

    def put(self, rows: Iterable[tuple[int, str, str, str, bytes]]) -> None:
        """Keep rows of (leaf index, receipt id, tenant, name, value), durably; repeating it changes nothing."""
        with self._open() as database, database:
            database.executemany("INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?, ?)", rows)

    def of(self, receipt: str) -> dict[int, dict[str, bytes]]:
        """The secrets of a receipt id: leaf index -> name -> value; empty when none, or forgotten."""
        found: dict[int, dict[str, bytes]] = {}
        with self._open() as database:
            rows = database.execute("SELECT leaf, name, value FROM secret WHERE receipt = ?", (receipt,))
            for leaf, name, value in rows:
                found.setdefault(leaf, {})[name] = value
        return found

    def forget(self, receipt: str) -> int:
        """Erase every secret of a receipt id, overwriting its bytes in the file. How many there were."""
        with self._open() as database:
            with database:
                count = database.execute("DELETE FROM secret WHERE receipt = ?", (receipt,)).rowcount
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def cut(self, size: int) -> None:
        """Drop the secrets of leaves from `size` on: those of a step that was given up before it was signed."""
        with self._open() as database, database:
            database.execute("DELETE FROM secret WHERE leaf >= ?", (size,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._path, timeout=10.0)
            try:
                database.execute("PRAGMA synchronous = FULL")
                database.execute("PRAGMA secure_delete = ON")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise LedgerBroken(f"vault {self._path}: {error}") from error
