"""The second half of chat: the request on its way, its answer watched, and the one place that books its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NamedTuple

import msgspec

from selat.core.entry import (
    SALT_BYTES,
    Closing,
    Commitment,
    Committer,
    Opening,
    Rerouting,
    Usage,
    commitment,
)
from selat.core.errors import EngineError, EngineGarbage, LedgerUnavailable
from selat.core.finding import CLEAN, Scan
from selat.core.label import Label
from selat.engines import Answer, Call, Engine, at_hand, retry_after
from selat.flows.chat.decide import Option, Scanned, scan_all
from selat.flows.chat.desk import Desk
from selat.flows.chat.hedge import Hedge, race
from selat.flows.chat.lane import Course, Lane
from selat.flows.chat.outcome import outcome_of, overloaded, verdict_of
from selat.flows.chat.streamed import Streamed
from selat.flows.meter import Settle
from selat.guard import Answers, Mask, Restorer
from selat.ledger import Ticket, secret
from selat.wire import Ask, read_answer, read_refusal, rewrite, written
from selat.wire.events import Restoring

log = logging.getLogger("selat.chat")

NO_USAGE = Usage()
MAX_ANSWER_BYTES = 64 * 2**20
MAX_KEPT_BYTES = 8 * 2**20
HUNG_UP = 499
_NOT_ITS_DOING = ("cancelled", "failed")
"""Ends that say nothing of the engine: the caller's, and ours."""
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"

Shape = Callable[[bytes], Awaitable[bytes]]


class Whole(NamedTuple):
    """An answer in one piece. `label` is the answer's, `opening` the entry under whose id it is booked;
    `retry_after` says of a 429 when to ask again, if the engine did."""

    status: int
    content_type: str
    body: bytes
    label: Label
    opening: Opening
    retry_after: str = ""


class Kept(Committer):
    """A Committer that keeps what it commits to, for a tenant that has content kept: up to 8 MiB, else none."""

    __slots__ = ("_pieces", "_room")

    def __init__(self, salt: bytes) -> None:
        super().__init__(salt)
        self._pieces: list[bytes] = []
        self._room = MAX_KEPT_BYTES

    def update(self, data: bytes) -> None:
        super().update(data)
        self._room -= len(data)
        if self._room >= 0:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def text(self) -> bytes | None:
        return b"".join(self._pieces) if self._room >= 0 else None


class Sent:
    """One request on its way: what was booked of it, what masks it, and the one place that books its end.

    `lane`, `way` (the engines to try, in order), `course` (of the one that is next or at hand), `scanned` and
    `ticket` (of the opening) are set by who books it. Of the steps, those that wait are coroutines; the short way
    takes the others alone.
    """

    # On the class, since it is so until an answer has come.
    mask: Mask | None = None
    engine: str = ""
    answer: Answer | None = None
    scan: Scan = CLEAN
    usage: Usage = NO_USAGE
    closed: bool = False
    tried: int = 0
    _streams: bool = False
    _body: bytes = b""
    _first: float = 0.0

    lane: Lane
    course: Course
    scanned: Scanned
    way: list[Option[Engine]]
    ticket: Ticket
    written: Committer  # of a stream
    closing: Closing  # once it is closed

    def __init__(self, desk: Desk, ask: Ask, opening: Opening, settle: Settle) -> None:
        self.desk = desk
        self.settle = settle
        self.ask = ask
        self.opening = opening
        self._started = ask.timing.decided

    async def go(self, shape: Shape | None = None) -> Whole | Streamed:
        """Wait until the opening is durable, where that comes first; then send, and on to the reply.

        Raises: LedgerUnavailable, EngineError, GuardFailed; that is booked as the end.
        """
        try:
            if self.desk.durable_first:
                await self.ticket
            call = self.aim()
        except BaseException as error:
            self.fail(error)
            raise
        return await self.on(call, shape)

    async def on(self, call: Call | None, shape: Shape | None = None) -> Whole | Streamed:
        """The rest of the way: from a try begun with `call`, from the next one, or from the answer where it is."""
        try:
            if self.answer is None:
                await self._send(call)
            if not self.desk.durable_first:
                await self.ticket
            came = self.at_once()
            if isinstance(came, Streamed):
                return came
            status = 0 if self.answer is None else self.answer.status
            if came is None:
                came = self._heard(status, await self._read())
            return self.finish(came if shape is None or status >= 400 else await shape(came))
        except BaseException as error:
            # Also a hang-up, which arrives as a cancellation: the plain call still books the end.
            self.fail(error)
            raise

    async def _send(self, call: Call | None) -> None:
        """Send to the engine at hand, and on its failure before a first byte to the next.

        Each further try needs the retry budget, and an entry of its own that is durable before it goes.
        Raises: EngineError, the last try's.
        """
        while True:
            if call is None:
                await self._rebook(self.way[self.tried])
                call = self.aim()
            try:
                if self.hedges:
                    came: Answer | EngineError = await self._hedged(call)
                else:
                    came = await self.course.engine.send(call)
            except EngineError as error:
                came = error
            if not self.heed(came):
                return
            call = None

    @property
    def hedges(self) -> bool:
        """Whether another engine may be asked while the one at hand is slow to begin."""
        return self.desk.hedge_after_s > 0 and self.tried == 1 < len(self.way)

    def aim(self) -> Call:
        """Begin a try at the next engine: what goes there. `heed`, or in the end `close`, ends it."""
        first = self.tried == 0
        if first:
            self.ask.timing.booked = time.monotonic()
        else:
            self.course = self.lane.course_at(self.desk, self.ask, self.way[self.tried])
        self.tried += 1
        call, self.mask = self._call(self.course)
        self.engine = name = self.course.name
        self.desk.router.begin(name, first)
        return call

    def _call(self, course: Course) -> tuple[Call, Mask | None]:
        """What goes to an engine, and what masked it: what was scanned, under the engine's name for the model."""
        ask, mask, trace = self.ask, None, ""
        timing = ask.timing
        if course.masks:
            mask = Mask()
            body = self._masked(course, mask)
        elif course.model != ask.model:
            body = msgspec.json.encode({**ask.document, "model": course.model})
        else:
            body = written(ask)
        if timing.trace is not None:
            trace = timing.trace.sending(course.name, ask.model)
        return Call(course.path, body, ask.stream, ask.caller.tenant, ask.background, trace, timing), mask

    def _masked(self, course: Course, mask: Mask) -> bytes:
        found = self.scanned.by_text()
        document: Any = rewrite(self.ask.document, lambda text: mask.redact(text, found[text].findings))
        return msgspec.json.encode({**document, "model": course.model})

    def heed(self, came: Answer | EngineError) -> bool:
        """Take what a try came to; whether another engine is to be asked. Raises: EngineError, where none may."""
        if isinstance(came, EngineError):
            if self._may_pass_on(came.code, True, verdict_of(came)):
                return True
            raise came
        self.answer = came
        if came.status < 400 or not overloaded(came.status):
            return False
        if not self._may_pass_on(str(came.status), False, False):
            return False
        _background(came.close())
        self.answer = None
        return True

    def _may_pass_on(self, reason: str, ended: bool, ok: bool | None) -> bool:
        """End a try, with that verdict, if another may follow. `ended`: it did, whether or not."""
        timing, router = self.ask.timing, self.desk.router
        may = len(self.way) > self.tried and router.may_retry()
        if timing.trace is not None and (may or ended):
            timing.trace.failed(self.engine, reason)
        if may:
            router.end(self.engine, ok)
            timing.left += (self.engine,)
            self.engine = ""
        return may

    async def _hedged(self, call: Call) -> Answer:
        """The answer of the engine that begins first; the spare one is asked late, and booked before it is."""
        router, first, spare = self.desk.router, self.course.engine, self.way[self.tried]
        name = spare.engine.name
        asked: list[Mask | None] = []
        failed = False

        async def begin() -> Answer:
            nonlocal failed
            try:
                return await first.send(call)
            except EngineError:
                failed = True
                raise

        async def second() -> Answer:
            self.tried += 1
            await self._rebook(spare)
            late, mask = self._call(self.lane.course_at(self.desk, self.ask, spare))
            asked.append(mask)
            router.begin(name, first=False)
            try:
                return await spare.engine.send(late)
            except EngineError:
                router.end(name, False)
                asked.clear()
                raise

        hedge = Hedge(self.desk.hedge_after_s, router.may_retry, lambda answer: not overloaded(answer.status))
        try:
            answer, by_second = await race(begin, second, hedge)
        except BaseException:
            if asked:
                router.end(name, None)
            raise
        if by_second:
            router.end(self.engine, False if failed else None)
            self.ask.timing.left += (self.engine,)
            self.engine, self.mask = name, asked[0]
        elif asked:
            router.end(name, None)
        return answer

    async def _rebook(self, option: Option[Engine]) -> None:
        entry = Rerouting(
            self.opening.id,
            self.desk.now(),
            self.opening.about.tenant,
            option.engine.name,
            option.engine.site,
            option.decision,
        )
        await self.desk.journal.append(entry.leaf())

    def at_once(self) -> Streamed | bytes | None:
        """What came: a stream; the whole answer as the caller may have it; or None while that must be waited for.

        Raises: EngineError, GuardFailed.
        """
        answer, ask = self.answer, self.ask
        assert answer is not None
        if answer.status >= 400:
            self._ours(answer.status)
        elif ask.stream and answer.content_type.startswith(_EVENTS):
            self.written = (Kept if ask.caller.keeps_content else Committer)(self.desk.entropy(SALT_BYTES))
            self._streams = True
            return Streamed(self)
        body = at_hand(answer)
        if body is None:
            return None
        self._first = ask.timing.first = time.monotonic()
        return self._heard(answer.status, body)

    def _ours(self, status: int) -> None:
        """The engine's own 4xx is the caller's to mend and passes; its other failures are ours to name."""
        if status in (401, 403):
            raise EngineError(f"engine '{self.engine}' refused our key ({status}); check its key_env")
        if status >= 500:
            raise EngineError(f"engine '{self.engine}' failed with status {status}; try again or another model")

    async def _read(self) -> bytes:
        """The engine's whole answer. Raises: EngineGarbage, when it is longer than MAX_ANSWER_BYTES."""
        assert self.answer is not None
        pieces: list[bytes] = []
        size_bytes = 0
        async for piece in self.answer.chunks():
            self.arrived(time.monotonic())
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > MAX_ANSWER_BYTES:
                raise EngineGarbage(f"engine '{self.engine}' answered more than {MAX_ANSWER_BYTES} bytes")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _heard(self, status: int, body: bytes) -> bytes:
        """A whole answer, or refusal, scanned, as the caller may have it. Raises: EngineGarbage, GuardFailed."""
        mask, desk = self.mask, self.desk
        if status >= 400:
            answer = read_refusal(body)
        else:
            answer = read_answer(body, self.engine, (self.course.model, self.ask.model))
            self.usage = answer.usage
        self.scan = scan_all(desk.guard, [*answer.texts, *answer.others] if answer.others else answer.texts)
        if desk.mask_answers:
            answers = self.answers()
            return answer.body if answers is None else answer.restored(answers.whole, hides=True)
        return answer.body if mask is None else answer.restored(mask.restore)

    def answers(self) -> Answers | None:
        """What masks in the answer what the caller did not send, where the house asks for that."""
        kinds = self.desk.mask_answers
        return Answers(self.desk.guard, kinds, self.scanned.texts, self.mask) if kinds else None

    def restoring(self) -> Callable[[bool], Restoring] | None:
        """A maker of restorers for the channels of a stream, or None where the events go on as they came."""
        answers, mask = self.answers(), self.mask
        if answers is not None:
            return answers.stream
        return None if mask is None else lambda inside_json: Restorer(mask, json_string=inside_json)

    def arrived(self, at: float) -> None:
        """Note when, on the monotonic clock, the first of the answer came; later ones are not heeded."""
        if not self._first:
            self._first = self.ask.timing.first = at

    def label(self) -> Label:
        """The answer's label: the join of all that went in and what was found in it."""
        label, scan = self.opening.about.label, self.scan
        return label if scan is CLEAN else label.with_personal(scan.personal)

    def finish(self, body: bytes) -> Whole:
        """Book that the answer is whole, and give it. What an engine refused keeps its status; all else is 200."""
        answer = self.answer
        assert answer is not None
        # Not the engine's word for the type, either: by its `charset` some read other letters than were scanned.
        status, content_type, again = answer.status, _JSON, ""
        if status < 400:
            status = 200
        elif status == 429:
            again = retry_after(answer)
        if self.ask.shaper is not None:
            body, content_type = self.ask.shaper.whole(status, body)
        self._body = body
        self.close("complete", status)
        return Whole(status, content_type, body, self.closing.label, self.opening, again)

    def fail(self, error: BaseException) -> None:
        """Book what went wrong as the end, once."""
        self.close(outcome_of(error), getattr(error, "status", HUNG_UP), verdict_of(error))

    def close(self, outcome: str, status: int, ok: bool | None = False) -> None:
        """Book how it ended, once, by a plain call: awaited, it would be cancelled with a caller who hung up.

        `ok` is what an engine's failure says of it.
        """
        if self.closed:
            return
        self.closed = True
        desk, ask, opening, answer, engine = self.desk, self.ask, self.opening, self.answer, self.engine
        timing, started, first = ask.timing, self._started, self._first
        timing.ended = ended = time.monotonic()
        timing.engine, timing.outcome = engine, outcome
        if self._streams:
            answered = self.written.commitment()
        else:
            body, salt = self._body, desk.entropy(SALT_BYTES)
            answered = Commitment(commitment(salt, body), len(body), salt)
        self.closing = closing = Closing(
            opening.id,
            desk.now(),
            opening.about.tenant,
            outcome,
            status,
            self.label(),
            self.scan,
            self.usage,
            answered,
            int((ended - started) * 1000),
            int((first - started) * 1000) if first else None,
        )
        secrets = secret("answer", answered.salt)
        if ask.caller.keeps_content and (kept := self._kept()) is not None:
            secrets += secret("answer.text", kept)
        try:
            desk.journal.append(closing.leaf(), secrets)
        except LedgerUnavailable as error:
            # Rare, since the journal owes closings while its disk refuses; the opening shows as an orphan then.
            log.error("closing of %s not booked: %s", closing.id, error)
        self.settle(None if answer is None else self.usage)
        desk.count(closing)
        desk.timed(timing, opening, closing)
        if outcome == "complete":
            desk.router.end(engine, status < 400 or not overloaded(status))
            return
        if engine:
            desk.router.end(engine, None if outcome in _NOT_ITS_DOING else ok)
        if answer is not None:
            _background(answer.close())

    def _kept(self) -> bytes | None:
        """The words of an answer, for a tenant that has them kept: up to MAX_KEPT_BYTES, else none."""
        if self._streams:
            return self.written.text() if isinstance(self.written, Kept) else None
        return self._body if len(self._body) <= MAX_KEPT_BYTES else None


_closing: set[asyncio.Task[None]] = set()


def _background(coroutine: Coroutine[object, object, None]) -> None:
    """Run an engine's `close` without awaiting it; the set keeps the task from being collected half-way."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _closing.add(task)
    task.add_done_callback(_closing.discard)
