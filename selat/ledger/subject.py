"""Answers a data subject (PDPA 2010 ss 30 ff. access, s 10 retention): find, hand over, forget what is held."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from selat.core.entry import Change
from selat.core.errors import BadRequest, NotFound, SelatError
from selat.core.proof import verify
from selat.ledger.book import Book
from selat.ledger.facts import facts
from selat.ledger.intake import Intake
from selat.ledger.journal import Journal
from selat.ledger.place import Place, place_of
from selat.ledger.query import Question, query
from selat.ledger.words import holds

EVERY_S = 3600.0
log = logging.getLogger("selat.ledger")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data: requests of a tenant by a caller's key, by receipt ids, or whose kept content has `words`.

    Entries hold no words: `words` finds only where content is kept. Each part given adds requests.
    """

    tenant: str
    caller: str = ""
    receipts: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """One request: its leaves, and the names of the secrets that the vault has for it."""

    receipt: str
    leaves: tuple[int, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """`secrets` of `receipts` requests are gone; `verified` of their entries still verify under the log's key.

    `waiting` journals still hold some of them: the sequencer removes these within about two minutes.
    """

    receipts: int
    secrets: int
    verified: int
    waiting: int


def find(place: Path | Place, subject: Subject) -> list[Held]:
    """What is held of a subject, by time. Raises: BadRequest, when nothing says who; LedgerBroken."""
    if not subject.tenant or not (subject.caller or subject.receipts or subject.words):
        raise BadRequest("subject: give the tenant, and a caller, receipt ids or words", param="subject")
    place = place_of(place)
    vault, book = place.vault(), Book(place)
    found: dict[str, None] = {}
    if subject.caller:
        asked = query(place.folder, Question(tenant=subject.tenant, caller=subject.caller))
        found |= dict.fromkeys(one.receipt for one in asked)
    for receipt in subject.receipts:
        leaves = book.find(receipt)
        if leaves and facts(book.leaf(leaves[0])).tenant == subject.tenant:
            found[receipt] = None
    if subject.words:
        contents = vault.contents(subject.tenant)
        found |= dict.fromkeys(row.receipt for row in contents if holds(row.value, subject.words))
    held = []
    for receipt in found:
        found_at = book.find(receipt)
        names = sorted({name for named in vault.of(subject.tenant, found_at).values() for name in named})
        held.append(Held(receipt, tuple(found_at), tuple(names)))
    return sorted(held, key=lambda one: one.leaves)


def erase(place: Path | Place, subject: Subject, by: str) -> Erased:
    """Forget the secrets of a subject's requests, say so in the ledger, and verify that every entry stands.

    `by` is the officer's key id. The entry `subject.erased` holds counts and one digest, not the receipt ids:
    those together would tell what belongs to one person. Raises: NotFound, when nothing is held; LedgerBroken.
    """
    place = place_of(place)
    held = find(place, subject)
    if not held:
        raise NotFound("subject: nothing is held of them under this tenant")
    receipts = [one.receipt for one in held]
    count = place.vault().forget(subject.tenant, (leaf for one in held for leaf in one.leaves))
    digest = hashlib.sha256("\n".join(sorted(receipts)).encode()).hexdigest()
    facts_: dict[str, object] = {"receipts": len(receipts), "secrets": count, "digest": digest}
    _say(place.journal("subject"), Change("subject.erased", "", "", subject.tenant, by, facts_))
    book = Book(place)
    trust = "\n".join(line for line in book.trust().splitlines() if line.startswith("log ")) + "\nquorum none\n"
    verified = sum(verify(book.proof(leaf), trust).index == leaf for one in held for leaf in one.leaves)
    return Erased(len(receipts), count, verified, _waiting(place.folder, frozenset(receipts)))


def expire(place: Path | Place, days: int, tenant: str = "", by: str = "ledger") -> int:
    """Forget secrets of entries older than `days`, of one tenant or all; an entry `secrets.expired` says so."""
    before = _time(datetime.now(UTC) - timedelta(days=days))
    place = place_of(place)
    count = place.vault().expire(before, tenant)
    if count:
        change = Change("secrets.expired", "", "", tenant, by, {"secrets": count, "before": before})
        _say(place.journal("subject"), change)
    return count


def expire_content(place: Path | Place, tenant: str, days: int) -> int:
    """Forget a tenant's prompts and answers older than `days` (0: all), not their salts; an entry says so."""
    place, before = place_of(place), _time(datetime.now(UTC) - timedelta(days=days))
    count = place.vault().expire_content(before, tenant)
    if count:
        change = Change("content.expired", "", "", tenant, "ledger", {"texts": count, "before": before})
        _say(place.journal("subject"), change)
    return count


class Keeping(threading.Thread):
    """Expires, now and every hour: secrets older than `days` (0 keeps them all), and content that tenants keep.

    `content_days` gives, by tenant, how long content is kept; 0 for none, also for what was kept before.
    """

    def __init__(
        self, place: Path | Place, days: int, content_days: Callable[[], Mapping[str, int]] = dict[str, int]
    ) -> None:
        super().__init__(name="keeping", daemon=True)
        self._place, self._days, self._content_days = place, days, content_days

    def run(self) -> None:
        while True:
            try:
                if self._days > 0:
                    count = expire(self._place, self._days)
                    log.info("ledger: %d secrets older than %d days erased", count, self._days)
                # Whose it is is asked only where there is any: what knows it would take a third of our memory.
                kept = self._content_days() if place_of(self._place).vault().holds_content() else {}
                for tenant, days in kept.items():
                    if texts := expire_content(self._place, tenant, days):
                        log.info("ledger: %d texts older than %d days erased", texts, days)
            except SelatError as error:
                log.warning("ledger: expiry waits: %s", error)
            time.sleep(EVERY_S)


def _say(journal: Journal, change: Change) -> None:
    now = _time(datetime.now(UTC))
    whole = Change(change.kind, f"{change.kind}-{now}", now, change.tenant, change.caller, change.facts)
    journal.start()
    try:
        journal.append(whole.leaf()).wait()
    finally:
        journal.close()


def _waiting(folder: Path, receipts: frozenset[str]) -> int:
    """Journals that still hold records with secrets of these receipts."""
    intake = Intake(folder)
    parts = (intake.read(name, None) for name in intake.names())
    return sum(
        any(record.secrets and facts(record.leaf).id in receipts for record in part.records)
        for part in parts
        if part is not None
    )


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
