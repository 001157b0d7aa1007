"""chat: a caller asks a model; Selat scans, decides, books, sends, watches the answer and books its end.

This is the only road to an engine. No receipt, no answer: the opening entry is durable before the prompt
leaves, and the closing entry is written by a plain call for whatever reason the answer ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from selat.core.decision import Decision, Deny, Permit, Redact
from selat.core.entry import Closing, Commitment, Committer, Opening, Usage
from selat.core.errors import (
    EngineError,
    EngineGarbage,
    EngineTimeout,
    Forbidden,
    GuardFailed,
    LedgerUnavailable,
    NotFound,
)
from selat.core.finding import CLEAN, Scan
from selat.core.label import Label
from selat.engines import Answer, Call, Engine
from selat.flows.meter import Settle, free
from selat.guard import Guard, Mask, Restorer, StreamScanner
from selat.ledger import Journal
from selat.policy import UNREGISTERED, AuthorizationRequest, Decider
from selat.wire import Ask, Events, read_answer, rewrite, texts

log = logging.getLogger("selat.chat")

MAX_ANSWER_BYTES = 64 * 2**20
THREADED_BYTES = 256 * 1024
"""A larger body is scanned in a thread, so that one caller does not hold up the others."""
# The bytes of core's `canonical`, for entries, in a tenth of its time; a test holds the two together.
_canonical = msgspec.json.Encoder(order="sorted").encode
_JSON = "application/json"
_EVENTS = "text/event-stream"


Shape = Callable[[bytes], bytes]


class Shelf(Protocol):
    """The engines that run a model, best first; and the names of all models."""

    def lookup(self, model: str) -> Sequence[Engine]: ...
    def models(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the flow joins. `now` gives RFC 3339 UTC text, `entropy` that many fresh random bytes.

    `durable_first`: the opening entry is on disk before the prompt is sent; else before the answer's first byte.
    `count` is told of each opening and closing, for metrics. `reserve` sets aside what an Ask may spend at an
    engine, or raises TooMany.
    """

    guard: Guard
    decider: Decider
    shelf: Shelf
    journal: Journal
    now: Callable[[], str]
    entropy: Callable[[int], bytes]
    fresh_id: Callable[[], str]
    count: Callable[[Opening | Closing], None]
    reserve: Callable[[Ask, str], Settle] = lambda ask, engine: free
    durable_first: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece. `label` is the answer's, `opening` the entry under whose id it is booked."""

    status: int
    content_type: str
    body: bytes
    label: Label
    opening: Opening


class Sent:
    """One request on its way: what was booked of it, what masks it, and the one place that books its end."""

    def __init__(self, desk: Desk, ask: Ask, opening: Opening, settle: Settle) -> None:
        self.desk = desk
        self.settle = settle
        self.ask = ask
        self.opening = opening
        self.mask = Mask() if isinstance(opening.decision, Redact) else None
        self.answer: Answer | None = None
        self.written = Committer(desk.entropy(32))
        self.scan = CLEAN
        self.usage = Usage()
        self._started = time.monotonic()
        self._first_ms: int | None = None
        self.closed = False

    def outgoing(self, scans: dict[str, Scan], engine: Engine) -> bytes:
        """The caller's own bytes, unless masking or the engine's name for the model changes them."""
        document: object = self.ask.document
        if self.mask is not None:
            mask = self.mask
            document = rewrite(document, lambda text: mask.redact(text, scans[text].findings))
        name = engine.upstream_model(self.ask.model)
        if name != self.ask.model and isinstance(document, dict):
            document = {**document, "model": name}
        return self.ask.body if document is self.ask.document else msgspec.json.encode(document)

    async def read(self) -> bytes:
        """The engine's whole answer. Raises: EngineGarbage, when it is longer than MAX_ANSWER_BYTES."""
        assert self.answer is not None
        pieces: list[bytes] = []
        size_bytes = 0
        async for piece in self.answer.chunks():
            self.arrived()
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > MAX_ANSWER_BYTES:
                raise EngineGarbage(f"engine '{self.opening.engine}' answered more than {MAX_ANSWER_BYTES} bytes")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def whole(self, shape: Shape | None) -> Whole:
        body = await self.read()
        answer = read_answer(body, self.opening.engine)
        self.usage = answer.usage
        self.scan = merge(scan_texts(self.desk.guard, answer.texts).values())
        if self.mask is not None:
            body = answer.restored(self.mask.restore)
        return self._finish(200, body if shape is None else shape(body))

    async def refusal(self) -> Whole:
        """The engine's own 4xx is the caller's to mend and passes; its other failures are ours to name."""
        assert self.answer is not None
        status = self.answer.status
        if status in (401, 403):
            raise EngineError(f"engine '{self.opening.engine}' refused our key ({status}); check its key_env")
        if status >= 500:
            raise EngineError(
                f"engine '{self.opening.engine}' failed with status {status}; try again or another model"
            )
        body = await self.read()
        if self.mask is not None:
            restored = rewrite(msgspec.json.decode(body), self.mask.restore)
            body = msgspec.json.encode(restored)
        return self._finish(status, body)

    def restoring(self) -> Callable[[bool], Restorer] | None:
        """A maker of restorers for the channels of a stream, or None where nothing was masked."""
        mask = self.mask
        return None if mask is None else lambda inside_json: Restorer(mask, json_string=inside_json)

    def arrived(self) -> None:
        if self._first_ms is None:
            self._first_ms = self._elapsed_ms()

    def label(self) -> Label:
        """The answer's label: the join of all that went in and what was found in it."""
        return self.opening.label.with_personal(self.scan.personal)

    def close(self, outcome: str, status: int) -> None:
        """Book how it ended, once, by a plain call: awaited, it would be cancelled with a caller who hung up."""
        if self.closed:
            return
        self.closed = True
        closing = Closing(
            id=self.opening.id,
            time=self.desk.now(),
            tenant=self.opening.tenant,
            outcome=outcome,
            status=status,
            label=self.label(),
            scan=self.scan,
            usage=self.usage,
            answer=self.written.commitment(),
            duration_ms=self._elapsed_ms(),
            first_ms=self._first_ms,
        )
        try:
            self.desk.journal.append(_canonical(closing.to_json()), {"answer": closing.answer.salt})
        except LedgerUnavailable as error:
            # The opening is durable, so the missing closing shows as an orphan: never a gap.
            log.error("closing of %s not booked: %s", closing.id, error)
        self.settle(None if self.answer is None else self.usage)
        self.desk.count(closing)
        if self.answer is not None and outcome != "complete":
            _background(self.answer.close())

    def _finish(self, status: int, body: bytes) -> Whole:
        assert self.answer is not None
        self.written.update(body)
        self.close("complete", status)
        return Whole(status, self.answer.content_type or _JSON, body, self.label(), self.opening)

    def _elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)


class Streamed:
    """An answer that streams. Take `chunks` once, and in the end, whatever happened, `close`: a plain call."""

    status = 200
    content_type = _EVENTS

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self._scanners: dict[str, StreamScanner] = {}
        self._events = Events(sent.opening.engine, self._watch, sent.restoring())
        self.opening = sent.opening
        self.label = sent.label()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The events for the caller. Raises: EngineError, when the engine breaks off."""
        sent = self._sent
        assert sent.answer is not None
        try:
            async for chunk in sent.answer.chunks():
                sent.arrived()
                if out := self._events.feed(chunk):
                    sent.written.update(out)
                    yield out
            if out := self._events.close():
                sent.written.update(out)
                yield out
        except EngineError as error:
            self._end(_outcome(error), error.status)
            raise
        self._end("complete", 200)

    def close(self) -> None:
        """Book a hang-up, unless the end is booked already."""
        self._end("cancelled", 499)

    def _end(self, outcome: str, status: int) -> None:
        if self._sent.closed:
            return
        self._sent.usage = self._events.usage
        self._sent.scan = merge([_close_scanner(scanner) for scanner in self._scanners.values()])
        self._sent.close(outcome, status)

    def _watch(self, channel: str, text: str) -> None:
        scanner = self._scanners.get(channel)
        if scanner is None:
            scanner = self._scanners[channel] = StreamScanner(self._sent.desk.guard)
        scanner.feed(text)


async def chat(desk: Desk, ask: Ask, shape: Shape | None = None) -> Whole | Streamed:
    """Ask a model: an answer, or a stream whose `close` the door must call.

    `shape` turns a whole answer's bytes into those the caller gets, before they are committed to.
    Raises: NotFound before anything is read; Forbidden, LedgerUnavailable and EngineError once it is booked.
    """
    engines = desk.shelf.lookup(ask.model)
    if not engines:
        # The caller's word for a model is its own text: it is not repeated in the log or the ledger.
        raise NotFound(f"no such model; registered: {', '.join(desk.shelf.models())}. Add one: selat engine add")
    if len(ask.body) > THREADED_BYTES:
        scans = await asyncio.to_thread(scan_texts, desk.guard, ask.document)
    else:
        scans = scan_texts(desk.guard, ask.document)
    scan = merge(scans.values())
    engine, decision = choose(desk.decider, ask, scan, engines)
    # Over its quota, a request is neither sent nor booked: nothing was done with the prompt.
    settle = free if isinstance(decision, Deny) else desk.reserve(ask, engine.name)
    opening = _opening(desk, ask, scan, engine, decision)
    try:
        ticket = desk.journal.append(_canonical(opening.to_json()), {"prompt": opening.prompt.salt})
    except LedgerUnavailable:
        settle(None)
        raise
    desk.count(opening)
    if isinstance(decision, Deny):
        await ticket
        raise Forbidden(decision.reason, rules=decision.rules, receipt=opening.id)
    sent = Sent(desk, ask, opening, settle)
    try:
        if desk.durable_first:
            await ticket
        call = Call(f"/v1{ask.api.path}", sent.outgoing(scans, engine), ask.stream, ask.caller.tenant)
        sent.answer = answer = await engine.send(call)
        if not desk.durable_first:
            await ticket
        if answer.status >= 400:
            return await sent.refusal()
        if ask.stream and answer.content_type.startswith(_EVENTS):
            return Streamed(sent)
        return await sent.whole(shape)
    except BaseException as error:
        # Also a hang-up, which arrives as a cancellation: the plain call still books the end.
        sent.close(_outcome(error), getattr(error, "status", 499))
        raise


def scan_texts(guard: Guard, document: object) -> dict[str, Scan]:
    """The scan of each distinct text; a scanner that fails gives `ok=False`, which policy denies."""
    scans: dict[str, Scan] = {}
    for text in texts(document):
        if text not in scans:
            try:
                scans[text] = guard.scan(text)
            except GuardFailed as error:
                log.error("scan failed: %s", error)
                scans[text] = Scan(ok=False)
    return scans


def merge(scans: Iterable[Scan]) -> Scan:
    """All findings and flags of several texts; positions are each within its own text."""
    told = [scan for scan in scans if scan is not CLEAN and (scan.findings or scan.flags or not scan.ok)]
    if not told:
        return CLEAN
    return Scan(
        tuple(finding for scan in told for finding in scan.findings),
        frozenset().union(*(scan.flags for scan in told)),
        all(scan.ok for scan in told),
    )


def choose(decider: Decider, ask: Ask, scan: Scan, engines: Sequence[Engine]) -> tuple[Engine, Decision]:
    """The first engine that policy permits; else the first it permits once masked; else the first denial."""
    action = "embed" if ask.api.name == "embeddings" else "infer"
    decided: list[tuple[Engine, Decision]] = []
    for engine in engines:
        request = AuthorizationRequest(
            ask.caller,
            action,
            engine.name,
            engine.site,
            ask.purpose,
            ask.label,
            scan,
            passport_needed=ask.purpose in ask.caller.passport_purposes,
        )
        decision = decider.decide(request)
        if isinstance(decision, Permit):
            return engine, decision
        decided.append((engine, decision))
    return next((pair for pair in decided if not isinstance(pair[1], Deny)), decided[0])


def _opening(desk: Desk, ask: Ask, scan: Scan, engine: Engine, decision: Decision) -> Opening:
    return Opening(
        id=desk.fresh_id(),
        time=desk.now(),
        tenant=ask.caller.tenant,
        caller=ask.caller.key,
        purpose=ask.purpose if ask.purpose in ask.caller.purposes else UNREGISTERED,
        api=ask.api.name,
        model=ask.model,
        engine=engine.name,
        site=engine.site,
        label=ask.label.with_personal(scan.personal),
        scan=scan,
        decision=decision,
        prompt=Commitment.to(ask.body, desk.entropy(32)),
    )


def _close_scanner(scanner: StreamScanner) -> Scan:
    try:
        return scanner.close()
    except GuardFailed as error:
        log.error("scan of an answer failed: %s", error)
        return Scan(ok=False)


_closing: set[asyncio.Task[None]] = set()


def _background(coroutine: Coroutine[object, object, None]) -> None:
    """Run an engine's `close` without awaiting it; the set keeps the task from being collected half-way."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _outcome(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    if isinstance(error, EngineTimeout):
        return "engine_timeout"
    return "engine_error" if isinstance(error, EngineError) else "failed"
