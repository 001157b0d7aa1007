"""One HTTP/1.1 connection to an engine: bytes out, a strictly framed answer back, never more held than agreed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from selat.core.errors import EngineError, EngineGarbage, EngineTimeout, EngineUnreachable
from selat.engines.engine import Sink
from selat.engines.limits import AT_ONCE_BYTES, HIGH_WATER_BYTES, MAX_HEAD_BYTES, WRITE_SLICE_BYTES, Timeouts

_log = logging.getLogger("selat.engines")

Reply = Callable[["HttpAnswer | EngineError | None"], None]
"""Told once how an exchange came out: an Answer (whole, or begun), an error, or None: a kept connection turned
out closed before any byte came back, so the call may be sent once more. It must not raise."""


class Keeper(Protocol):
    """Who owns connections: told when one is free again and when one is gone."""

    engine: str
    timeouts: Timeouts

    def freed(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class HttpAnswer:
    """An Answer that comes over a Connection: its pieces are taken one by one, or poured into a sink.

    It is its own iterator, so that a piece taken costs one coroutine; a piece poured costs none. What the
    connection knows of this exchange stands here too, so that nothing of it can outlive it.
    """

    # On the class, since most of these stay as they are in most exchanges.
    status: int = 0
    content_type: str = ""
    size: int = 0  # bytes in `parts`
    taken: int = 0  # bytes the reader has had
    headed: bool = False
    framed: bool = False
    complete: bool = False
    early: bool = False
    keep: bool = False
    fault: str = ""
    unframed: int = 0
    quiet_s: float = 0.0
    _waiter: asyncio.Future[None] | None = None
    _sink: Sink | None = None
    _poured: asyncio.Future[None] | None = None
    _held: bool = False
    _done: bool = False
    _error: EngineError | None = None

    def __init__(self, connection: Connection, stream: bool, reply: Reply, started_at: float) -> None:
        self.parts: list[bytes] = []
        self.stream = stream
        self.started_at = started_at
        self.reply: Reply | None = reply  # None once it was told
        self._connection: Connection | None = connection

    @property
    def unread(self) -> bool:
        """Whether it is the reader's turn."""
        return self._held or self.size > 0

    def chunks(self) -> HttpAnswer:
        return self

    def __aiter__(self) -> HttpAnswer:
        return self

    async def __anext__(self) -> bytes:
        """All that has arrived since the last call. Raises: EngineError, when the engine broke off."""
        while not self.parts:
            if self._done:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._take()

    async def pour(self, sink: Sink) -> None:
        """Give each piece to `sink` in the very call that brings it, so that no task is woken for it.

        Raises: EngineError, when the engine broke off; and whatever `sink` raises, which ends the exchange.
        """
        self._poured = asyncio.get_running_loop().create_future()
        self._sink = sink
        try:
            self._flow()
            await self._poured
        finally:
            self._sink = None

    def _flow(self) -> None:
        """Hand on what has arrived, unless the sink asked to wait; at the end tell `pour`."""
        poured, sink = self._poured, self._sink
        assert poured is not None
        if self._held or sink is None or poured.done():
            return
        try:
            held = sink(self._take()) if self.parts else None
        except Exception as error:  # noqa: BLE001 - it is for whoever awaits `pour`
            poured.set_exception(error)
            self.drop()
            return
        if held is not None:
            self._held = True
            held.add_done_callback(self._go_on)
        elif self._done and self._error is not None:
            poured.set_exception(self._error)
        elif self._done:
            poured.set_result(None)

    def _go_on(self, _held: asyncio.Future[None]) -> None:
        self._held = False
        self._flow()

    def at_hand(self) -> bytes | None:
        """The whole body, where it has all come and none of it was taken yet: then nobody need wait for it."""
        return self._take() if self._done and self._error is None and self.parts and not self.taken else None

    def _take(self) -> bytes:
        parts = self.parts
        self.taken += self.size
        self.size = 0
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume()
        whole = b"".join(parts)  # which copies nothing where there is one
        parts.clear()
        return whole

    async def close(self) -> None:
        """Forget the rest; when it is still coming, break the connection now. Never suspends."""
        self.drop()

    def leave(self) -> None:
        """The caller has gone: nothing is told any more, and the engine should stop. An answer that was told
        already is the receiver's, who closes it."""
        if self.reply is not None:
            self.drop()

    def drop(self) -> None:
        self.reply = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()
        self.parts.clear()
        self.end(None)

    def wake(self) -> None:
        if self._sink is not None:
            self._flow()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def end(self, error: EngineError | None) -> None:
        self._done = True
        self._error = self._error or error
        self._connection = None
        self.wake()


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. Everything here is plain calls on one event loop."""

    __slots__ = (
        "_answer",
        "_keeper",
        "_loop",
        "_parser",
        "_transport",
        "_writable",
        "_writing",
        "adopted",
        "gone",
        "idle_since",
        "paused",
        "uses",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop
        self._parser = HttpResponseParser(self)
        self._answer: HttpAnswer | None = None
        self._writable: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.paused = self.adopted = self.gone = False
        self.idle_since = 0.0
        self.uses = 0

    # What the pool calls.

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def begin(self, head: bytes, body: bytes, stream: bool, reply: Reply) -> HttpAnswer:
        """Send one request. `reply` is told of the answer, which is returned only to be left or dropped before,
        once it is whole, or once the first byte of a streamed (or very large) body is there; or why there is
        none. It is told by a plain call, when nothing else is left to do here; never in this one."""
        loop = self._loop
        answer = HttpAnswer(self, stream, reply, loop.time())
        self._answer = answer
        self.uses += 1
        if len(body) <= AT_ONCE_BYTES:
            self._transport.write(head + body)
        else:
            self._writing = loop.create_task(self._write(head, body))
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
        if now - answer.started_at > limits.total_s:
            self._late("the whole answer", "total", limits.total_s)
        elif answer.reply is None and answer.unread:
            answer.quiet_s = 0.0  # the reader is the slow one
        else:
            answer.quiet_s += elapsed_s
            if answer.taken or answer.size:
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

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self._transport.abort()  # bytes nobody asked for must never answer the next request
            return
        answer.unframed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            answer.fault = answer.fault or "it switched protocols unasked"
        except HttpParserError as error:
            answer.fault = answer.fault or f"{error}"  # a fixed text of the parser's, nothing of the answer
        if answer.complete:
            self._finish(answer)
        elif answer.fault or answer.unframed > MAX_HEAD_BYTES:
            fault = answer.fault or f"head or trailers over {MAX_HEAD_BYTES} bytes"
            self._fail(EngineGarbage(f"engine '{self._keeper.engine}': not the HTTP we speak: {fault}"))
        elif answer.parts:
            if answer.reply is None:
                answer.wake()
            elif answer.early or answer.size >= HIGH_WATER_BYTES:
                self._give(answer)
            if answer.size >= HIGH_WATER_BYTES and not self.paused and self._answer is answer:
                self.paused = True
                self._transport.pause_reading()

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
            answer.keep = False
            self._finish(answer)
        elif self.uses > 1 and not answer.unframed and not answer.headed:
            self._fail(None)  # the kept connection was closed
        elif answer.headed:
            got = answer.taken + answer.size
            self._fail(EngineUnreachable(f"engine '{name}': broke off its answer after {got} bytes"))
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
                answer.fault = "more than one answer"
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

    def on_body(self, body: bytes) -> None:
        answer = self._answer
        if answer is None or answer.fault:
            return
        answer.unframed = 0
        answer.quiet_s = 0.0
        answer.parts.append(body)
        answer.size += len(body)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.headed and not answer.fault:
            answer.complete = True

    # Ends. What is told comes last: the receiver may begin the next exchange in that very call.

    def _give(self, answer: HttpAnswer) -> None:
        reply, answer.reply = answer.reply, None
        if reply is None:
            return
        if 300 <= answer.status < 400:
            answer.drop()
            what = f"it redirects (status {answer.status}), not followed; correct its url"
            self._tell(reply, EngineGarbage(f"engine '{self._keeper.engine}': {what}"))
        else:
            self._tell(reply, answer)

    def _tell(self, reply: Reply, outcome: HttpAnswer | EngineError | None) -> None:
        try:
            reply(outcome)
        except Exception:  # noqa: BLE001 - it is logged
            # Ours, and no reason to break a connection that may be another's by now.
            _log.exception("engine '%s': whoever asked it failed at its answer", self._keeper.engine)

    def _finish(self, answer: HttpAnswer) -> None:
        self._answer = None
        if self._writing is not None:
            self._writing.cancel()
            answer.keep = False
        if answer.keep and not answer.fault and not self._transport.is_closing():
            self.resume()
            self._keeper.freed(self)
        else:
            self._transport.abort()
        answer.end(None)
        self._give(answer)

    def _fail(self, error: EngineError | None) -> None:
        """End the exchange under way with an error; None is for a kept connection that was closed."""
        answer, self._answer = self._answer, None
        if self._writing is not None:
            self._writing.cancel()
        self._transport.abort()
        if answer is not None:
            reply, answer.reply = answer.reply, None
            answer.end(error)
            if reply is not None:
                self._tell(reply, error)

    def _late(self, what: str, phase: str, limit_s: float) -> None:
        self._fail(
            EngineTimeout(
                f"engine '{self._keeper.engine}': {what} took longer than {limit_s:g} s"
                f" (timeout '{phase}' in engines.toml)"
            )
        )

    async def _write(self, head: bytes, body: bytes) -> None:
        """A large body, a slice at a time, so that TLS and the socket never hold a second copy of it."""
        view = memoryview(head + body[:WRITE_SLICE_BYTES]), memoryview(body)[WRITE_SLICE_BYTES:]
        for part in view:
            for start in range(0, len(part), WRITE_SLICE_BYTES):
                if self._writable is not None:
                    await self._writable
                if self._transport.is_closing():
                    return
                self._transport.write(part[start : start + WRITE_SLICE_BYTES])
                if self._answer is not None:
                    self._answer.quiet_s = 0.0
        self._writing = None


# The headers of an answer that say something to us.


def _type(answer: HttpAnswer, value: bytes) -> None:
    answer.content_type = value.decode("latin-1")


def _length(answer: HttpAnswer, value: bytes) -> None:
    answer.framed = True  # how long, the parser heeds


def _transfer(answer: HttpAnswer, value: bytes) -> None:
    answer.framed = True
    if value.strip().lower() != b"chunked":
        answer.fault = "a transfer coding other than chunked"


def _coding(answer: HttpAnswer, value: bytes) -> None:
    if value.strip().lower() != b"identity":
        answer.fault = "a compressed answer, which was not asked for and cannot be scanned"


_HEEDED: dict[bytes, Callable[[HttpAnswer, bytes], None]] = {
    b"content-type": _type,
    b"content-length": _length,
    b"transfer-encoding": _transfer,
    b"content-encoding": _coding,
}
