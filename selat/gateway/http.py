"""HTTP/1.1 for callers: one Request a message, which takes its body and gives its one response."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from selat.core.errors import BadRequest, SelatError, TooLarge
from selat.gateway.errors import BodyTimeout
from selat.stamps import http_date
from selat.wire import Ask

if TYPE_CHECKING:
    from selat.gateway.connection import Connection
    from selat.gateway.head import Head

JSON = "application/json"
AT_ONCE_BYTES = 64 * 1024
"""A longer piece of a stream is written without waiting for the end of the turn."""
HELD_BYTES = 256 * 1024
"""So much is taken of a body that nobody reads yet: it may wait behind a long answer, or come too fast."""

Extra = Iterable[tuple[str, str]] | str
"""Further headers of a response: names and values, or their lines as they go out."""
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_PROCESS: Final = secrets.token_hex(4)
_numbers: Final = itertools.count(1)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _too_large(limit_bytes: int, setting: str) -> TooLarge:
    said = f"the body is over the limit of {limit_bytes} bytes (setting {setting})"
    return TooLarge(said, limit_bytes=limit_bytes)


class Request:
    """One request: method, path and headers at once, the body when it is asked for; and its one response.

    A caller who hangs up cancels the task that works on its request, or calls what `Handle.begin` returned for it.
    `arrived`, on the monotonic clock, is when
    its head was whole. `id` names it in the log and to the caller; it is ours, never the caller's word. For the
    log it keeps the `status` told, what was `asked` and the `receipt`'s id, once there are such. `head_kept` is
    its head, where this connection has sent the same before. Of the body `size_bytes` have come so far, and
    `unparsed_bytes` are still to come of which no parser knows.
    """

    # On the class, since few of these differ from it in most requests.
    arrived = 0.0
    asked: Ask | None = None
    chunked = False
    chunks_known = True
    complete = False
    ended = False
    head_kept: Head | None = None
    keep_alive = False
    method = ""
    path = ""
    query = ""
    receipt = ""
    refusal: SelatError | None = None
    sized = False
    started = False
    status = 0
    size_bytes = 0
    unparsed_bytes = 0
    _unread_bytes = 0
    _most_bytes = 0
    _then: Callable[[], None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, connection: Connection, headers: dict[bytes, bytes], pieces: list[bytes]) -> None:
        self._connection = connection
        self._pieces = pieces
        self.headers = headers
        self.id = _PROCESS + format(next(_numbers), "08x")

    def header(self, name: bytes) -> str:
        """A header as text, "" when absent. Raises: BadRequest, when it is not ASCII."""
        try:
            return self.headers.get(name, b"").decode("ascii")
        except UnicodeDecodeError:
            raise BadRequest(f"header {name.decode()}: only ASCII is allowed", param=name.decode()) from None

    @property
    def peer(self) -> str:
        """The address that the connection comes from; "" where it has none."""
        name = self._connection.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def secure(self) -> bool:
        """Whether it came over TLS of our own."""
        return self._connection.transport.get_extra_info("ssl_object") is not None

    async def body(self, limit_bytes: int, timeout_s: float) -> bytes:
        """The whole body. Raises: TooLarge (before reading, where the length is declared), BodyTimeout, HungUp."""
        if not self.complete:
            arrived = asyncio.get_running_loop().create_future()
            self.when_arrived(limit_bytes, timeout_s, partial(_settle, arrived))
            try:
                await arrived
            finally:
                self.forget()
        return self.arrived_body(limit_bytes)

    def when_arrived(self, limit_bytes: int, timeout_s: float, then: Callable[[], None]) -> None:
        """Have `then` called, once, when `arrived_body` can tell: now or later, unless it is told to `forget`.

        Raises: TooLarge, before the body is sent, where its length is declared.
        """
        self._expect(limit_bytes, "body_limit_bytes")
        self._most_bytes = limit_bytes
        self._unread_bytes = -limit_bytes  # that much may come before it is held back
        self._connection.let_go()
        self._then = then
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._late)
        self.heed()

    def forget(self) -> None:
        """Nobody waits for the body any more."""
        timer, self._timer, self._then = self._timer, None, None
        if timer is not None:
            timer.cancel()

    def arrived_body(self, limit_bytes: int) -> bytes:
        """The whole body of a request that is complete. Raises: TooLarge; and of one that will not be, why."""
        if self.size_bytes > limit_bytes:
            raise _too_large(limit_bytes, "body_limit_bytes")
        if self.refusal is not None:
            raise self.refusal
        return b"".join(self._pieces)

    def pieces(self, limit_bytes: int, timeout_s: float) -> Pieces:
        """The body as it comes, none of it kept. Raises: TooLarge, now or later; BodyTimeout, HungUp, later."""
        self._expect(limit_bytes, "upload_limit_bytes")
        return Pieces(self, limit_bytes, time.monotonic() + timeout_s)

    @property
    def exhausted(self) -> bool:
        """Whether all of the body has come and was taken."""
        return self.complete and not self._pieces

    def take(self, limit_bytes: int) -> list[bytes]:
        """What has come of the body, which is then no longer kept. Raises: TooLarge."""
        taken, self._pieces = self._pieces, []
        self._unread_bytes = 0
        self._connection.let_go()
        if self.size_bytes > limit_bytes:
            raise _too_large(limit_bytes, "upload_limit_bytes")
        return taken

    async def more(self, deadline: float) -> None:
        """Wait for more of the body, until a moment of the monotonic clock. Raises: BodyTimeout, HungUp."""
        if self.refusal is not None:
            raise self.refusal
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._waiter, max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise BodyTimeout(
                "the body did not arrive in time; send it faster or raise upload_timeout_s"
            ) from None

    def _expect(self, limit_bytes: int, setting: str) -> None:
        """Refuse a body that is declared too long, before it is sent; else tell the caller to send it."""
        declared = self.headers.get(b"content-length", b"0")
        if len(declared) > 18 or int(declared) > limit_bytes:
            raise _too_large(limit_bytes, setting)
        if not self.complete and self.headers.get(b"expect", b"").lower() == b"100-continue":
            self._connection.write(_CONTINUE)

    def start(self, status: int, content_type: str, extra: Extra = (), size_bytes: int | None = None) -> None:
        """The head of a response whose body comes by `write`: so many bytes, where that is known."""
        self.sized = size_bytes is not None
        self.chunked = self.chunks_known and not self.sized
        if size_bytes is not None:
            framing = f"content-length: {size_bytes}\r\n"
        else:
            self.keep_alive = self.keep_alive and self.chunks_known
            framing = "transfer-encoding: chunked\r\n" if self.chunks_known else ""
        self._connection.write(self.head(status, content_type, extra, framing))

    async def write(self, body: bytes, *, more: bool = False) -> None:
        """A piece of the body; the last one without `more`. Waits while the caller reads slowly."""
        connection = self._connection
        if connection.writable is not None:
            await connection.writable
        if body:
            self.pass_on(body)
        if not more:
            self.end()
        else:
            # Whoever writes piece by piece is to wait for a slow caller, not for the end of the turn.
            connection.burst.send()

    def pass_on(self, body: bytes) -> asyncio.Future[None] | None:
        """Write a piece of the body; while the caller reads slowly, a future to wait for before the next."""
        connection = self._connection
        framed = b"%x\r\n%b\r\n" % (len(body), body) if self.chunked else body
        connection.burst.write(connection.transport, framed)
        if len(framed) > AT_ONCE_BYTES:
            # An engine's next piece may come in this very turn, and the one after it: is the caller slow?
            connection.burst.send()
        return connection.writable

    def end(self) -> None:
        """End a body that came by `pass_on`."""
        if self.chunked:
            self._connection.write(b"0\r\n\r\n")
        self.ended = True

    async def vacate(self) -> int | None:
        """A descriptor of the caller's socket once all that was written has left us, to send what follows by.

        None where bytes do not go out as they are (TLS of our own). Whoever takes it closes it.
        Raises: ConnectionResetError.
        """
        connection, transport = self._connection, self._connection.transport
        if self.secure:
            return None
        connection.burst.send()
        transport.set_write_buffer_limits(high=0)
        if connection.writable is not None:
            await connection.writable
        transport.set_write_buffer_limits()
        if transport.is_closing():
            raise ConnectionResetError("the caller is gone")
        return os.dup(transport.get_extra_info("socket").fileno())

    async def respond(self, status: int, body: bytes, content_type: str = JSON, extra: Extra = ()) -> None:
        """A whole response; to HEAD without its body."""
        self.answer(status, body, content_type, extra)

    def answer(self, status: int, body: bytes, content_type: str, extra: Extra) -> None:
        """`respond`, as a plain call."""
        connection = self._connection
        head = self.head(status, content_type, extra, f"content-length: {len(body)}\r\n")
        connection.burst.write(connection.transport, head if self.method == "HEAD" else head + body)
        self.ended = True

    def abort(self) -> None:
        """Break the connection: what was promised cannot be given, and the caller must not take it for whole."""
        self._connection.burst.send()
        self._connection.transport.abort()

    def finish(self) -> None:
        """Let the next request in: called once, by who took this one in `Handle.begin`, when nothing more follows.

        By then it is answered, or given up: what was not answered whole closes the connection.
        """
        self._connection.finished(self)

    async def respond_json(self, status: int, value: object) -> None:
        await self.respond(status, msgspec.json.encode(value))

    def head(self, status: int, content_type: str, extra: Extra, framing: str) -> bytes:
        self.started, self.status = True, status
        if not self.complete:
            # What is left of the body is not read, so nothing can follow on this connection.
            self.keep_alive = False
        second = int(time.time())
        beginning = _beginnings.get((second, status, content_type)) or _beginning(second, status, content_type)
        lines = extra if isinstance(extra, str) else "".join([f"{name}: {value}\r\n" for name, value in extra])
        end = "\r\n" if self.keep_alive else "connection: close\r\n\r\n"
        return f"{beginning}{self.id}\r\n{framing}{lines}{end}".encode("latin-1", "replace")

    # Called by the connection.

    def feed(self, body: bytes) -> None:
        size_bytes = len(body)
        self._pieces.append(body)
        self.size_bytes += size_bytes
        self._unread_bytes += size_bytes
        if self._unread_bytes > HELD_BYTES:
            self._connection.hold()

    def feed_unparsed(self, data: bytes) -> bytes:
        """Take what belongs to the body of what has come, and give what follows it."""
        left = self.unparsed_bytes
        body = data[:left]
        self.unparsed_bytes = left - len(body)
        self.feed(body)
        self.complete = not self.unparsed_bytes
        return data[left:]

    def heed(self) -> None:
        """Tell who waits for the body of what has come of it, or that it will not come."""
        then, waiter = self._then, self._waiter
        if then is not None:
            if self.complete or self.refusal is not None or self.size_bytes > self._most_bytes:
                self.forget()
                then()
        elif waiter is not None:
            self._waiter = None
            _settle(waiter)

    def _late(self) -> None:
        self.refusal = BodyTimeout("the body did not arrive in time; send it faster or raise body_timeout_s")
        self.heed()


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Pieces:
    """A body that is taken while it comes; its own iterator."""

    def __init__(self, request: Request, limit_bytes: int, deadline: float) -> None:
        self._request, self._limit_bytes, self._deadline = request, limit_bytes, deadline
        self._taken: deque[bytes] = deque()

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        request = self._request
        while not self._taken:
            if request.exhausted:
                raise StopAsyncIteration
            self._taken.extend(request.take(self._limit_bytes))
            if not self._taken and not request.complete:
                await request.more(self._deadline)
        return self._taken.popleft()


_beginnings: Final[dict[tuple[int, int, str], str]] = {}
"""What responses begin with, by the second since 1970, status and content-type; of one second only."""


def _beginning(second: int, status: int, content_type: str) -> str:
    if not any(known[0] == second for known in _beginnings):
        _beginnings.clear()
    date = http_date(second)
    made = f"{_STATUS[status]}date: {date}\r\ncontent-type: {content_type}\r\nx-request-id: "
    _beginnings[second, status, content_type] = made
    return made
