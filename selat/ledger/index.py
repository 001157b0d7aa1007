"""The index: which leaves belong to a receipt id, and their facts; a fold over the log, rebuilt at will."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path

from selat.core.errors import LedgerBroken
from selat.ledger.facts import Manner
from selat.ledger.lines import ALONE, MOST_MANNERS, NEVER, OPEN, Common, Lines, Manners, Row
from selat.ledger.sqlite import PAGES, Kept, opened

NAME = "index.db"
VERSION = 5
_MANNER = ", ".join(Manner._fields)
_COLUMNS = ", ".join(f"m.{name}" for name in Manner._fields)
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS manner (number INTEGER PRIMARY KEY,
    {", ".join(f"{name} TEXT NOT NULL" for name in Manner._fields)}, UNIQUE ({_MANNER}));
CREATE TABLE IF NOT EXISTS request (
    leaf INTEGER PRIMARY KEY, id TEXT NOT NULL, time TEXT NOT NULL, manner INTEGER NOT NULL,
    closed_leaf INTEGER NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, duration_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS request_id ON request (id);
CREATE INDEX IF NOT EXISTS request_time ON request (time);
CREATE INDEX IF NOT EXISTS request_alone ON request (id) WHERE closed_leaf = {ALONE};
CREATE INDEX IF NOT EXISTS request_never ON request (leaf) WHERE closed_leaf = {NEVER};
CREATE TABLE IF NOT EXISTS extent (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL);
INSERT OR IGNORE INTO extent VALUES (1, 0);
CREATE VIEW IF NOT EXISTS entry AS SELECT r.leaf, r.id, r.time, {_COLUMNS},
    max(r.closed_leaf, {OPEN}) AS closed_leaf, r.closed_leaf AS state, r.outcome, r.status,
    r.prompt_tokens, r.completion_tokens, r.duration_ms
    FROM request r JOIN manner m ON m.number = r.manner;
"""  # noqa: S608 - all names in this module's SQL are its own
_OURS = "'entry', 'request', 'manner', 'extent'"
_KNOWN = f"SELECT number FROM manner WHERE {' AND '.join(f'{name} = ?' for name in Manner._fields)}"  # noqa: S608
_LEARN = f"INSERT INTO manner ({_MANNER}) VALUES ({', '.join('?' * len(Manner._fields))})"  # noqa: S608
_CLOSE = f"""
UPDATE request SET closed_leaf = ?, outcome = ?, status = ?, prompt_tokens = ?, completion_tokens = ?,
    duration_ms = ? WHERE id = ? AND closed_leaf = {OPEN}
"""  # noqa: S608
_ALONE = f"""
SELECT c.leaf, c.outcome, c.status, c.prompt_tokens, c.completion_tokens, c.duration_ms, c.id FROM request c
    JOIN request o ON o.id = c.id AND o.closed_leaf = {OPEN} WHERE c.closed_leaf = {ALONE}
"""  # noqa: S608
_WIDE, _MANNER_AT, _AT_ONCE = 10, 3, 64
_ROW = f"({', '.join('?' * _WIDE)})"
_INSERT = f"INSERT INTO request VALUES {_ROW}"  # noqa: S608
_INSERT_MANY = f"INSERT INTO request VALUES {', '.join([_ROW] * _AT_ONCE)}"  # noqa: S608
_SYNC, _ADVICE = "synchronous = NORMAL", "Rebuild it: selat ledger reindex"


class Index:
    """SQLite beside the log; what it lacks is read from the log, so losing it loses nothing.

    A request is one row: its opening, and what its closing says. A closing is a row of its own only while no
    opening of its id is there. What many requests have in common is a row of `manner`, named by number; the view
    `entry` puts them together. `extent` says how many leaves are in it, in the same transaction as their rows.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._kept = Kept(self._path, _SYNC, "cache_size = -256", advice=_ADVICE)
        self._manners = Manners()
        self._known: dict[Common, int] = {}  # their numbers
        self._numbered: sqlite3.Connection | None = None  # whose they are

    def make(self) -> int:
        """Create it where it is missing or of another version; how many leaves it has. Raises: LedgerBroken."""
        with self.open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                earlier = database.execute(f"SELECT type, name FROM sqlite_master WHERE name IN ({_OURS})")  # noqa: S608
                for kind, name in sorted(earlier.fetchall(), reverse=True):  # the view before what it shows
                    database.execute(f"DROP {kind} {name}")
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.executescript(_SCHEMA)
            return _size(database)

    def size(self) -> int:
        with self.open() as database:
            return _size(database)

    def lines(self, first: int) -> Lines:
        """To take up what leaves from `first` on say, for `add`."""
        return Lines(first, self._manners)

    def add(self, lines: Lines) -> None:
        """Enter what leaves say; repeating it changes nothing. Raises: LedgerBroken."""
        with self._kept.use() as database:
            size = _size(database)
            if size >= lines.end:
                return
            if size > lines.first:
                lines.skip(size)
            elif size < lines.first:
                raise LedgerBroken(f"{self._path} ends at leaf {size}, not {lines.first}. {_ADVICE}")
            try:
                self._enter(database, lines.rows)
                self._close(database, lines.late)
                database.execute("UPDATE extent SET size = ?", (lines.end,))
            except BaseException:
                self._numbered = None
                raise

    def _enter(self, database: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Insert rows, many with each statement: a statement costs more than a row."""
        for at in range(0, len(rows), _AT_ONCE):
            some = rows[at : at + _AT_ONCE]
            values: list[object] = list(chain.from_iterable(some))
            values[_MANNER_AT::_WIDE] = self._numbers(database, [row[3] for row in some])
            if len(some) == _AT_ONCE:
                database.execute(_INSERT_MANY, values)
            else:
                database.executemany(_INSERT, zip(*[iter(values)] * _WIDE, strict=True))

    def _close(self, database: sqlite3.Connection, late: Sequence[Row]) -> None:
        """Closings whose openings are of an earlier step, or not there yet."""
        for row in late:
            if not database.execute(_CLOSE, (row[0], *row[5:], row[1])).rowcount:
                self._enter(database, [row])
        for closing in database.execute(_ALONE).fetchall():
            database.execute(_CLOSE, closing)
            database.execute("DELETE FROM request WHERE leaf = ?", closing[:1])

    def _numbers(self, database: sqlite3.Connection, commons: list[Common]) -> list[int]:
        """The numbers of manners, those made for ones that are new."""
        if database is not self._numbered or len(self._known) >= MOST_MANNERS:
            self._known.clear()
            self._numbered = database
        known = self._known
        for common in set(commons).difference(known):
            found = database.execute(_KNOWN, common.manner).fetchone()
            number = found[0] if found else database.execute(_LEARN, common.manner).lastrowid
            assert number is not None
            known[common] = number
        return [known[common] for common in commons]

    def find(self, receipt: str) -> list[int]:
        """The leaves of a receipt id, oldest first."""
        with self.open() as database:
            rows = database.execute("SELECT leaf, closed_leaf FROM request WHERE id = ?", (receipt,))
            return sorted(leaf for row in rows for leaf in row if leaf >= 0)

    def drop(self) -> None:
        """Remove it, to be rebuilt from the log. Raises: OSError."""
        self.close()
        for path in self._path.parent.glob(f"{NAME}*"):
            path.unlink(missing_ok=True)

    def open(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection for one use. Raises: LedgerUnavailable; LedgerBroken, when it is damaged or not there."""
        return opened(self._path, PAGES, _SYNC, advice=_ADVICE)

    def close(self) -> None:
        """Let go of what `add` keeps open."""
        self._kept.close()


def _size(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT size FROM extent").fetchone()[0])
