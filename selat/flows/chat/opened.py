"""The first half of the road, in plain calls: who may serve an ask, what is set aside, and its opening booked."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from selat.core.decision import Deny
from selat.core.entry import SALT_BYTES, Commitment, Opening, commitment
from selat.core.errors import Forbidden, NotFound, TooMany
from selat.core.finding import Scan
from selat.engines import Engine, Router, affinity_key
from selat.flows.chat.decide import Option, Options, Scanned, merge
from selat.flows.chat.desk import DOCUMENTS, Desk
from selat.flows.chat.lane import Course, course_of, lane_of
from selat.flows.chat.sent import Sent
from selat.ledger import Ticket, secret
from selat.wire import CHAT, Ask, language_of

S = TypeVar("S", bound=Sent)


class Refusal(NamedTuple):
    """Why nothing is sent: to be booked with this decision at this engine, then raised."""

    error: Forbidden | TooMany
    option: Option[Engine]
    scan: Scan


def enter(desk: Desk, ask: Ask) -> tuple[Engine, ...]:
    """The engines that run the model asked for. Raises: NotFound."""
    ask.timing.begun = time.monotonic()
    engines = desk.shelf.lookup(ask.model)
    if not engines:
        # The caller's word for a model is its own text: it is not repeated in the log or the ledger.
        names = (DOCUMENTS, *desk.shelf.models()) if ask.api.path == CHAT else desk.shelf.models()
        raise NotFound(f"no such model; there are: {', '.join(names)}. Add one: selat engine add")
    return engines


def opened(kind: type[S], desk: Desk, ask: Ask, engines: tuple[Engine, ...], scanned: Scanned) -> S | Refusal:
    """Decide, route, set aside and book an ask that was scanned: what is then to be sent, as soon as it may.

    A Refusal is not booked yet: that is waited for. Raises: LedgerUnavailable; nothing is then set aside.
    """
    scan = merge(scanned.scans)
    ask.timing.scanned = time.monotonic()
    lane = lane_of(desk, ask, scan, engines)
    way = lane.only
    if way is None:  # else there is no other, whatever its breaker says
        way = route(desk.router, ask, lane.options, scanned.texts)
        if not way:
            denied = lane.options.denied[0]
            decision = denied.decision
            return Refusal(Forbidden(decision.reason, rules=decision.rules), denied, scan)
    course = lane.course or lane.course_at(desk, ask, way[0])
    try:
        settle = desk.reserve(ask, course.name)
    except TooMany as full:
        # The full limit's id stands where a policy's would: the book shows why nothing was sent.
        deny = Deny((full.limit,), str(full), way[0].decision.basis)
        return Refusal(full, Option(course.engine, deny), scan)
    try:
        opening, ticket = _book(desk, ask, course)
        sent = kind(desk, ask, opening, settle)
        sent.ticket, sent.lane, sent.way, sent.scanned, sent.course = ticket, lane, way, scanned, course
    except BaseException:
        settle(None)
        raise
    return sent


async def refuse(desk: Desk, ask: Ask, refusal: Refusal) -> Forbidden | TooMany:
    """Book a refusal durably: its error, to be raised. Raises: LedgerUnavailable."""
    error, option, scan = refusal
    timing = ask.timing
    opening, ticket = _book(desk, ask, course_of(desk, ask, scan, option))
    await ticket
    timing.booked = timing.ended = time.monotonic()
    desk.timed(timing, opening, None)
    error.receipt = opening.id
    return error


def route(router: Router, ask: Ask, options: Options[Engine], texts: Iterable[str]) -> list[Option[Engine]]:
    """The engines to try, in order: those that may have the ask as it is, then those that may have it masked.

    Empty only when policy denies every one: while all that it allows are resting after failures, the first
    is tried all the same, since a failure then is the engine's to name.
    """
    permitted, masked, _ = options
    way: list[Option[Engine]] = []
    for group in (permitted, masked):
        if not group:
            continue
        if len(group) == 1:
            way += group if router.takes(group[0].engine) else []
            continue
        _, ordered = router.order([option.engine for option in group], affinity_key(ask.caller.tenant, texts))
        by_name = {option.engine.name: option for option in group}
        way += [by_name[engine.name] for engine in ordered]
    return way or [*permitted, *masked][:1]


def _book(desk: Desk, ask: Ask, course: Course) -> tuple[Opening, Ticket]:
    """Append an opening or a refusal to the journal and count it; the ticket tells when it is durable."""
    ask.timing.decided = time.monotonic()
    salt, body = desk.entropy(SALT_BYTES), ask.body
    prompt = Commitment(commitment(salt, body), len(body), salt)
    id_, time_ = desk.stamp()
    opening = Opening(id_, time_, course.about, prompt, language_of(ask.document, ask.last))
    # Beside the entry, never in it: the salt, and the words where the tenant has them kept.
    secrets = secret("prompt", salt)
    if ask.caller.keeps_content:
        secrets += secret("prompt.text", body)
    ticket = desk.journal.append(course.form.leaf(opening), secrets)
    desk.count(opening)
    return opening, ticket
