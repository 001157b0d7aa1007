"""Remembers the labels of answers that were given out, so that they come back with a conversation's history."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from selat.core.label import LOWEST, Label, parse_label
from selat.policy import store
from selat.policy.store import answer_labels, reading, writing

KEPT_DAYS = 90
SHORTEST = 24
"""Shorter texts are everyone's: `Terima kasih` would carry a label to where it never was."""
AT_ONCE = 500
SEEN_LIMIT = 20_000
_MAKE = sa.text(
    "INSERT INTO answer_labels (digest, label, day) VALUES (:digest, :label, :day) ON CONFLICT DO NOTHING"
)
_MEND = sa.text("UPDATE answer_labels SET label = :label, day = :day WHERE digest = :digest")


class Recall:
    """Keyed digests of texts with their labels, for each tenant. The texts themselves are kept nowhere.

    What it knows again is a whole text, as given out; a part quoted by hand it does not.
    """

    def __init__(self, engine: sa.Engine, key: bytes, now_s: Callable[[], float] = time.time) -> None:
        """`key`, 32 bytes, keeps digests from being tried out by whoever holds the database alone."""
        store.TABLES.prepare(engine)
        self._engine = engine
        self._key = key
        self._now_s = now_s
        self._looking = threading.Lock()
        self._pulse: Any = None
        self._version = -1
        self._seen: dict[bytes, Label] = {}

    def keep(self, tenant: str, texts: Iterable[str], label: Label) -> None:
        """Remember that these texts bear this label, joined to any that they bear. Raises: Unavailable."""
        digests = self._digests(tenant, texts)
        if not digests:
            return
        today = int(self._now_s() // 86_400)
        with writing(self._engine) as connection:
            known = dict(_known(connection, digests))
            for digest in digests:
                joined = label.join(known.get(digest, LOWEST))
                row = {"digest": digest, "label": str(joined), "day": today}
                connection.execute(_MAKE, row)
                connection.execute(_MEND, row)
            connection.execute(answer_labels.delete().where(answer_labels.c.day < today - KEPT_DAYS))

    def label_of(self, tenant: str, texts: Iterable[str]) -> Label:
        """The join of the labels that these texts bear; the lowest where none is known. Raises: Unavailable."""
        digests = self._digests(tenant, texts)
        if not digests:
            return LOWEST
        seen = self._still_true()
        missing = [digest for digest in digests if digest not in seen]
        if missing:
            with reading(self._engine) as connection:
                known = dict(_known(connection, missing))
            for digest in missing:
                seen[digest] = known.get(digest, LOWEST)
        found = LOWEST
        for digest in digests:
            found = found.join(seen[digest])
        return found

    def _still_true(self) -> dict[bytes, Label]:
        """What was read before, as long as nobody wrote to the database; nothing on PostgreSQL: it cannot tell."""
        if self._engine.dialect.name != "sqlite":
            return {}
        with store.trouble(self._engine), self._looking:
            if self._pulse is None:
                self._pulse = self._engine.raw_connection()
            cursor = self._pulse.cursor()
            version = cursor.execute("PRAGMA data_version").fetchone()[0]
            cursor.close()
        if version != self._version or len(self._seen) > SEEN_LIMIT:
            self._version, self._seen = version, {}
        return self._seen

    def _digests(self, tenant: str, texts: Iterable[str]) -> list[bytes]:
        """16 bytes each, in order and without doubles; the tenant is part of what is digested."""
        made: dict[bytes, None] = {}
        for text in texts:
            bare = text.strip()
            if len(bare) >= SHORTEST:
                data = f"{tenant}\0{bare}".encode("utf-8", "surrogatepass")
                made[hashlib.blake2b(data, key=self._key, digest_size=16).digest()] = None
        return sorted(made)  # one order everywhere, so that two transactions never wait for each other


def _known(connection: sa.Connection, digests: Sequence[bytes]) -> Iterable[tuple[bytes, Label]]:
    for start in range(0, len(digests), AT_ONCE):
        some = digests[start : start + AT_ONCE]
        rows = connection.execute(sa.select(answer_labels).where(answer_labels.c.digest.in_(some)))
        for row in rows.all():
            yield bytes(row.digest), parse_label(row.label)
