"""A process's leave to call models: asked of the host once, kept until the host wants the room for another."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from selat.core.errors import EngineError, EngineTimeout, EngineUnreachable
from selat.engines.llama.messages import (
    MAX_LINE_BYTES,
    Ask,
    Drain,
    Drained,
    Forget,
    FromClient,
    FromHost,
    Gone,
    Grant,
    Hello,
    Refusal,
    State,
    Used,
    Want,
    line,
    read_from_host,
)
from selat.engines.llama.serve import Place, read_place
from selat.engines.llama.spec import LlamaSpec

_USED_EVERY_S = 1.0
_FIND_S, _FIND_EVERY_S = 15.0, 0.1
_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Hosting:
    """How to reach a host: `place` is the file that names the home's, `command` starts one of our own.

    Without a `command` a host is waited for: whoever keeps this process keeps one too.
    """

    place: Path
    command: Sequence[str] = ()


class Lease:
    """Leave to call one model. `idle` tells whether no call is under way, `ended` is told that it is over."""

    def __init__(self, name: str, spec: LlamaSpec, idle: Callable[[], bool], ended: Callable[[], None]) -> None:
        self.name, self.spec = name, spec
        self.grant: Grant | None = None
        self.draining = False
        self.wanted = False
        self._idle, self._ended = idle, ended
        self._begun = 0  # calls that have the grant and no connection yet
        self.waiting: deque[asyncio.Future[Grant]] = deque()
        self._used = 0.0

    @property
    def open(self) -> bool:
        return self.grant is not None and not self.draining

    def begin(self) -> None:
        self._begun += 1

    def begun(self) -> None:
        """The call has its connection, or failed."""
        self._begun -= 1

    @property
    def drained(self) -> bool:
        return self.draining and not self._begun and self._idle()

    def just_used(self) -> bool:
        """Whether to say so: at most once a second."""
        now = time.monotonic()
        if now - self._used < _USED_EVERY_S:
            return False
        self._used = now
        return True

    def give(self, grant: Grant) -> None:
        self.grant, self.draining, self.wanted = grant, False, False
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                self.begin()
                waiter.set_result(grant)

    def lose(self, error: EngineError | None = None) -> None:
        """The grant is over; those who wait go on waiting, or get the error."""
        self.wanted = False
        if self.grant is not None:
            self.grant, self.draining = None, False
            self._ended()
        while error is not None and self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)


class Leases:
    """All the leases of this process, over one connection to the host; made again when that is lost."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: subprocess.Popen[bytes] | None = None
        self._own_place: Place | None = None
        self._leases: dict[int, Lease] = {}
        self._forget_connection()

    def _forget_connection(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._states: deque[asyncio.Future[State]] = deque()

    def add(self, lease: Lease) -> int:
        """Know a lease; its handle."""
        handle = max(self._leases, default=0) + 1
        self._leases[handle] = lease
        return handle

    def drop(self, handle: int) -> None:
        """The model is no longer configured."""
        lease = self._leases.get(handle)
        if lease is not None and lease.grant is not None:
            self._say(Forget(handle))
            lease.draining = True
            self.check(handle)

    async def take(self, handle: int, limit_s: float) -> Grant:
        """Leave for one call, which then `begun()`s; waits while the model is loaded or makes room.

        Raises: EngineUnreachable, with the host's reason; EngineTimeout.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._forget_connection()
            for lease in self._leases.values():
                lease.lose()
                lease.waiting.clear()
        lease = self._leases[handle]
        if lease.open:
            assert lease.grant is not None
            lease.begin()
            if lease.just_used():
                self._say(Used(handle))
            return lease.grant
        waiter: asyncio.Future[Grant] = loop.create_future()
        lease.waiting.append(waiter)
        try:
            async with asyncio.timeout(limit_s):
                await self._connect()
                if not waiter.done() and lease.grant is None:
                    self._want(handle)
                return await waiter
        except BaseException as error:
            self._leave(lease, waiter)
            if not isinstance(error, TimeoutError):
                raise
            raise EngineTimeout(
                f"engine '{lease.name}': no room or not loaded within {limit_s:g} s"
                " (timeout 'load' in engines.toml); see: selat engine loaded"
            ) from None

    def _leave(self, lease: Lease, waiter: asyncio.Future[Grant]) -> None:
        if waiter in lease.waiting:
            lease.waiting.remove(waiter)
        elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            lease.begun()  # served in the moment that it left

    def check(self, handle: int) -> None:
        """A call has ended: when it was the last of a lease that drains, give it back."""
        lease = self._leases[handle]
        if lease.drained:
            lease.lose()
            self._say(Drained(handle))
            if lease.waiting:
                self._want(handle)

    def _want(self, handle: int) -> None:
        lease = self._leases[handle]
        if not lease.wanted:
            lease.wanted = True
            self._say(Want(handle, lease.name, lease.spec))

    async def state(self) -> State | None:
        """What the home's host has loaded; None where no host runs. Never starts one."""
        place = read_place(self._hosting.place)
        if place is None:
            return None
        try:
            async with asyncio.timeout(_START_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=MAX_LINE_BYTES)
                try:
                    writer.write(line(Hello(place.secret)) + line(Ask()))
                    told = read_from_host(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError, msgspec.DecodeError):
            return None
        return told if isinstance(told, State) else None

    def stop(self) -> None:
        """End a host of our own, and with it its models."""
        own, self._own, self._own_place = self._own, None, None
        if own is not None:
            for pipe in (own.stdin, own.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                own.wait(_START_S)
            except subprocess.TimeoutExpired:
                own.kill()
                own.wait()

    # The connection.

    def _say(self, message: FromClient) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(line(message))

    async def _connect(self) -> None:
        if self._writer is not None:
            return
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._make_connection())
        try:
            await asyncio.shield(self._connecting)
        finally:
            if self._connecting is not None and self._connecting.done():
                self._connecting = None

    async def _make_connection(self) -> None:
        reader, writer = await self._find()
        writer.transport.set_write_buffer_limits(MAX_LINE_BYTES)
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader, writer))

    async def _find(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the home's host, else to one of our own. Raises: EngineUnreachable."""
        deadline = time.monotonic() + _FIND_S
        while True:
            place = read_place(self._hosting.place) or self._own_place
            for one in (place, self._own_place):
                if one is not None and (found := await _reach(one)) is not None:
                    return found
            if self._hosting.command:
                self._own_place = await asyncio.to_thread(self._start)
            elif time.monotonic() > deadline:
                raise EngineUnreachable("the host of models does not answer; see the log of: selat up")
            else:
                await asyncio.sleep(_FIND_EVERY_S)

    def _start(self) -> Place:
        self.stop()
        self._own = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
            self._hosting.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._own.stdout is not None
        try:
            return msgspec.json.decode(self._own.stdout.readline(), type=Place)
        except msgspec.DecodeError:
            raise EngineUnreachable("the host of models could not start; the line above says why") from None

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := await reader.readline():
                self._hear(read_from_host(said))
        except (OSError, ValueError, msgspec.DecodeError):
            pass  # the same as a host that is gone
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
                for lease in self._leases.values():
                    lease.lose(EngineUnreachable(f"engine '{lease.name}': the host of models is gone; try again"))

    def _hear(self, said: FromHost) -> None:
        match said:
            case Grant(handle=handle) if handle in self._leases:
                self._leases[handle].give(said)
            case Refusal(handle, reason) if handle in self._leases:
                self._leases[handle].lose(EngineUnreachable(reason))
            case Drain(handle) if handle in self._leases:
                self._leases[handle].draining = True
                self.check(handle)
            case Gone(handle) if handle in self._leases:
                lease = self._leases[handle]
                lease.lose()
                if lease.waiting:
                    self._want(handle)


async def _reach(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=MAX_LINE_BYTES)
    except OSError:
        return None
    writer.write(line(Hello(place.secret)))
    with contextlib.suppress(OSError):
        await writer.drain()
    return reader, writer
