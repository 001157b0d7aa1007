"""What `selat up` does before it only watches: furnish, wait, ask; each in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.cli.frame import show_json
from selat.cli.welcome import QUESTION, first_question, peer, wait_until_ready, what_next, where_to_look
from selat.core.errors import Unavailable
from selat.core.proof import verify
from selat.errand import cut_short
from selat.home import Home
from selat.house import furnish
from selat.identity import KeyWish
from selat.kits import guides
from selat.ledger import Book

_BRIEF = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Opening:
    """A house that opens: its home, its gateway's address and certificate, and where its console is."""

    at: Home
    address: str
    certificate: Path | None
    console: str


def welcome(opening: Opening, reached: Callable[[], None], *, as_json: bool) -> None:
    """Furnish the home; ingest the samples and ask while the gateway starts; then show what came of it.

    `reached` is called when the home is furnished, when the gateway is ready, and when the question is answered:
    before that is shown, since who reads it may stop Selat at once, which interrupts no start any more.
    """
    parent = os.getppid()
    home, gateway = opening.at.path, peer(opening.address, opening.certificate)
    secret = furnish(opening.at)
    with open_platform(home, "up") as platform, cut_short():
        _ = platform.guard  # compiled here and kept in the cache: no worker then holds the 15 MB that it takes
    reached()
    _ingest_samples(opening.at)
    asked = _ask(home)
    with _brief_key(opening.at) as key:
        wait_until_ready(gateway, parent)
        reached()
        trust = Book(opening.at.ledger).trust()
        answer = first_question(gateway, key, asked, home / "receipts", lambda proof: _checked(proof, trust))
    link = _first_link(home)
    console = f"{opening.console.rstrip('/') or opening.address}/{f'welcome?link={link}' if link else ''}"
    reached()
    if as_json:
        show_json({"address": opening.address, "key": secret, "console": console, **answer.to_json()})
    else:
        answer.print()
        what_next(opening.address, secret, home)
        where_to_look(console, first=link is not None)


def _ask(home: Path) -> dict[str, object]:
    """The first question and its answer, decided and booked like any.

    Asked here, not of the gateway: its workers stay in memory, and few of them are ever asked of documents.
    """
    from selat.cli.ask import Asker  # once the home is furnished: the gateway starts meanwhile

    with open_platform(home, "up") as platform:
        return asyncio.run(Asker(platform, DEFAULT_TENANT, "", "").ask(QUESTION, ""))


def _first_link(home: Path) -> str | None:
    """The secret of a link that lets the first person in to the console; None once anybody has an account."""
    with open_platform(home, "up") as platform:
        return None if platform.people.any() else platform.people.link(DEFAULT_TENANT)


def _checked(proof: str, trust: str) -> str:
    """What the offline check of a proof found. Raises: LedgerBroken, when it does not verify."""
    receipt = verify(proof, trust)
    head = receipt.checkpoint
    return f"leaf {receipt.index} of {head.size}, under the signed checkpoint of {head.origin}"


def _ingest_samples(home: Home) -> None:
    """Once for each version of them: a later start need not read them again, nor bring back what was removed."""
    told, files = home.cache / "samples.ingested", sorted(path for path in guides().rglob("*") if path.is_file())
    version = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()
    if told.exists() and told.read_text("utf-8") == version and any(home.knowledge.iterdir()):
        return
    from selat.cli.ingest import take_in  # as above
    from selat.flows.ingest import Intake

    with open_platform(home.path, "up") as platform:
        given = platform.keys.tenant(DEFAULT_TENANT).highest_label
        report = take_in(platform, [guides()], Intake(DEFAULT_TENANT, "documents", given))
    if report.failed and not report.added and not report.unchanged:
        raise Unavailable(f"the sample documents could not be ingested: {next(iter(report.failed.values()))}")
    told.write_text(version, "utf-8")


@contextmanager
def _brief_key(home: Home) -> Iterator[str]:
    """An API key for the first question, revoked at the end; its secret. It expires by itself after a crash."""
    platform = Platform(home, "up")
    try:
        clearance = platform.keys.tenant(DEFAULT_TENANT).highest_label
        expires = datetime.now(UTC) + _BRIEF
        made = platform.create_key(KeyWish("selat up", frozenset({"builder"}), clearance, expires=expires))
        try:
            yield made.secret
        finally:
            platform.revoke_key(made.record.id)
    finally:
        platform.close()
