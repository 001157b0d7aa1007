"""in force: which policy set decides, and which came in bundles; booked, and read back from the book."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selat.core.decision import Basis
from selat.ledger import Book, changed

KIND, PROPOSED, ACTIVATED = "policy.in_force", "policy.proposed", "policy.activated"
Record = Callable[[str, dict[str, object]], str]
"""Books a change of the house: kind, facts; the receipt id."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A set that came into force: its digests (hex SHA-256), when, by whom, and the entry that says so."""

    set: str
    schema: str
    proof: str
    since: str
    by: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Came:
    """A set that came in a bundle: as a proposal, or `activated`. `folder` is its name under `policy.proposed`."""

    folder: str
    activated: bool
    set: str
    when: str
    by: str
    receipt: str


def book_set(told: Path, basis: Basis, record: Record) -> bool:
    """Book that this set decides from now on, unless it is the one booked last, which `told` remembers.

    However many workers see a change, one of them books it. Raises: LedgerUnavailable; the next try books it then.
    """
    told.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(told, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now = f"{basis.set_hash} {basis.schema_hash} {basis.proof}"
        if file.read() == now:
            return False
        record(KIND, {"set": basis.set_hash, "schema": basis.schema_hash, "proof": basis.proof or "not proved"})
        file.seek(0)
        file.truncate()
        file.write(now)
    return True


def history(book: Book, folder: Path, tenant: str, limit: int = 10) -> list[InForce]:
    """The sets that were in force, the latest first. `tenant` is the one that the house books under."""
    found = []
    for row in changed(folder, tenant, limit=limit, kind=KIND):
        facts = json.loads(book.leaf(row.leaf))["facts"]
        found.append(InForce(facts["set"], facts["schema"], facts["proof"], row.time, row.caller, row.id))
    return found


def came(book: Book, folder: Path, tenant: str, limit: int = 5) -> list[Came]:
    """The sets that came in bundles, the latest first."""
    rows = [row for kind in (PROPOSED, ACTIVATED) for row in changed(folder, tenant, limit=limit, kind=kind)]
    found = []
    for row in sorted(rows, key=lambda row: row.leaf, reverse=True)[:limit]:
        facts = json.loads(book.leaf(row.leaf))["facts"]
        activated = row.kind == ACTIVATED
        found.append(Came(facts["folder"], activated, facts.get("set", ""), row.time, row.caller, row.id))
    return found
