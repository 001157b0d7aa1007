"""An answer that comes over HTTP: taken whole where it has come, piece by piece, or poured by plain calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from selat.core.errors import EngineError
from selat.engines.engine import Sink

Reply = Callable[["HttpAnswer | EngineError | None"], None]
"""Told once how an exchange came out: an Answer (whole, or begun), an error, or None: a kept connection turned
out closed before any byte came back, so the call may be sent once more. It must not raise."""

Over = Callable[[Exception | None], None]
"""Told once that an answer is poured, or what broke it off."""


class Line(Protocol):
    """What an answer knows of the connection that it comes over."""

    paused: bool

    def resume(self) -> None: ...

    def abandon(self) -> None: ...


class HttpAnswer:
    """An Answer that comes over a Connection: whole, or its pieces one by one, or poured into a sink.

    It is its own iterator, so that a piece taken costs one coroutine; a piece poured costs none. What the
    connection knows of this exchange stands here too, so that nothing of it can outlive it.
    """

    # On the class, since most of these stay as they are in most exchanges.
    status: int = 0
    content_type: str = ""
    retry_after: str = ""  # seconds or an HTTP-date, as the engine wrote it
    whole: bytes | None = None  # the body, where it came before the answer was told, until it is taken
    size: int = 0  # bytes in `parts`
    headed: bool = False
    framed: bool = False
    complete: bool = False
    early: bool = False
    keep: bool = False
    fault: str = ""
    ended: bool = False  # complete, or at fault
    unframed: int = 0
    started_at: float = 0.0  # at the first tick
    quiet_s: float = 0.0
    sink: Sink | None = None  # where pieces go at once, unless it asked to wait
    error: EngineError | None = None
    _waiter: asyncio.Future[None] | None = None
    _waits: Sink | None = None  # the sink while it asks to wait
    _over: Over | None = None

    def __init__(self, connection: Line, stream: bool, reply: Reply) -> None:
        self.stream = stream
        self.fresh = not stream  # nothing of it has come, and it may come in one read
        self.parts: list[bytes] = []
        self.reply: Reply | None = reply  # None once it was told
        self.connection: Line | None = connection  # None at its end

    def blame(self, fault: str) -> None:
        """It is not the HTTP we speak; what was found first counts."""
        self.fault = self.fault or fault
        self.ended = True

    @property
    def unread(self) -> bool:
        """Whether it is the reader's turn."""
        return self._waits is not None or self.size > 0

    def chunks(self) -> HttpAnswer:
        self._unfold()
        return self

    def __aiter__(self) -> HttpAnswer:
        return self

    async def __anext__(self) -> bytes:
        """All that has arrived since the last call. Raises: EngineError, when the engine broke off."""
        while not self.parts:
            if self.connection is None:
                if self.error is not None:
                    raise self.error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._take()

    async def pour(self, sink: Sink) -> None:
        """Give each piece to `sink` in the very call that brings it, so that no task is woken for it.

        Raises: EngineError, when the engine broke off; and whatever `sink` raises, which ends the exchange.
        """
        poured: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self.flow(sink, partial(_settle, poured))
            await poured
        finally:
            self.halt()

    def flow(self, sink: Sink, over: Over) -> None:
        """`pour` by plain calls: `over` is called once at the end, with the error where there was one. What has
        come already goes to `sink` in this very call, and so may the end."""
        self._unfold()
        # Looked at for each piece, and found sooner on the answer than on its class.
        self.complete, self.fault = self.complete, self.fault
        self.sink = sink
        self._over = over
        self._flow()

    def halt(self) -> None:
        """Pour no more, and tell nobody."""
        self.sink = self._waits = self._over = None

    def bring(self, pieces: list[bytes]) -> None:
        """Hand what one read has brought to who waits for it, or keep it. Leaves `pieces` empty."""
        self.parts += pieces
        self.size += sum(map(len, pieces))
        pieces.clear()
        if self._over is not None or self._waiter is not None:
            self.wake()

    def wake(self) -> None:
        if self._over is not None:
            self._flow()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _flow(self) -> None:
        """Hand on what has arrived, unless the sink asked to wait; at the end tell who poured."""
        sink = self.sink
        if self.parts and sink is not None:
            try:
                held = sink(self._take())
            except Exception as error:  # noqa: BLE001 - it is for whoever pours
                self.spill(error)
                return
            if held is not None:
                self.hold(held)
        if self.connection is None and not self.parts and self._waits is None:
            self._end_flow(self.error)

    def hold(self, until: asyncio.Future[None]) -> None:
        """The sink takes no more until that is done."""
        if self._over is not None:
            self.sink, self._waits = None, self.sink
            until.add_done_callback(self._go_on)

    def spill(self, error: Exception) -> None:
        """The sink failed: nothing more is poured, and the engine should stop."""
        self._end_flow(error)
        self.drop()

    def _go_on(self, _held: asyncio.Future[None]) -> None:
        if self._waits is not None:
            self.sink, self._waits = self._waits, None
            self._flow()

    def _end_flow(self, error: Exception | None) -> None:
        over, self._over = self._over, None
        self.sink = self._waits = None
        if over is not None:
            over(error)

    def _take(self) -> bytes:
        parts = self.parts
        self.size = 0
        connection = self.connection
        if connection is not None and connection.paused:
            connection.resume()
        joined = b"".join(parts)  # which copies nothing where there is one
        parts.clear()
        return joined

    def _unfold(self) -> None:
        if self.whole is not None:
            self.parts.append(self.whole)
            self.whole = None

    async def close(self) -> None:
        """Forget the rest; when it is still coming, break the connection now. Never suspends."""
        self.drop()

    def leave(self) -> None:
        """The caller has gone: nothing is told any more, and the engine should stop. An answer that was told
        already is the receiver's, who closes it."""
        if self.reply is not None:
            self.drop()

    def drop(self) -> None:
        self.reply = self.whole = None
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon()
        self.parts.clear()
        self.wake()


def _settle(poured: asyncio.Future[None], error: Exception | None) -> None:
    if not poured.done():
        if error is None:
            poured.set_result(None)
        else:
            poured.set_exception(error)
