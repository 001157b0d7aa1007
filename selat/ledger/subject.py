"""Answers a data subject (PDPA 2010 ss 30 ff. access, s 10 retention): find, hand over, forget what is held."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from selat.core.entry import Change
from selat.core.errors import BadRequest, NotFound
from selat.core.proof import verify
from selat.ledger.book import Book
from selat.ledger.facts import facts
from selat.ledger.intake import Intake
from selat.ledger.keeping import book as book_change
from selat.ledger.place import Place, place_of
from selat.ledger.query import Question, query
from selat.ledger.store import parts
from selat.ledger.words import holds


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
    book_change(place.journal("subject"), Change("subject.erased", "", "", subject.tenant, by, facts_))
    book = Book(place)
    trust = "\n".join(line for line in book.trust().splitlines() if line.startswith("log ")) + "\nquorum none\n"
    verified = sum(verify(book.proof(leaf), trust).index == leaf for one in held for leaf in one.leaves)
    return Erased(len(receipts), count, verified, _waiting(place.folder, frozenset(receipts)))


def _waiting(folder: Path, receipts: frozenset[str]) -> int:
    """Journals that still hold records with secrets of these receipts."""
    intake = Intake(folder)
    return sum(
        any(
            record.secrets and facts(record.leaf).id in receipts
            for part in parts(intake, name)
            for record in part.records
        )
        for name in intake.names()
    )
