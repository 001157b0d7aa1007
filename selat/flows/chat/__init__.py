"""chat: a caller asks a model; Selat scans, decides, books, sends, watches the answer and books its end.

This is the only road to an engine. No receipt, no answer: the opening entry is durable before the prompt
leaves, and the closing entry is written by a plain call for whatever reason the answer ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from selat.core.decision import Deny
from selat.core.entry import SALT_BYTES, Commitment, Opening, commitment
from selat.core.errors import Forbidden, LedgerUnavailable, NotFound, TooMany
from selat.core.finding import Scan
from selat.engines import Engine, Router, affinity_key
from selat.flows.chat.decide import Option, Options, merge, scan_ask
from selat.flows.chat.desk import Desk
from selat.flows.chat.lane import Told, lane_of, told_of
from selat.flows.chat.one_by_one import one_by_one
from selat.flows.chat.outcome import outcome_of
from selat.flows.chat.sent import Sent, Shape, Whole
from selat.flows.chat.streamed import Streamed
from selat.ledger import Ticket
from selat.wire import Ask, language_of

__all__ = ["Desk", "Streamed", "Whole", "chat", "one_by_one"]

THREADED_BYTES = 256 * 1024
"""A larger body is scanned in a thread, so that one caller does not hold up the others; so is every body where
detectors of other makers take part, which are slow."""


async def chat(desk: Desk, ask: Ask, shape: Shape | None = None) -> Whole | Streamed:
    """Ask a model: an answer, or a stream whose `close` the door must call.

    `shape` turns a whole answer's bytes into those the caller gets, before they are committed to.
    Raises: NotFound before anything is read; Forbidden, LedgerUnavailable and EngineError once it is booked.
    """
    timing = ask.timing
    timing.begun = time.monotonic()
    engines = desk.shelf.lookup(ask.model)
    if not engines:
        # The caller's word for a model is its own text: it is not repeated in the log or the ledger.
        raise NotFound(f"no such model; registered: {', '.join(desk.shelf.models())}. Add one: selat engine add")
    if len(ask.body) > THREADED_BYTES or desk.guard.detectors:
        scans = await asyncio.to_thread(scan_ask, desk.guard, ask.document)
    else:
        scans = scan_ask(desk.guard, ask.document)
    scan = merge(scans.values())
    timing.scanned = time.monotonic()
    lane = lane_of(desk, ask, scan, engines)
    way = route(desk.router, ask, lane.options, scans)
    if not way:
        denied = lane.options.denied[0]
        receipt = await _refused(desk, ask, scan, denied)
        raise Forbidden(denied.decision.reason, rules=denied.decision.rules, receipt=receipt)
    try:
        settle = desk.reserve(ask, way[0].engine.name)
    except TooMany as full:
        # The full limit's id stands where a policy's would: the book shows why nothing was sent.
        decision = Deny((full.limit,), str(full), way[0].decision.basis)
        full.receipt = await _refused(desk, ask, scan, Option(way[0].engine, decision))
        raise
    told = lane.told(desk, ask, scan, way[0])
    opening = _opening(desk, ask, told)
    timing.decided = time.monotonic()
    try:
        ticket = _book(desk, ask, opening, told)
    except LedgerUnavailable:
        settle(None)
        raise
    sent = Sent(desk, ask, opening, settle)
    try:
        if desk.durable_first:
            await ticket
        timing.booked = time.monotonic()
        await sent.send(way, scans)
        if not desk.durable_first:
            await ticket
        return await sent.reply(shape)
    except BaseException as error:
        # Also a hang-up, which arrives as a cancellation: the plain call still books the end.
        sent.close(outcome_of(error), getattr(error, "status", 499))
        raise


def route(router: Router, ask: Ask, options: Options[Engine], scans: Iterable[str]) -> list[Option[Engine]]:
    """The engines to try, in order: those that may have the ask as it is, then those that may have it masked.

    Empty only when policy denies every one: while all that it allows are resting after failures, the first
    is tried all the same, since a failure then is the engine's to name.
    """
    permitted, masked, _ = options
    if len(permitted) == 1 and not masked:
        router.takes(permitted[0].engine)  # whatever it says, there is no other
        return permitted
    way: list[Option[Engine]] = []
    for group in (permitted, masked):
        if not group:
            continue
        if len(group) == 1:
            way += group if router.takes(group[0].engine) else []
            continue
        _, ordered = router.order([option.engine for option in group], affinity_key(ask.caller.tenant, scans))
        by_name = {option.engine.name: option for option in group}
        way += [by_name[engine.name] for engine in ordered]
    return way or [*permitted, *masked][:1]


async def _refused(desk: Desk, ask: Ask, scan: Scan, option: Option[Engine]) -> str:
    """Book a denial durably; its id."""
    told = told_of(desk, ask, scan, option)
    opening = _opening(desk, ask, told)
    ask.timing.decided = time.monotonic()
    await _book(desk, ask, opening, told)
    ask.timing.booked = ask.timing.ended = time.monotonic()
    desk.timed(ask.timing, opening, None)
    return opening.id


def _book(desk: Desk, ask: Ask, opening: Opening, told: Told) -> Ticket:
    """Append an opening or a refusal to the journal and count it; the ticket tells when it is durable."""
    ticket = desk.journal.append(told.form.leaf(opening), _secrets(ask, opening))
    desk.count(opening)
    return ticket


def _opening(desk: Desk, ask: Ask, told: Told) -> Opening:
    salt = desk.entropy(SALT_BYTES)
    prompt = Commitment(commitment(salt, ask.body), len(ask.body), salt)
    return Opening(desk.fresh_id(), desk.now(), *told.about, prompt, told.packs, language_of(ask.document))


def _secrets(ask: Ask, opening: Opening) -> dict[str, bytes]:
    """What goes beside the entry, never into it: the salt, and the words where the tenant has them kept."""
    if ask.caller.keeps_content:
        return {"prompt": opening.prompt.salt, "prompt.text": ask.body}
    return {"prompt": opening.prompt.salt}
