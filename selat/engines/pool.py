"""The connections to one engine: a bounded number, kept alive, fairly queued for, and watched for time."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from asyncio import get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from selat.burst import Burst
from selat.core.errors import EngineBusy, EngineError, EngineTimeout, EngineUnreachable
from selat.engines.answer import HttpAnswer, Reply
from selat.engines.engine import Call, Leave
from selat.engines.fair import WaitingRoom
from selat.engines.heads import UsualHead
from selat.engines.http1 import Connection
from selat.engines.limits import AT_ONCE_BYTES, Capacity, Timeouts

_log = logging.getLogger("selat.engines")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens; `tls` is the context that verifies it, None for plain TCP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Pool:
    """A Keeper of Connections to one Address. It runs on one event loop; used on another, it starts anew."""

    burst: Burst

    def __init__(self, engine: str, address: Address, timeouts: Timeouts, capacity: Capacity) -> None:
        self.engine = engine
        self.timeouts = timeouts
        self.usual = UsualHead()
        self._address = address
        self._capacity = capacity
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._empty()

    def _empty(self) -> None:
        self._idle: list[Connection] = []
        self._known: set[Connection] = set()  # idle or busy
        self._waiting: WaitingRoom[asyncio.Future[Connection | None]] = WaitingRoom()
        self._open = 0  # connections that are idle, busy or being made
        self._timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._known) - len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def open(self) -> int:
        return self._open

    async def exchange(self, head: bytes, call: Call) -> HttpAnswer:
        """Send `head` and the call's body; a kept connection found closed is replaced by a fresh one, once.

        Raises: EngineBusy, EngineUnreachable, EngineTimeout, EngineGarbage.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self.burst = loop, Burst(loop)
            self._empty()
        connection = self._idle.pop() if self._idle else await self._take(call)
        if connection.is_closing():
            connection = await self._take(call)
        answer = await self._on(connection, head, call)
        if answer is None:
            _log.debug("engine '%s': a kept connection was closed; sending again on a fresh one", self.engine)
            # The dead connection's place may have gone to one who waited; the fresh one may be one too many for
            # that moment.
            self._open += 1
            answer = await self._on(await self._connect(call), head, call)
            assert answer is not None  # no kept one
        return answer

    def begin(self, request: bytes, stream: bool, reply: Reply) -> Leave | None:
        """`exchange` by plain calls, over a connection that is idle now: `reply` is told how it came out, and the
        Leave given is for a caller who goes before that. None, with nothing done, without such a connection.
        Nobody is overtaken: while calls wait none is idle."""
        idle = self._idle
        if not idle or get_running_loop() is not self._loop:
            return None
        connection = idle.pop()
        return None if connection.is_closing() else connection.begin(request, stream, reply).leave

    async def _on(self, connection: Connection, head: bytes, call: Call) -> HttpAnswer | None:
        """The answer to a call; None where a kept connection was closed before any byte of one."""
        replied: asyncio.Future[HttpAnswer | None] = self._running.create_future()
        self._known.add(connection)
        if self._timer is None:
            self._watch()
        reply = partial(_settle, replied)
        if len(call.body) <= AT_ONCE_BYTES:
            answer = connection.begin(head + call.body, call.stream, reply)
        else:
            answer = connection.begin_large(head, call.body, call.stream, reply)
        try:
            return await replied
        except asyncio.CancelledError:
            # An answer that came in the same moment is broken off as well; where it was whole, the connection may
            # be another call's already, and is not touched.
            answer.drop()
            raise

    async def close(self) -> None:
        """Take no more calls, close idle connections; exchanges under way go on to their end."""
        self.shut()

    def shut(self) -> None:
        """`close`, as a plain call."""
        self._closed = True
        if self._loop is not None and self._loop.is_closed():
            self._empty()  # its connections went with it
            return
        for connection in list(self._idle):
            connection.abandon()
        while self._waiting:
            waiter = self._waiting.pop()
            if not waiter.done():
                waiter.set_exception(self._gone())

    # What connections call.

    def freed(self, connection: Connection) -> None:
        connection.idle_since = self._ticked_at  # near enough, and what it is compared with
        if self._closed or self._waiting.size:
            self._pass_on(connection)
        else:
            self._idle.append(connection)

    def _pass_on(self, connection: Connection) -> None:
        if self._closed:
            connection.abandon()
            return
        while self._waiting.size:
            waiter = self._waiting.pop()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self._known.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._give_place()

    # Places.

    @property
    def _running(self) -> asyncio.AbstractEventLoop:
        return self._loop or asyncio.get_running_loop()

    def _give_place(self) -> None:
        self._open -= 1
        while self._waiting:
            waiter = self._waiting.pop()
            if not waiter.done():
                self._open += 1
                waiter.set_result(None)
                return

    async def _take(self, call: Call) -> Connection:
        while True:
            if self._closed:
                raise self._gone()
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closing():
                    return connection
            if self._open < self._capacity.max_connections:
                self._open += 1
                return await self._connect(call)
            granted = await self._wait(call)
            if granted is None:
                return await self._connect(call)
            if not granted.is_closing():
                return granted

    async def _wait(self, call: Call) -> Connection | None:
        """A freed connection, or None for the place of one that is gone."""
        most = self._capacity.max_waiting
        if len(self._waiting) >= most:
            raise EngineBusy(
                f"engine '{self.engine}': {self._open} calls in flight and {most} waiting, its limits"
            )
        waiter: asyncio.Future[Connection | None] = self._running.create_future()
        self._waiting.push(call.tenant, waiter, call.background)
        since = time.monotonic()
        try:
            async with asyncio.timeout(self.timeouts.queue_s):
                return await waiter
        except TimeoutError:
            self._hand_back(waiter)
            raise EngineBusy(
                f"engine '{self.engine}': no free connection within {self.timeouts.queue_s:g} s"
                f" ({self._capacity.max_connections} in use; max_connections and timeout 'queue' in engines.toml)"
            ) from None
        except asyncio.CancelledError:
            self._hand_back(waiter)
            raise
        finally:
            self._waiting.discard(call.tenant, waiter)
            if call.timing is not None:
                call.timing.queued_s += time.monotonic() - since

    def _hand_back(self, waiter: asyncio.Future[Connection | None]) -> None:
        """A waiter that leaves may have been served in the same moment: pass on what it was given."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            connection = waiter.result()
            if connection is None:
                self._give_place()
            elif not connection.is_closing():
                self.freed(connection)

    async def _connect(self, call: Call) -> Connection:
        """A fresh connection in a place already counted. Raises: EngineUnreachable, EngineTimeout."""
        loop, where, limit_s = self._running, self._address, self.timeouts.connect_s
        made: Callable[[], Connection] = lambda: Connection(self, loop)  # noqa: E731
        usable = False
        since = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                _, connection = await loop.create_connection(made, where.host, where.port, ssl=where.tls)
            usable = not connection.gone
        except TimeoutError as error:
            raise EngineTimeout(
                f"engine '{self.engine}': no connection within {limit_s:g} s (timeout 'connect' in engines.toml)"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise EngineUnreachable(
                f"engine '{self.engine}': its certificate does not verify ({error.verify_message});"
                " name its authority in ca_file in engines.toml"
            ) from error
        except OSError as error:
            raise EngineUnreachable(
                f"engine '{self.engine}': cannot connect ({_reason(error)}); is it running? selat engine list"
            ) from error
        finally:
            if call.timing is not None:
                call.timing.connect_s += time.monotonic() - since
            if not usable:
                self._give_place()
        if not usable:
            raise EngineUnreachable(f"engine '{self.engine}': closed the connection as soon as it was made")
        connection.adopted = True
        return connection

    def _gone(self) -> EngineUnreachable:
        return EngineUnreachable(f"engine '{self.engine}' has been removed")

    # Time.

    def _watch(self) -> None:
        loop = self._running
        self._ticked_at = loop.time()
        self._timer = loop.call_later(self.timeouts.tick_s, self._tick)

    def _tick(self) -> None:
        now = self._running.time()
        # A loop that was held up is no fault of the engine's: never count more than two ticks at once.
        elapsed_s = min(now - self._ticked_at, 2 * self.timeouts.tick_s)
        for connection in tuple(self._known):
            connection.tick(now, elapsed_s)
        for connection in [c for c in self._idle if now - c.idle_since > self._capacity.idle_s]:
            connection.abandon()
        self._timer = None
        if self._open:
            self._watch()


class WatchedPool(Pool):
    """A pool that calls `ended` whenever a call on it has ended."""

    def __init__(
        self, engine: str, address: Address, timeouts: Timeouts, capacity: Capacity, ended: Callable[[], None]
    ) -> None:
        super().__init__(engine, address, timeouts, capacity)
        self._ended = ended

    def freed(self, connection: Connection) -> None:
        super().freed(connection)
        self._ended()

    def lost(self, connection: Connection) -> None:
        super().lost(connection)
        self._ended()


def _settle(replied: asyncio.Future[HttpAnswer | None], outcome: HttpAnswer | EngineError | None) -> None:
    """Wake the coroutine that waits for an exchange."""
    if replied.done():
        if isinstance(outcome, HttpAnswer):
            outcome.drop()  # the caller left in this very moment, so nobody would read the rest
    elif isinstance(outcome, EngineError):
        replied.set_exception(outcome)
    else:
        replied.set_result(outcome)


def _reason(error: OSError) -> str:
    """Why, without the address: messages reach callers, who need not know where engines stand."""
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'broken off'}"
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"
