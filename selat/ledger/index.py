"""The index: which leaves belong to a receipt id, and their facts; a fold over the log, rebuilt at will."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from selat.ledger.facts import details
from selat.ledger.sqlite import opened

NAME = "index.db"
VERSION = 3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, time TEXT NOT NULL,
    caller TEXT NOT NULL, purpose TEXT NOT NULL, api TEXT NOT NULL, model TEXT NOT NULL, engine TEXT NOT NULL,
    official TEXT NOT NULL, cloud TEXT NOT NULL, personal TEXT NOT NULL, jurisdictions TEXT NOT NULL,
    effect TEXT NOT NULL, rules TEXT NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
    language TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entry_id ON entry (id);
CREATE INDEX IF NOT EXISTS entry_time ON entry (tenant, time);
"""
_INSERT = f"INSERT OR REPLACE INTO entry VALUES ({', '.join('?' * 22)})"  # noqa: S608 - only question marks


class Index:
    """SQLite beside the log; what it lacks is read from the log, so losing it loses nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def make(self) -> int:
        """Create it where it is missing or of another version; how many leaves it has. Raises: LedgerBroken."""
        with self.open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                database.execute("DROP TABLE IF EXISTS entry")
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.executescript(_SCHEMA)
        return self.size()

    def size(self) -> int:
        with self.open() as database:
            return int(database.execute("SELECT coalesce(max(leaf) + 1, 0) FROM entry").fetchone()[0])

    def add(self, first: int, leaves: list[bytes]) -> None:
        """Enter leaves that start at index `first`; repeating it changes nothing."""
        rows = [_row(number, leaf) for number, leaf in enumerate(leaves, first)]
        with self.open() as database, database:
            database.executemany(_INSERT, rows)

    def find(self, receipt: str) -> list[int]:
        """The leaves of a receipt id, oldest first."""
        with self.open() as database:
            rows = database.execute("SELECT leaf FROM entry WHERE id = ? ORDER BY leaf", (receipt,))
            return [int(leaf) for (leaf,) in rows]

    def drop(self) -> None:
        """Remove it, to be rebuilt from the log. Raises: OSError."""
        for path in self._path.parent.glob(f"{NAME}*"):
            path.unlink(missing_ok=True)

    def open(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection for one use. Raises: LedgerUnavailable; LedgerBroken, when it is damaged or not there."""
        return opened(self._path, "synchronous = NORMAL", advice="Rebuild it: selat ledger reindex")


def _row(number: int, leaf: bytes) -> tuple[int | str, ...]:
    said = details(leaf)
    label, decision, usage = said.label, said.decision, said.usage
    return (
        number,
        said.id,
        said.kind,
        said.tenant,
        said.time,
        said.caller,
        said.purpose,
        said.api,
        said.model,
        said.engine,
        label.official,
        label.cloud,
        label.personal,
        "+".join(label.jurisdictions),
        decision.effect,
        " ".join(decision.rules),
        said.outcome,
        said.status,
        usage.prompt,
        usage.completion,
        said.duration_ms,
        said.language,
    )
