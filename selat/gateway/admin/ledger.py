"""The ledger: whether it is whole, and who asked what; bounded, and no content."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Annotated, Literal

from msgspec import Meta

from selat.core.errors import Unavailable
from selat.gateway.admin.route import ANYONE, OVERSEERS, PREFIX, Route, Visit
from selat.gateway.admin.words import Asked, Text, Told
from selat.ledger import Asked as AskedRequest
from selat.ledger import Question
from selat.ledger.check import check
from selat.ledger.query import query

MOST_CHECKED = 250_000
"""Entries that are checked over HTTP: seconds of work. A longer ledger is checked by `selat ledger check`."""
_checking = threading.Lock()
When = Annotated[
    str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z)?)?$", description="RFC 3339, UTC")
]


class RemarkCard(Told):
    """Something that does not fit, or that an operator should know."""

    kind: str
    what: str


class CheckCard(Told):
    """Whether every entry leads to the signed root; `orphans` were opened and not closed (leaf, receipt id)."""

    ok: bool
    origin: str
    size: int
    signers: list[str]
    problems: list[RemarkCard]
    notes: list[RemarkCard]
    orphans: list[tuple[int, str]]
    orphan_count: int


class LedgerQuery(Asked):
    """Which requests. `label` is a level or stricter; `since` is included, `until` not."""

    since: When = ""
    until: When = ""
    caller: Text = ""
    model: Text = ""
    purpose: Text = ""
    label: Text = ""
    decision: Literal["", "permit", "redact", "deny"] = ""
    rule: Text = ""
    open: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


def check_(visit: Visit) -> object:
    """One at a time: it reads the whole log."""
    size = visit.platform.book.size
    if size > MOST_CHECKED:
        raise Unavailable(f"the ledger holds over {MOST_CHECKED} entries; check it by: selat ledger check")
    if not _checking.acquire(blocking=False):
        raise Unavailable("the ledger is being checked for another caller; try again in a few seconds")
    try:
        files = not visit.platform.settings.ledger_database
        report = check(visit.platform.home.ledger, journals=files)
    finally:
        _checking.release()
    return {**asdict(report), "ok": report.ok}


def query_(visit: Visit) -> object:
    """Overseers see the tenant's requests, everyone else their own."""
    asked: LedgerQuery = visit.query
    mine = not visit.caller.roles & OVERSEERS
    if mine and asked.caller not in ("", visit.caller.key):
        return []
    question = Question(
        since=asked.since,
        until=asked.until,
        tenant=visit.tenant,
        caller=visit.caller.key if mine else asked.caller,
        model=asked.model,
        purpose=asked.purpose,
        label=asked.label,
        decision=asked.decision,
        rule=asked.rule,
        open_only=asked.open,
        limit=asked.limit,
    )
    return list(query(visit.platform.home.ledger, question))


ROUTES: tuple[Route, ...] = (
    Route(
        *("GET", f"{PREFIX}/ledger/check", OVERSEERS, "Read the whole ledger and name all that does not fit."),
        *(check_, CheckCard),
        house=True,
    ),
    Route(
        *("GET", f"{PREFIX}/ledger/requests", ANYONE, "Requests: who asked what, and what was decided."),
        *(query_, list[AskedRequest]),
        query=LedgerQuery,
    ),
)
