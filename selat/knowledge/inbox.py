"""Documents that were sent in and wait to be read: a durable queue with the step, the tries and the reason."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from selat import durable
from selat.core.errors import Misused, NotFound
from selat.knowledge.store import Store
from selat.stamps import now

WAITING, PARSING, INDEXING, READY, FAILED = "waiting", "parsing", "indexing", "ready", "failed"
OPEN = (WAITING, PARSING, INDEXING)
RECENT = 50  # finished documents by which the time left is reckoned
_COLUMNS = (
    "tenant, collection, document, folder, name, original, label, language, sender, step, reason, tries, history"
)
_PLACE = "tenant = ? AND collection = ? AND document = ?"


class Step(NamedTuple):
    """A step that a document reached, and when (UTC, ISO 8601)."""

    step: str
    at: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A document as it was sent in. `original` names its file, `label` is empty where the sender gave none.

    `sender` is the id of the key that sent it; `reason` says why `step` is `failed`.
    """

    tenant: str
    collection: str
    document: str
    folder: str
    name: str
    original: str
    label: str = ""
    language: str = ""
    sender: str = ""
    step: str = WAITING
    reason: str = ""
    tries: int = 0
    history: tuple[Step, ...] = ()

    @property
    def place(self) -> tuple[str, str, str]:
        return self.tenant, self.collection, self.document


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tenant's documents are. `left_s` is the time that the waiting ones will take; None: not known."""

    waiting: int
    working: int
    ready: int
    failed: int
    paused: bool
    left_s: float | None


class Inbox:
    """The queue, and the files that were sent in, each under its SHA-256. Many processes put in; one takes out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.originals = store.place.originals

    @contextmanager
    def taking(self) -> Iterator[bool]:
        """Hold the one taker's place, or yield False. What an earlier taker left half done waits again."""
        with self._store.place.locked("taker", wait=False) as alone:
            if alone:
                with self._store.connection() as connection:
                    marks = (WAITING, PARSING, INDEXING)
                    connection.execute("UPDATE inbox SET step = ? WHERE step IN (?, ?)", marks)
            yield alone

    def is_taken(self) -> bool:
        """Whether some process holds the taker's place now."""
        with self._store.place.locked("taker", wait=False) as alone:
            return not alone

    def draft(self) -> Path:
        """A new file to write what comes in to; `put` takes it, or the caller unlinks it."""
        self.originals.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.originals / f".draft-{os.getpid()}-{os.urandom(6).hex()}"
        path.touch(mode=0o600)
        return path

    def put(self, parcel: Parcel, draft: Path) -> Parcel:
        """Keep a written draft and add it to the queue, in place of an earlier one of that id.

        Two files of the same bytes are one. Returns the parcel as it waits.
        """
        with draft.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest() + Path(parcel.name).suffix.lower()
            durable.settle(file)
        kept = replace(parcel, original=name, step=WAITING, reason="", tries=0, history=(Step(WAITING, now()),))
        old = self.find(*parcel.place)
        with self._store.connection() as connection:
            # The lock that this takes keeps another from forgetting the same bytes before they are named here.
            connection.execute(f"DELETE FROM inbox WHERE {_PLACE}", parcel.place)  # noqa: S608
            draft.replace(self.originals / name)
            values = (*(getattr(kept, column) for column in _COLUMNS.split(", ")[:-1]), json.dumps(kept.history))
            marks = ",".join("?" * len(values))
            connection.execute(f"INSERT INTO inbox ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608
            if old:
                self._forget(old.original)
        return kept

    def next(self, most: int) -> list[Parcel]:
        """Waiting documents of tenants that did not pause, oldest first."""
        return self._select(
            "step = ? AND tenant NOT IN (SELECT tenant FROM paused) ORDER BY id LIMIT ?", WAITING, most
        )

    def find(self, tenant: str, collection: str, document: str) -> Parcel | None:
        found = self._select(_PLACE, tenant, collection, document)
        return found[0] if found else None

    def all(self, tenant: str, collection: str | None = None) -> list[Parcel]:
        """All that was ever sent in and is still there, oldest first."""
        return self._select(
            "tenant = ? AND (CAST(? AS TEXT) IS NULL OR collection = ?) ORDER BY id",
            *(tenant, collection, collection),
        )

    def reach(self, parcel: Parcel, step: str, reason: str = "") -> None:
        """Note the step that a document reached; nothing where it was replaced or taken out meanwhile."""
        mine = (*parcel.place, parcel.original)
        with self._store.connection() as connection:
            row = connection.execute(
                f"SELECT history FROM inbox WHERE {_PLACE} AND original = ?",  # noqa: S608
                mine,
            ).fetchone()
            history = [*json.loads(row[0]), [step, now()]] if row else []
            connection.execute(
                "UPDATE inbox SET step = ?, reason = ?, tries = tries + ?, history = ? "  # noqa: S608
                f"WHERE {_PLACE} AND original = ?",
                (step, reason, int(step == PARSING), json.dumps(history), *mine),
            )

    def retry(self, tenant: str, collection: str, document: str) -> Parcel:
        """Have a failed document read again. Raises: NotFound; Misused for one that did not fail."""
        parcel = self.find(tenant, collection, document)
        if parcel is None:
            raise NotFound(
                "no such document was sent in; one that came from a folder is read again by: selat ingest"
            )
        if parcel.step != FAILED:
            raise Misused(f"the document is {parcel.step}; only a failed one is read again")
        self.reach(parcel, WAITING)
        return parcel

    def drop(self, tenant: str, collection: str, document: str) -> bool:
        """Forget a document that was sent in; False when none was. Its file goes with the last that needs it."""
        parcel = self.find(tenant, collection, document)
        if parcel is None:
            return False
        with self._store.connection() as connection:
            connection.execute(f"DELETE FROM inbox WHERE {_PLACE}", parcel.place)  # noqa: S608
            self._forget(parcel.original)
        return True

    def forget(self, original: str) -> None:
        """Remove a file that nothing names any more."""
        with self._store.connection() as connection:
            # Nothing is changed: the lock that this takes keeps another from naming the same bytes meanwhile.
            connection.execute("DELETE FROM inbox WHERE original = ''")
            self._forget(original)

    def _forget(self, original: str) -> None:
        """As `forget`. The caller holds the writing transaction.

        A document names the file that it was read from also while a later one waits or has failed.
        """
        named = self._store.connection().execute(
            "SELECT 1 FROM inbox WHERE original = ? UNION ALL SELECT 1 FROM documents WHERE original = ? LIMIT 1",
            (original, original),
        )
        if named.fetchone() is None:
            (self.originals / original).unlink(missing_ok=True)

    def has_work(self) -> bool:
        """Whether anything can be taken now; cheap, for those who ask every second."""
        row = self._store.connection().execute(
            "SELECT 1 FROM inbox WHERE step IN (?, ?, ?) AND tenant NOT IN (SELECT tenant FROM paused) LIMIT 1",
            OPEN,
        )
        return row.fetchone() is not None

    def pause(self, tenant: str) -> None:
        with self._store.connection() as connection:
            connection.execute("INSERT INTO paused VALUES (?) ON CONFLICT DO NOTHING", (tenant,))

    def resume(self, tenant: str) -> None:
        with self._store.connection() as connection:
            connection.execute("DELETE FROM paused WHERE tenant = ?", (tenant,))

    def is_paused(self, tenant: str) -> bool:
        row = self._store.connection().execute("SELECT 1 FROM paused WHERE tenant = ?", (tenant,))
        return row.fetchone() is not None

    def progress(self, tenant: str) -> Progress:
        """Counts by step, and the time left at the pace of the last documents that were finished."""
        counts = dict(
            self._store.connection()
            .execute("SELECT step, count(*) FROM inbox WHERE tenant = ? GROUP BY step", (tenant,))
            .fetchall()
        )
        left = counts.get(WAITING, 0) + counts.get(PARSING, 0) + counts.get(INDEXING, 0)
        pace = self._pace_s(tenant) if left else 0.0
        return Progress(
            counts.get(WAITING, 0),
            counts.get(PARSING, 0) + counts.get(INDEXING, 0),
            counts.get(READY, 0),
            counts.get(FAILED, 0),
            self.is_paused(tenant),
            None if pace is None else round(pace * left, 1),
        )

    def _pace_s(self, tenant: str) -> float | None:
        """Seconds between two documents that were finished lately; None when fewer than two were."""
        rows = self._store.connection().execute(
            "SELECT history FROM inbox WHERE tenant = ? AND step IN (?, ?) ORDER BY id DESC LIMIT ?",
            (tenant, READY, FAILED, RECENT),
        )
        told = [json.loads(history)[-3:] for (history,) in rows.fetchall()]
        spans = [(datetime.fromisoformat(one[-1][1]), datetime.fromisoformat(one[0][1])) for one in told]
        if not spans:
            return None
        taken = max(end for end, _ in spans) - min(begun for _, begun in spans)
        return taken.total_seconds() / len(spans)

    def _select(self, where: str, *values: object) -> list[Parcel]:
        sql = f"SELECT {_COLUMNS} FROM inbox WHERE {where}"  # noqa: S608
        rows: list[Any] = self._store.connection().execute(sql, values).fetchall()
        names = _COLUMNS.split(", ")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [
            Parcel(**{**one, "history": tuple(Step(*step) for step in json.loads(one["history"]))})
            for one in found
        ]
