"""An answer that streams: each event is read and passed on within the call that brings it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from operator import sub
from time import monotonic
from typing import TYPE_CHECKING

from selat.core.errors import EngineError, GuardFailed
from selat.core.finding import Scan
from selat.engines import Sink, pour
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


class Streamed:
    """An answer that streams. `pour` it once, and in the end, whatever happened, `close`: a plain call.

    An event is read at once, so that garbage goes no further. What is found in its texts alters nothing of what
    is passed on (a restorer looks for itself), so scan, commitment and times wait for some 16 KiB, or the end.
    """

    status = 200
    content_type = "text/event-stream"

    def __init__(self, sent: Sent) -> None:
        assert sent.answer is not None
        self._sent = sent
        self._scanners: dict[str, StreamScanner] = {}
        # Not by a method of ours, which would make a circle that outlives the request.
        self._events = Events(sent.engine, partial(_watch, sent.desk.guard, self._scanners), sent.restoring())
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
        feed = self.feed

        def pass_on(chunk: bytes) -> asyncio.Future[None] | None:
            out = feed(chunk)
            return sink(out) if out else None

        try:
            await pour(self.answer, pass_on)
            if out := self.finish():
                sink(out)
        except (EngineError, GuardFailed) as error:
            self.end(outcome_of(error), error.status)
            raise
        self.end("complete", 200)

    def feed(self, chunk: bytes) -> bytes:
        """What the caller gets for a piece from the engine. Raises: EngineGarbage, GuardFailed."""
        if self._room < 0:
            self._settle()
        self._arrivals.append(monotonic())
        out = self._events.feed(chunk)
        if self._shaper is not None:
            out = self._shaper.feed(out)
        self._pieces.append(out)
        self._room -= len(chunk) + _PIECE_BYTES
        return out

    def finish(self) -> bytes:
        """What the caller gets once the engine has ended. Raises: EngineGarbage, GuardFailed."""
        out = self._events.close()
        if self._shaper is not None:
            out = self._shaper.feed(out) + self._shaper.close()
        self._pieces.append(out)
        return out

    def close(self) -> None:
        """Book a hang-up, unless the end is booked already."""
        self.end("cancelled", 499)

    def end(self, outcome: str, status: int) -> None:
        """Book the end, once."""
        if self._sent.closed:
            return
        self._sent.scan = merge(self._scans())
        self._sent.usage = self._events.usage
        self._sent.close(outcome, status)

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
