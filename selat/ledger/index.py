"""The index: which leaves belong to a receipt id, and their facts; a fold over the log, rebuilt at will."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from selat.core.errors import LedgerBroken
from selat.ledger.facts import Details
from selat.ledger.sqlite import Kept, opened

NAME = "index.db"
VERSION = 4
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, time TEXT NOT NULL,
    caller TEXT NOT NULL, purpose TEXT NOT NULL, api TEXT NOT NULL, model TEXT NOT NULL, engine TEXT NOT NULL,
    official TEXT NOT NULL, cloud TEXT NOT NULL, personal TEXT NOT NULL, jurisdictions TEXT NOT NULL,
    effect TEXT NOT NULL, rules TEXT NOT NULL, language TEXT NOT NULL,
    closed_leaf INTEGER NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, duration_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS entry_id ON entry (id);
CREATE INDEX IF NOT EXISTS entry_time ON entry (tenant, time);
CREATE INDEX IF NOT EXISTS entry_alone ON entry (id) WHERE kind = 'closed';
CREATE TABLE IF NOT EXISTS extent (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL);
INSERT OR IGNORE INTO extent VALUES (1, 0);
"""
_OPENING, _CLOSING = 17, 6  # how many columns an opening fills, and after them its closing
_INSERT = f"INSERT INTO entry VALUES ({', '.join('?' * (_OPENING + _CLOSING))})"  # noqa: S608 - question marks
_CLOSE = (
    "UPDATE entry SET closed_leaf = ?, outcome = ?, status = ?, prompt_tokens = ?, completion_tokens = ?,"
    " duration_ms = ? WHERE id = ? AND kind = 'opened' AND closed_leaf < 0"
)
_ALONE = (
    "SELECT c.leaf, c.outcome, c.status, c.prompt_tokens, c.completion_tokens, c.duration_ms, c.id FROM entry c"
    " JOIN entry o ON o.id = c.id AND o.kind = 'opened' AND o.closed_leaf < 0 WHERE c.kind = 'closed'"
)
_SYNC, _ADVICE = "synchronous = NORMAL", "Rebuild it: selat ledger reindex"

_Row = list[int | str]


class Index:
    """SQLite beside the log; what it lacks is read from the log, so losing it loses nothing.

    A request is one row: its opening, and what its closing says. A closing is a row of its own only while no
    opening of its id is there. `extent` says how many leaves are in it, in the same transaction as their rows.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._kept = Kept(self._path, _SYNC, "cache_size = -1024", advice=_ADVICE)

    def make(self) -> int:
        """Create it where it is missing or of another version; how many leaves it has. Raises: LedgerBroken."""
        with self.open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                database.execute("DROP TABLE IF EXISTS entry")
                database.execute("DROP TABLE IF EXISTS extent")
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.executescript(_SCHEMA)
            return _size(database)

    def size(self) -> int:
        with self.open() as database:
            return _size(database)

    def add(self, first: int, said: Sequence[Details]) -> None:
        """Enter what leaves from index `first` on say; repeating it changes nothing. Raises: LedgerBroken."""
        with self._kept.use() as database:
            size = _size(database)
            if size < first:
                raise LedgerBroken(f"{self._path} ends at leaf {size}, not {first}. {_ADVICE}")
            rows, late = _rows(size, said[size - first :])
            database.executemany(_INSERT, rows)
            for row in late:
                if not database.execute(_CLOSE, _closing_of(row)).rowcount:
                    database.execute(_INSERT, row)
            for closing in database.execute(_ALONE).fetchall():
                database.execute(_CLOSE, closing)
                database.execute("DELETE FROM entry WHERE leaf = ?", closing[:1])
            database.execute("UPDATE extent SET size = max(size, ?)", (first + len(said),))

    def find(self, receipt: str) -> list[int]:
        """The leaves of a receipt id, oldest first."""
        with self.open() as database:
            rows = database.execute("SELECT leaf, closed_leaf FROM entry WHERE id = ?", (receipt,))
            return sorted(leaf for row in rows for leaf in row if leaf >= 0)

    def drop(self) -> None:
        """Remove it, to be rebuilt from the log. Raises: OSError."""
        self.close()
        for path in self._path.parent.glob(f"{NAME}*"):
            path.unlink(missing_ok=True)

    def open(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection for one use. Raises: LedgerUnavailable; LedgerBroken, when it is damaged or not there."""
        return opened(self._path, _SYNC, advice=_ADVICE)

    def close(self) -> None:
        """Let go of what `add` keeps open."""
        self._kept.close()


def _size(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT size FROM extent").fetchone()[0])


def _rows(first: int, said: Iterable[Details]) -> tuple[list[_Row], list[_Row]]:
    """The rows of leaves from `first` on, and those of closings whose openings are not among them."""
    rows: list[_Row] = []
    late: list[_Row] = []
    opened_: dict[str, _Row] = {}
    for number, one in enumerate(said, first):
        if one.kind != "closed":
            row: _Row = [number, *_opening(one), -1, *_outcome(one)]
            rows.append(row)
            if one.kind == "opened":
                opened_[one.id] = row
        elif (row_ := opened_.pop(one.id, None)) is not None:
            row_[_OPENING:] = [number, *_outcome(one)]
        else:
            late.append([number, *_opening(one), -1, *_outcome(one)])
    return rows, late


def _opening(said: Details) -> tuple[str, ...]:
    label, decision = said.label, said.decision
    return (
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
        said.language,
    )


def _outcome(said: Details) -> tuple[str, int, int, int, int]:
    usage = said.usage
    return said.outcome, said.status, usage.prompt, usage.completion, said.duration_ms


def _closing_of(row: _Row) -> _Row:
    """The values of _CLOSE from a closing's own row."""
    return [row[0], *row[_OPENING + 1 :], row[1]]
