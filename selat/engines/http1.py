"""One HTTP/1.1 connection to an engine: bytes out, a strictly framed answer back, never more held than agreed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from selat.burst import Burst
from selat.core.errors import EngineError, EngineGarbage, EngineTimeout, EngineUnreachable
from selat.engines.answer import HttpAnswer, Reply
from selat.engines.heads import HEAD_ENDS, UsualHead
from selat.engines.limits import HIGH_WATER_BYTES, MAX_HEAD_BYTES, WRITE_SLICE_BYTES, Timeouts

_log = logging.getLogger("selat.engines")

_RETRY = re.compile(rb"\d{1,8}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
"""Source: RFC 9110 section 10.2.3."""


class Keeper(Protocol):
    """Who owns connections: told when one is free again and when one is gone."""

    engine: str
    timeouts: Timeouts
    usual: UsualHead
    burst: Burst

    def freed(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. Everything here is plain calls on one event loop."""

    __slots__ = (
        "_answer",
        "_burst",
        "_feed",
        "_keeper",
        "_loop",
        "_parser",
        "_pieces",
        "_transport",
        "_usual",
        "_writable",
        "_writing",
        "adopted",
        "gone",
        "idle_since",
        "is_closing",
        "on_body",
        "paused",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._usual = keeper.usual
        self._burst = keeper.burst
        self._loop = loop
        # The bodies' pieces of one read: the parser puts them there without a call of ours.
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._parser = HttpResponseParser(self)
        self._feed: Callable[[bytes], None] = self._parser.feed_data
        self._answer: HttpAnswer | None = None
        self._writable: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.paused = self.adopted = self.gone = False
        self.idle_since = 0.0  # 0 in the first exchange

    # What the pool calls.

    def begin(self, request: bytes, stream: bool, reply: Reply) -> HttpAnswer:
        """Send one request, written at once, which is when the turn of the loop is over. `reply` is told of the
        answer, which is returned only to be left or dropped before, once it is whole, or once the first byte of a
        streamed (or very large) body is there; or why there is none. It is told by a plain call when nothing else
        is left to do here; never in this one."""
        answer = self._answer = HttpAnswer(self, stream, reply)
        self._burst.write(self._transport, request)
        return answer

    def begin_large(self, head: bytes, body: bytes, stream: bool, reply: Reply) -> HttpAnswer:
        """`begin`, the body a slice at a time."""
        answer = self.begin(head, stream, reply)
        answer.fresh = False
        self._writing = self._loop.create_task(self._write(body))
        return answer

    def abandon(self) -> None:
        """Break the connection at once, unanswered or half answered: the engine should stop."""
        self._answer = None
        if self._writing is not None:
            self._writing.cancel()
        self._transport.abort()

    def tick(self, now: float, elapsed_s: float) -> None:
        """Time has passed: fail the exchange if a phase is over its limit."""
        answer, limits = self._answer, self._keeper.timeouts
        if answer is None:
            return
        told = answer.reply is None
        if not answer.started_at:
            answer.started_at = now
        if now - answer.started_at > limits.total_s:
            self._late("the whole answer", "total", limits.total_s)
        elif told and answer.unread:
            answer.quiet_s = 0.0  # the reader is the slow one
        else:
            answer.quiet_s += elapsed_s
            if told or answer.size:
                if answer.quiet_s > limits.between_s:
                    self._late("the next piece of its answer", "between", limits.between_s)
            elif answer.quiet_s > limits.first_byte_s:
                self._late("the first byte of its answer", "first_byte", limits.first_byte_s)

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_closing = self._transport.is_closing

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self._transport.abort()  # bytes nobody asked for must never answer the next request
            return
        if answer.fresh:
            usual = self._usual
            form = usual.form
            if form is not None:
                head, _, body = data.partition(HEAD_ENDS)
                if body and head == form % len(body):
                    answer.status = 200
                    answer.content_type = usual.content_type
                    answer.whole = body
                    self._answer = answer.connection = None
                    self._keeper.freed(self)
                    self._tell(answer, answer)
                    return
        pieces, feed = self._pieces, self._feed
        try:
            feed(data)
        except HttpParserUpgrade:
            answer.blame("it switched protocols unasked")
        except HttpParserError as error:
            answer.blame(f"{error}")  # a fixed text of the parser's, nothing of the answer
        if answer.ended:
            self._ended(answer, data)
        elif pieces:
            answer.unframed = 0
            answer.quiet_s = 0.0
            sink = answer.sink
            if sink is None:
                self._brought(answer)
            else:
                piece = pieces.pop()
                if pieces:
                    piece = b"".join((*pieces, piece))
                    pieces.clear()
                try:
                    held = sink(piece)
                except Exception as error:  # noqa: BLE001 - it is for whoever pours
                    answer.spill(error)
                else:
                    if held is not None:
                        answer.hold(held)
        else:
            answer.fresh = False
            answer.unframed += len(data)
            if answer.unframed > MAX_HEAD_BYTES:
                self._garbage(f"head or trailers over {MAX_HEAD_BYTES} bytes")

    def _brought(self, answer: HttpAnswer) -> None:
        """A piece that is not poured has come."""
        answer.fresh = False
        answer.bring(self._pieces)
        if answer.reply is not None and (answer.early or answer.size >= HIGH_WATER_BYTES):
            self._tell(answer, answer)
        if answer.size >= HIGH_WATER_BYTES and not self.paused and self._answer is answer:
            self.paused = True
            self._transport.pause_reading()

    def _ended(self, answer: HttpAnswer, data: bytes) -> None:
        """`data` has brought the end of an answer, or what is none."""
        pieces = self._pieces
        if not answer.complete:
            answer.parts += pieces
            self._garbage(answer.fault)
            return
        pieces.clear()  # of what followed the end
        keep = answer.keep and not answer.fault and not self.is_closing()
        if answer.reply is not None and answer.parts:
            answer.whole = b"".join(answer.parts)
            answer.parts.clear()
            if keep and answer.fresh and answer.status == 200:
                self._usual.learn(data, answer.whole, answer.content_type)
        if self._writing is not None:
            self._writing.cancel()
            keep = False
        self.resume()
        self._finish(answer, keep)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self.gone = True
        if self.adopted:
            self._keeper.lost(self)
        answer, name = self._answer, self._keeper.engine
        if answer is None:
            return
        if answer.headed and not answer.framed and exc is None:
            answer.keep, answer.complete = False, True
            self._ended(answer, b"")
        elif self.idle_since and not answer.unframed and not answer.headed:
            self._fail(None)  # the kept connection was closed
        elif answer.headed:
            where = "midway" if answer.reply is None or answer.size else "before the first byte of its body"
            self._fail(EngineUnreachable(f"engine '{name}': broke off its answer {where}"))
        else:
            self._fail(
                EngineUnreachable(f"engine '{name}': closed the connection before an answer; look into its log")
            )

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        answer = self._answer
        if answer is not None:
            if answer.complete:
                answer.blame("more than one answer")
            answer.headed = answer.framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        heed = _HEEDED.get(name.lower())
        if heed is not None:
            answer = self._answer
            if answer is not None and not (answer.headed or answer.complete):  # in a trailer nothing is for us
                heed(answer, value)

    def on_headers_complete(self) -> None:
        answer, status = self._answer, self._parser.get_status_code()
        if status < 200 or answer is None or answer.complete:
            return
        answer.headed = True
        answer.keep = self._parser.should_keep_alive()
        answer.status = status
        answer.early = (answer.stream and status < 300) or answer.content_type.startswith("text/event-stream")
        if 300 <= status < 400 and answer.reply is not None:
            answer.reply = partial(_redirected, self._keeper.engine, answer.reply)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.headed and not answer.fault:
            answer.complete = answer.ended = True
            answer.parts += self._pieces
            self._pieces.clear()

    # Ends. What is told comes last: the receiver may begin the next exchange in that very call.

    def _finish(self, answer: HttpAnswer, keep: bool) -> None:
        """The answer has come to its end; `keep` says that the connection may carry another."""
        self._answer = answer.connection = None
        if keep:
            self._keeper.freed(self)
        else:
            self._transport.abort()
        if answer.reply is None:
            answer.wake()
        else:
            self._tell(answer, answer)

    def _tell(self, answer: HttpAnswer, outcome: HttpAnswer | EngineError | None) -> None:
        reply, answer.reply = answer.reply, None
        assert reply is not None
        try:
            reply(outcome)
        except Exception:  # noqa: BLE001 - it is logged
            # Ours, and no reason to break a connection that may be another's by now.
            _log.exception("engine '%s': whoever asked it failed at its answer", self._keeper.engine)
            answer.drop()

    def _fail(self, error: EngineError | None) -> None:
        """End the exchange under way with an error; None is for a kept connection that was closed."""
        answer, self._answer = self._answer, None
        if self._writing is not None:
            self._writing.cancel()
        self._transport.abort()
        if answer is not None:
            answer.connection = None
            answer.error = error
            if answer.reply is None:
                answer.wake()
            else:
                self._tell(answer, error)

    def _garbage(self, fault: str) -> None:
        self._fail(EngineGarbage(f"engine '{self._keeper.engine}': not the HTTP we speak: {fault}"))

    def _late(self, what: str, phase: str, limit_s: float) -> None:
        self._fail(
            EngineTimeout(
                f"engine '{self._keeper.engine}': {what} took longer than {limit_s:g} s"
                f" (timeout '{phase}' in engines.toml)"
            )
        )

    async def _write(self, body: bytes) -> None:
        """A large body, a slice at a time, so that TLS and the socket never hold a second copy of it."""
        view = memoryview(body)
        for start in range(0, len(body), WRITE_SLICE_BYTES):
            if self._writable is not None:
                await self._writable
            if self._transport.is_closing():
                return
            self._transport.write(view[start : start + WRITE_SLICE_BYTES])
            if self._answer is not None:
                self._answer.quiet_s = 0.0
        self._writing = None


def _redirected(engine: str, reply: Reply, outcome: HttpAnswer | EngineError | None) -> None:
    """Tell of an answer that sends us elsewhere as of an error."""
    if isinstance(outcome, HttpAnswer):
        outcome.drop()
        what = f"it redirects (status {outcome.status}), not followed; correct its url"
        outcome = EngineGarbage(f"engine '{engine}': {what}")
    reply(outcome)


# The headers of an answer that say something to us.


def _type(answer: HttpAnswer, value: bytes) -> None:
    answer.content_type = value.decode("latin-1")


def _retry(answer: HttpAnswer, value: bytes) -> None:
    if _RETRY.fullmatch(value):  # nothing else of a header's text reaches a caller
        answer.retry_after = value.decode()


def _length(answer: HttpAnswer, value: bytes) -> None:
    answer.framed = True  # how long, the parser heeds


def _transfer(answer: HttpAnswer, value: bytes) -> None:
    answer.framed = True
    if value.strip().lower() != b"chunked":
        answer.blame("a transfer coding other than chunked")


def _coding(answer: HttpAnswer, value: bytes) -> None:
    if value.strip().lower() != b"identity":
        answer.blame("a compressed answer, which was not asked for and cannot be scanned")


_HEEDED: dict[bytes, Callable[[HttpAnswer, bytes], None]] = {
    b"content-type": _type,
    b"content-length": _length,
    b"transfer-encoding": _transfer,
    b"content-encoding": _coding,
    b"retry-after": _retry,
}
