"""The second half of chat: the request on its way, its answer watched, and the one place that books its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NamedTuple

import msgspec

from selat.core.decision import Redact
from selat.core.entry import SALT_BYTES, Closing, Committer, Opening, Rerouting, Usage
from selat.core.errors import EngineError, EngineGarbage, LedgerUnavailable
from selat.core.finding import CLEAN, Scan
from selat.core.label import Label
from selat.engines import Answer, Call, Engine, at_hand
from selat.flows.chat.decide import Option, merge, scan_texts
from selat.flows.chat.desk import Desk
from selat.flows.chat.hedge import Hedge, race
from selat.flows.chat.outcome import overloaded
from selat.flows.chat.streamed import Streamed
from selat.flows.meter import Settle
from selat.guard import Answers, Mask, Restorer
from selat.wire import Ask, read_answer, rewrite
from selat.wire.events import Restoring

log = logging.getLogger("selat.chat")

NO_USAGE = Usage()
MAX_ANSWER_BYTES = 64 * 2**20
MAX_KEPT_BYTES = 8 * 2**20
_JSON = "application/json"
_EVENTS = "text/event-stream"

Shape = Callable[[bytes], Awaitable[bytes]]


class Whole(NamedTuple):
    """An answer in one piece. `label` is the answer's, `opening` the entry under whose id it is booked."""

    status: int
    content_type: str
    body: bytes
    label: Label
    opening: Opening


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

    def text(self) -> dict[str, bytes]:
        return {"answer.text": b"".join(self._pieces)} if self._room >= 0 else {}


class Sent:
    """One request on its way: what was booked of it, what masks it, and the one place that books its end."""

    # On the class, since it is so until an answer has come.
    mask: Mask | None = None
    engine: str = ""
    answer: Answer | None = None
    scan: Scan = CLEAN
    usage: Usage = NO_USAGE
    closed: bool = False
    _first_ms: int | None = None

    def __init__(self, desk: Desk, ask: Ask, opening: Opening, settle: Settle) -> None:
        self.desk = desk
        self.settle = settle
        self.ask = ask
        self.opening = opening
        self.scans: dict[str, Scan] = {}
        self.written = (Kept if ask.caller.keeps_content else Committer)(desk.entropy(SALT_BYTES))
        self._started = time.monotonic()

    def outgoing(self, scans: dict[str, Scan], engine: Engine, mask: Mask | None) -> bytes:
        """What was scanned, masked where that was decided, under the engine's name for the model.

        Written anew, never the caller's bytes: with a name twice in one object they could say to an engine
        what they did not say to the guard.
        """
        document: object = self.ask.document
        if mask is not None:
            document = rewrite(document, lambda text: mask.redact(text, scans[text].findings))
        name = engine.upstream_model(self.ask.model)
        if name != self.ask.model and isinstance(document, dict):
            document = {**document, "model": name}
        return msgspec.json.encode(document)

    async def send(self, way: Sequence[Option[Engine]], scans: dict[str, Scan]) -> None:
        """Send to the first engine of `way`, and on its failure before a first byte to the next.

        Each further try needs the retry budget, and an entry of its own that is durable before it goes.
        Raises: EngineError, the last try's.
        """
        router, trace = self.desk.router, self.ask.timing.trace
        self.scans = scans
        left = deque(way)
        while left:
            option = left.popleft()
            if option is not way[0]:
                await self._rebook(option)
            call, self.mask = self._call(option, scans)
            self.engine = option.engine.name
            router.begin(self.engine)
            try:
                if left and self.desk.hedge_after_s and option is way[0]:
                    self.answer = await self._hedged(option, call, left, scans)
                else:
                    self.answer = await option.engine.send(call)
                if not overloaded(self.answer.status) or not left or not router.may_retry():
                    return
                if trace is not None:
                    trace.failed(self.engine, str(self.answer.status))
                _background(self.answer.close())
                self.answer = None
            except EngineError as error:
                if trace is not None:
                    trace.failed(self.engine, error.code)
                if not left or not router.may_retry():
                    raise
            router.end(self.engine, False)
            self.ask.timing.left += (self.engine,)
            self.engine = ""

    def _call(self, option: Option[Engine], scans: dict[str, Scan]) -> tuple[Call, Mask | None]:
        """What goes to an engine, and what masked it."""
        mask = Mask() if isinstance(option.decision, Redact) else None
        trace = self.ask.timing.trace
        call = Call(
            f"/v1{self.ask.api.path}",
            self.outgoing(scans, option.engine, mask),
            self.ask.stream,
            self.opening.tenant,
            self.ask.background,
            trace="" if trace is None else trace.sending(option.engine.name, self.ask.model),
            timing=self.ask.timing,
        )
        return call, mask

    async def _hedged(
        self, first: Option[Engine], call: Call, left: deque[Option[Engine]], scans: dict[str, Scan]
    ) -> Answer:
        """The answer of the engine that begins first; the spare one is asked late, and booked before it is."""
        router, spare = self.desk.router, left[0]
        name = spare.engine.name
        asked: list[Mask | None] = []
        failed = False

        async def begin() -> Answer:
            nonlocal failed
            try:
                return await first.engine.send(call)
            except EngineError:
                failed = True
                raise

        async def second() -> Answer:
            left.popleft()
            await self._rebook(spare)
            late, mask = self._call(spare, scans)
            asked.append(mask)
            router.begin(name)
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
            self.opening.tenant,
            option.engine.name,
            option.engine.site,
            option.decision,
        )
        await self.desk.journal.append(entry.leaf())

    async def reply(self, shape: Shape | None) -> Whole | Streamed:
        assert self.answer is not None
        if self.answer.status >= 400:
            return await self.refusal()
        if self.ask.stream and self.answer.content_type.startswith(_EVENTS):
            return Streamed(self)
        return await self.whole(shape)

    async def read(self) -> bytes:
        """The engine's whole answer. Raises: EngineGarbage, when it is longer than MAX_ANSWER_BYTES."""
        assert self.answer is not None
        body = at_hand(self.answer)
        if body is not None:
            self.arrived(time.monotonic())
            return body
        pieces: list[bytes] = []
        size_bytes = 0
        async for piece in self.answer.chunks():
            self.arrived(time.monotonic())
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > MAX_ANSWER_BYTES:
                raise EngineGarbage(f"engine '{self.engine}' answered more than {MAX_ANSWER_BYTES} bytes")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def whole(self, shape: Shape | None) -> Whole:
        body = await self.read()
        answer = read_answer(body, self.engine)
        self.usage = answer.usage
        self.scan = merge(scan_texts(self.desk.guard, answer.texts).values())
        answers = self.answers()
        if answers is not None:
            body = answer.restored(answers.whole)
        elif self.mask is not None:
            body = answer.restored(self.mask.restore)
        return self._finish(200, body if shape is None else await shape(body))

    async def refusal(self) -> Whole:
        """The engine's own 4xx is the caller's to mend and passes; its other failures are ours to name."""
        assert self.answer is not None
        status = self.answer.status
        if status in (401, 403):
            raise EngineError(f"engine '{self.engine}' refused our key ({status}); check its key_env")
        if status >= 500:
            raise EngineError(f"engine '{self.engine}' failed with status {status}; try again or another model")
        body = await self.read()
        if self.mask is not None:
            restored = rewrite(msgspec.json.decode(body), self.mask.restore)
            body = msgspec.json.encode(restored)
        return self._finish(status, body)

    def answers(self) -> Answers | None:
        """What masks in the answer what the caller did not send, where the house asks for that."""
        kinds = self.desk.mask_answers
        return Answers(self.desk.guard, kinds, self.scans, self.mask) if kinds else None

    def restoring(self) -> Callable[[bool], Restoring] | None:
        """A maker of restorers for the channels of a stream, or None where the events go on as they came."""
        answers, mask = self.answers(), self.mask
        if answers is not None:
            return answers.stream
        return None if mask is None else lambda inside_json: Restorer(mask, json_string=inside_json)

    def arrived(self, at: float) -> None:
        """Note when, on the monotonic clock, the first of the answer came; later ones are not heeded."""
        if self._first_ms is None:
            self.ask.timing.first = at
            self._first_ms = int((at - self._started) * 1000)

    def label(self) -> Label:
        """The answer's label: the join of all that went in and what was found in it."""
        return self.opening.label.with_personal(self.scan.personal)

    def close(self, outcome: str, status: int) -> None:
        """Book how it ended, once, by a plain call: awaited, it would be cancelled with a caller who hung up."""
        if self.closed:
            return
        self.closed = True
        desk, opening, answer = self.desk, self.opening, self.answer
        closing = Closing(
            id=opening.id,
            time=desk.now(),
            tenant=opening.tenant,
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
            secrets = {"answer": closing.answer.salt}
            if isinstance(self.written, Kept):
                secrets |= self.written.text()
            desk.journal.append(closing.leaf(), secrets)
        except LedgerUnavailable as error:
            # The opening is durable, so the missing closing shows as an orphan: never a gap.
            log.error("closing of %s not booked: %s", closing.id, error)
        self.settle(None if answer is None else self.usage)
        desk.count(closing)
        timing = self.ask.timing
        timing.ended, timing.engine, timing.outcome = time.monotonic(), self.engine, outcome
        desk.timed(timing, opening, closing)
        if self.engine:
            ok = None if outcome == "cancelled" else outcome == "complete" and not overloaded(status)
            desk.router.end(self.engine, ok)
        if answer is not None and outcome != "complete":
            _background(answer.close())

    def _finish(self, status: int, body: bytes) -> Whole:
        assert self.answer is not None
        content_type = self.answer.content_type or _JSON
        if self.ask.shaper is not None:
            body, content_type = self.ask.shaper.whole(status, body)
        self.written.update(body)
        self.close("complete", status)
        return Whole(status, content_type, body, self.label(), self.opening)

    def _elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)


_closing: set[asyncio.Task[None]] = set()


def _background(coroutine: Coroutine[object, object, None]) -> None:
    """Run an engine's `close` without awaiting it; the set keeps the task from being collected half-way."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _closing.add(task)
    task.add_done_callback(_closing.discard)
