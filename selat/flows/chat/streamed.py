"""An answer that streams: each event is scanned, committed to and passed on within the call that brings it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from selat.core.errors import EngineError, GuardFailed
from selat.core.finding import Scan
from selat.engines import Sink, pour
from selat.flows.chat.decide import merge
from selat.flows.chat.outcome import outcome_of
from selat.guard import StreamScanner
from selat.wire import Events

if TYPE_CHECKING:
    from selat.flows.chat.sent import Sent

log = logging.getLogger("selat.chat")


class Streamed:
    """An answer that streams. `pour` it once, and in the end, whatever happened, `close`: a plain call."""

    status = 200
    content_type = "text/event-stream"

    def __init__(self, sent: Sent) -> None:
        assert sent.answer is not None
        self._sent = sent
        self._scanners: dict[str, StreamScanner] = {}
        self._events = Events(sent.engine, self._watch, sent.restoring())
        self._arrived = 0.0
        self._gap, self._shaper = sent.desk.gap, sent.ask.shaper
        self.answer = sent.answer
        self.opening = sent.opening
        self.label = sent.label()

    async def pour(self, sink: Sink) -> None:
        """Give `sink` the events for the caller, each within the call that brings it from the engine.

        Raises: EngineError, when the engine breaks off.
        """

        def pass_on(chunk: bytes) -> asyncio.Future[None] | None:
            out = self.feed(chunk)
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
        """What the caller gets for a piece from the engine. Raises: EngineGarbage."""
        now = time.monotonic()
        if self._arrived:
            self._gap(now - self._arrived)
        else:
            self._sent.arrived()
        self._arrived = now
        out = self._events.feed(chunk)
        if self._shaper is not None:
            out = self._shaper.feed(out)
        if out:
            self._sent.written.update(out)
        return out

    def finish(self) -> bytes:
        """What the caller gets once the engine has ended. Raises: EngineGarbage."""
        out = self._events.close()
        if self._shaper is not None:
            out = self._shaper.feed(out) + self._shaper.close()
        if out:
            self._sent.written.update(out)
        return out

    def close(self) -> None:
        """Book a hang-up, unless the end is booked already."""
        self.end("cancelled", 499)

    def end(self, outcome: str, status: int) -> None:
        """Book the end, once."""
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


def _close_scanner(scanner: StreamScanner) -> Scan:
    try:
        return scanner.close()
    except GuardFailed as error:
        log.error("scan of an answer failed: %s", error)
        return Scan(ok=False)
