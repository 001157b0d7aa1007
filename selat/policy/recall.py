"""Remembers the labels of answers that were given out, so that they come back with a conversation's history."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence

from selat.core.label import LOWEST, Label, parse_label
from selat.database import Database, Session
from selat.policy.room import ROOM
from selat.tags import fresh_tagger

KEPT_DAYS = 90
SHORTEST = 24
"""Shorter texts are everyone's: `Terima kasih` would carry a label to where it never was."""
AT_ONCE = 500
SEEN_LIMIT = 20_000
DIGESTS_LIMIT = 4096
LONG_BYTES = 512
"""The digest of a text above this is known again by its tag, which takes a fifteenth of the time: a conversation
sends its answers with every turn."""
_MAKE = "INSERT INTO answer_labels (digest, label, day) VALUES (:digest, :label, :day) ON CONFLICT DO NOTHING"
_MEND = "UPDATE answer_labels SET label = :label, day = :day WHERE digest = :digest"


class Recall:
    """Keyed digests of texts with their labels, for each tenant. The texts themselves are kept nowhere.

    What it knows again is a whole text, as given out; a part quoted by hand it does not.
    """

    def __init__(self, database: Database, key: bytes, now_s: Callable[[], float] = time.time) -> None:
        """`key`, 32 bytes, keeps digests from being tried out by whoever holds the database alone."""
        database.prepare(ROOM)
        self._database = database
        self._key = key
        self._now_s = now_s
        self._version = -1
        self._seen: dict[bytes, Label] = {}
        self._tag = fresh_tagger()
        self._digest_by_tag: dict[bytes, bytes] = {}

    def keep(self, tenant: str, texts: Iterable[str], label: Label) -> None:
        """Remember that these texts bear this label, joined to any that they bear. Raises: Unavailable."""
        digests = self._digests(tenant, texts)
        if not digests:
            return
        today = int(self._now_s() // 86_400)
        with self._database.writing(ROOM) as session:
            known = dict(_known(session, digests))
            for digest in digests:
                joined = label.join(known.get(digest, LOWEST))
                row = {"digest": digest, "label": str(joined), "day": today}
                session.run(_MAKE, row)
                session.run(_MEND, row)
            session.run("DELETE FROM answer_labels WHERE day < :day", {"day": today - KEPT_DAYS})

    def label_of(self, tenant: str, texts: Iterable[str]) -> Label:
        """The join of the labels that these texts bear; the lowest where none is known. Raises: Unavailable."""
        digests = self._digests(tenant, texts)
        if not digests:
            return LOWEST
        seen = self._still_true()
        missing = [digest for digest in digests if digest not in seen]
        if missing:
            with self._database.reading(ROOM) as session:
                known = dict(_known(session, missing))
            for digest in missing:
                seen[digest] = known.get(digest, LOWEST)
        found = LOWEST
        for digest in digests:
            found = found.join(seen[digest])
        return found

    def _still_true(self) -> dict[bytes, Label]:
        """What was read before, as long as nobody wrote to the database; nothing on PostgreSQL: it cannot tell."""
        version = self._database.version(ROOM)
        if version is None:
            return {}
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
                made[self._digest(data) if len(data) <= LONG_BYTES else self._long_digest(data)] = None
        return sorted(made)  # one order everywhere, so that two transactions never wait for each other

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()

    def _long_digest(self, data: bytes) -> bytes:
        tag = self._tag(data)
        digest = self._digest_by_tag.get(tag)
        if digest is None:
            if len(self._digest_by_tag) >= DIGESTS_LIMIT:
                self._digest_by_tag.clear()
            digest = self._digest_by_tag[tag] = self._digest(data)
        return digest


def _known(session: Session, digests: Sequence[bytes]) -> Iterable[tuple[bytes, Label]]:
    for start in range(0, len(digests), AT_ONCE):
        some = {f"d{number}": digest for number, digest in enumerate(digests[start : start + AT_ONCE])}
        places = ", ".join(f":{name}" for name in some)
        for digest, label in session.all(
            f"SELECT digest, label FROM answer_labels WHERE digest IN ({places})",  # noqa: S608 - names of ours
            some,
        ):
            yield bytes(digest), parse_label(label)
