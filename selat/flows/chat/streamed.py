"""An answer that streams: each event is read and passed on within the call that brings it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextvars import copy_context
from functools import partial
from operator import sub
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from selat.core.errors import EngineError, EngineUnreachable, GuardFailed
from selat.core.finding import Scan
from selat.engines import Leave, Over, Sink, flow, flows, pour
from selat.flows.chat.decide import merge
from selat.flows.chat.outcome import outcome_of
from selat.guard import Guard, StreamScanner
from selat.wire import Events

if TYPE_CHECKING:
    from selat.flows.chat.sent import Sent

log = logging.getLogger("selat.chat")

GATHERED_BYTES = 16 * 1024
"""About so much memory a stream takes for what was passed on and is not scanned and committed to yet."""
_PIECE_BYTES = 128
"""What a piece takes beside its bytes."""


class Ear(Protocol):
    """Hears what a caller is about to get of a stream."""

    def hear(self, out: bytes) -> None:
        """Raises: Unavailable, HomeBroken."""

    def end(self) -> None:
        """That was all, and the last of it has not gone yet. Raises: Unavailable, HomeBroken."""

    def close(self) -> None:
        """Nothing more will come, whatever happened. Raises nothing."""


NO_EAR: Ear | None = None
"""By name: a compiler takes a bare None in a class for no value at all."""


class Streamed:
    """An answer that streams. `pour` it or have it `flow`, once; in the end, whatever happened, `close` it.

    An event is read at once, so that garbage goes no further. What is found in its texts alters nothing of what
    is passed on (a restorer looks for itself), so scan, commitment and times wait for some 16 KiB, or the end.
    """

    status = 200
    content_type = "text/event-stream"
    ear: Ear | None = NO_EAR
    """Who else hears it; set before `pour`."""
    _halt: Leave | None = None

    def __init__(self, sent: Sent) -> None:
        assert sent.answer is not None
        self._sent = sent
        self._scanners: dict[str, StreamScanner] = {}
        # Not by a method of ours, which would make a circle that outlives the request.
        watch = partial(_watch, sent.desk.guard, self._scanners)
        models, hides = (sent.course.model, sent.ask.model), bool(sent.desk.mask_answers)
        self._events = Events(sent.engine, watch, sent.restoring(), models, hides)
        self._shaper = sent.ask.shaper
        self._pieces: list[bytes] = []
        self._arrivals: list[float] = []
        self._room = GATHERED_BYTES
        self.answer = sent.answer
        self.opening = sent.opening
        self.label = sent.label()

    async def pour(self, sink: Sink) -> None:
        """Give `sink` the events for the caller, each within the call that brings it from the engine.

        Raises: EngineError, when the engine breaks off.
        """
        self.open(sink)
        try:
            await pour(self.answer, self.pass_on)
        except (EngineError, GuardFailed) as error:
            self._ended(error)
        else:
            self._ended(None)

    @property
    def flows(self) -> bool:
        """Whether it can `flow`."""
        return flows(self.answer)

    def flow(self, sink: Sink, over: Over) -> None:
        """`pour` by plain calls. `over` is called once at the end, perhaps in this very call, with the error where
        there was one; never after `close`."""
        self.open(sink)
        context = copy_context()  # of the request, for the log
        self._halt = flow(self.answer, self.pass_on, lambda error: context.run(self._flowed, over, error))

    def open(self, sink: Sink) -> None:
        """Say who takes what `pass_on` and `finish` give."""
        self._sink = sink
        self._altered = self._shaper is not None or self.ear is not None

    def pass_on(self, chunk: bytes) -> asyncio.Future[None] | None:
        """Give what the caller gets for a piece from the engine; a future where nothing more should come until it
        is done. Raises: EngineGarbage, GuardFailed, and as the ear does."""
        if self._room < 0:
            self._settle()
        self._arrivals.append(monotonic())
        out = self._events.feed(chunk)
        if self._altered:
            out = self._shaped(out)
        self._pieces.append(out)
        self._room -= len(chunk) + _PIECE_BYTES
        sink = self._sink
        return sink(out) if out else None

    def _shaped(self, out: bytes) -> bytes:
        if self._shaper is not None:
            out = self._shaper.feed(out)
        if self.ear is not None:
            self.ear.hear(out)
        return out

    def finish(self) -> None:
        """Give what is left once the engine has ended. Raises: EngineError, where it never said that this was all;
        GuardFailed, and as the ear does."""
        rest = self._events.close()
        if not self._events.ended:
            # What has no length of its own ends like this, too, when an engine dies or a proxy gives it up.
            raise EngineUnreachable(f"engine '{self._sent.engine}': broke off its answer midway")
        out = self._shaped(rest)
        if self._shaper is not None:
            last = self._shaper.close()
            if self.ear is not None:
                self.ear.hear(last)
            out += last
        if self.ear is not None:
            self.ear.end()
        self._pieces.append(out)
        if out:
            self._sink(out)

    def close(self) -> None:
        """Pass on no more, and book a hang-up, unless the end is booked already."""
        if self._halt is not None:
            self._halt()
        try:
            if self.ear is not None:
                self.ear.close()
        finally:
            self.end("cancelled", 499)

    def end(self, outcome: str, status: int) -> None:
        """Book the end, once."""
        if self._sent.closed:
            return
        self._sent.scan = merge(self._scans())
        self._sent.usage = self._events.usage
        self._sent.close(outcome, status)

    def _flowed(self, over: Over, error: Exception | None) -> None:
        try:
            self._ended(error)
        except Exception as failure:  # noqa: BLE001 - it is for whoever is told
            error = failure
        over(error)

    def _ended(self, error: Exception | None) -> None:
        """Give what is left, unless the engine broke off, and book the end. Raises: `error`; else as `finish`."""
        try:
            if error is not None:
                raise error
            self.finish()
        except (EngineError, GuardFailed) as failure:
            self.end(outcome_of(failure), failure.status)
            raise
        self.end("complete", 200)

    def _settle(self) -> None:
        """Take up what was gathered. Raises: GuardFailed."""
        self._room = GATHERED_BYTES
        sent, arrivals, pieces = self._sent, self._arrivals, self._pieces
        if arrivals:
            sent.arrived(arrivals[0])
            sent.desk.gaps(list(map(sub, arrivals[1:], arrivals)))
            del arrivals[:-1]  # the next gap begins with the last
        sent.written.update(b"".join(pieces))
        pieces.clear()
        self._events.tell()

    def _scans(self) -> Iterator[Scan]:
        """What all of the answer holds; a scan that failed says so in its place."""
        try:
            self._settle()
        except GuardFailed as error:
            yield _failed(error)
        for scanner in self._scanners.values():
            try:
                yield scanner.close()
            except GuardFailed as error:
                yield _failed(error)


def _watch(guard: Guard, scanners: dict[str, StreamScanner], channel: str, text: str) -> None:
    scanner = scanners.get(channel)
    if scanner is None:
        scanner = scanners[channel] = StreamScanner(guard)
    scanner.feed(text)


def _failed(error: GuardFailed) -> Scan:
    log.error("scan of an answer failed: %s", error)
    return Scan(ok=False)
