"""Keeps every finished sample at once, so that a killed run goes on and no answer is asked for twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from selat.core.errors import HomeBroken, NotFound
from selat.evals.item import Pack, Reply, Scored
from selat.evals.run import Run

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reply (subject TEXT, sample TEXT, reply BLOB NOT NULL, PRIMARY KEY (subject, sample))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pack (digest TEXT PRIMARY KEY, pack BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, run BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS scored (run TEXT, place INTEGER, scored BLOB NOT NULL, PRIMARY KEY (run, place))
  WITHOUT ROWID;
"""
_AT_ONCE = 500


class Store:
    """One SQLite file. A reply is committed before it counts as finished; a killed process loses none of those.

    Raises: HomeBroken, when the file is no database of ours.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            # NORMAL: what is committed outlives the process; after a power cut some samples are asked again.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise HomeBroken(f"{path}: {error}. Move it away; evals then begin anew") from error

    def close(self) -> None:
        self._db.close()

    def replies(self, subject: str, samples: Sequence[str]) -> dict[str, Reply]:
        """The kept replies of a subject to samples, by the sample's digest."""
        found: dict[str, Reply] = {}
        decode = msgspec.json.Decoder(Reply).decode
        for start in range(0, len(samples), _AT_ONCE):
            some = samples[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT sample, reply FROM reply WHERE subject = ? AND sample IN ({marks})"  # noqa: S608
            found.update((sample, decode(reply)) for sample, reply in self._db.execute(query, (subject, *some)))
        return found

    def keep(self, subject: str, replies: Mapping[str, Reply]) -> None:
        rows = [(subject, sample, msgspec.json.encode(reply)) for sample, reply in replies.items()]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO reply VALUES (?, ?, ?)", rows)

    def save(self, run: Run, packs: Iterable[Pack] = ()) -> None:
        """Write a run as it stands, and the packs it uses: a run is shown later as it was, whatever was edited."""
        with self._transaction():
            for pack in packs:
                row = (pack.digest, msgspec.json.encode(pack))
                self._db.execute("INSERT OR IGNORE INTO pack VALUES (?, ?)", row)
            self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (run.id, msgspec.json.encode(run)))

    def finish(self, run: Run, scored: Sequence[Scored]) -> None:
        """A run's end and its scores, in place of any earlier ones of that run."""
        rows = [(run.id, place, msgspec.json.encode(one)) for place, one in enumerate(scored)]
        with self._transaction():
            self._db.execute("DELETE FROM scored WHERE run = ?", (run.id,))
            self._db.executemany("INSERT INTO scored VALUES (?, ?, ?)", rows)
            self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (run.id, msgspec.json.encode(run)))

    def runs(self) -> list[Run]:
        """Every run, the newest first."""
        rows = self._db.execute("SELECT run FROM run ORDER BY id DESC")
        return [msgspec.json.decode(run, type=Run) for (run,) in rows]

    def run(self, run_id: str) -> Run:
        """A run by its id, by the beginning of one, or `last`. Raises: NotFound."""
        rows = self.runs()
        found = (
            rows[:1] if run_id == "last" else [run for run in rows if run.id.lower().startswith(run_id.lower())]
        )
        if len(found) != 1 or not run_id:
            raise NotFound(f"{'no run' if not found else 'several runs'} of that id; see: selat eval list --runs")
        return found[0]

    def scored(self, run_id: str) -> list[Scored]:
        rows = self._db.execute("SELECT scored FROM scored WHERE run = ? ORDER BY place", (run_id,))
        decode = msgspec.json.Decoder(Scored).decode
        return [decode(one) for (one,) in rows]

    def pack(self, digest: str) -> Pack:
        """A pack as it was when a run used it. Raises: NotFound."""
        row = self._db.execute("SELECT pack FROM pack WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise NotFound("the pack of this run is not kept; run it again")
        return msgspec.json.decode(row[0], type=Pack)

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db
