"""HTTP/1.1 for callers: one strict parser a connection, one Request a message, back-pressure both ways."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
import msgspec

from selat.core.errors import BadRequest, SelatError, TooLarge
from selat.gateway.errors import BodyTimeout, HeadTooLarge, error_body
from selat.gateway.logs import CURRENT
from selat.wire import Ask

JSON = b"application/json"
MAX_HEAD_BYTES = 64 * 1024
LINGER_S = 2.0
HELD_BYTES = 256 * 1024
"""So much is taken of a body that nobody reads yet: it may wait behind a long answer, or come too fast."""
MAX_PIPELINED = 16
"""Requests that may wait on one connection while an earlier one is answered; then it is not read further."""

Extra = Iterable[tuple[bytes, bytes]] | bytes
"""Further headers of a response: names and values, or their lines as they go out."""
_STATUS = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
_PROCESS = secrets.token_hex(4)
_numbers = itertools.count(1)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _too_large(limit_bytes: int, setting: str) -> TooLarge:
    said = f"the body is over the limit of {limit_bytes} bytes (setting {setting})"
    return TooLarge(said, limit_bytes=limit_bytes)


class Request:
    """One request: method, path and headers at once, the body when it is asked for; and its one response.

    A caller who hangs up cancels the task that works on its request. `arrived`, on the monotonic clock, is when
    its head was whole. `id` names it in the log and to the caller; it is ours, never the caller's word. For the
    log it keeps the `status` told, what was `asked` and the `receipt`'s id, once there are such.
    """

    # On the class, since few of these differ from it in most requests.
    arrived = 0.0
    asked: Ask | None = None
    chunks_known = True
    complete = False
    ended = False
    keep_alive = False
    method = ""
    path = ""
    query = ""
    receipt = ""
    refusal: SelatError | None = None
    sized = False
    started = False
    status = 0
    _size_bytes = 0
    _unread_bytes = 0
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pieces: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.id = f"{_PROCESS}{next(_numbers):08x}"

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
        if self.complete and self._size_bytes <= limit_bytes:
            return b"".join(self._pieces)
        self._expect(limit_bytes, "body_limit_bytes")
        if not self.complete:
            self._unread_bytes = -limit_bytes  # that much may come before it is held back
            self._connection.let_go()
            try:
                async with asyncio.timeout(timeout_s):
                    while not self.complete and self._size_bytes <= limit_bytes:
                        if self.refusal is not None:
                            raise self.refusal
                        self._waiter = asyncio.get_running_loop().create_future()
                        await self._waiter
            except TimeoutError:
                raise BodyTimeout(
                    "the body did not arrive in time; send it faster or raise body_timeout_s"
                ) from None
        if self._size_bytes > limit_bytes:
            raise _too_large(limit_bytes, "body_limit_bytes")
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
        if self._size_bytes > limit_bytes:
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
            self._connection.transport.write(_CONTINUE)

    async def start(
        self, status: int, content_type: bytes, extra: Extra = (), size_bytes: int | None = None
    ) -> None:
        """The head of a response whose body comes by `write`: so many bytes, where that is known."""
        self.sized = size_bytes is not None
        if size_bytes is not None:
            framing = b"content-length: %d\r\n" % size_bytes
        else:
            self.keep_alive = self.keep_alive and self.chunks_known
            framing = b"transfer-encoding: chunked\r\n" if self.chunks_known else b""
        self._connection.transport.write(self.head(status, content_type, extra, framing))

    async def write(self, body: bytes, *, more: bool = False) -> None:
        """A piece of the body; the last one without `more`. Waits while the caller reads slowly."""
        connection = self._connection
        if connection.writable is not None:
            await connection.writable
        if body:
            self.pass_on(body)
        if not more:
            if self.chunks_known and not self.sized:
                connection.transport.write(b"0\r\n\r\n")
            self.ended = True

    def pass_on(self, body: bytes) -> asyncio.Future[None] | None:
        """Write a piece of the body now; while the caller reads slowly, a future to wait for before the next."""
        connection = self._connection
        chunked = self.chunks_known and not self.sized
        connection.transport.write(b"%x\r\n%b\r\n" % (len(body), body) if chunked else body)
        return connection.writable

    async def vacate(self) -> int | None:
        """A descriptor of the caller's socket once all that was written has left us, to send what follows by.

        None where bytes do not go out as they are (TLS of our own). Whoever takes it closes it.
        Raises: ConnectionResetError.
        """
        connection, transport = self._connection, self._connection.transport
        if self.secure:
            return None
        transport.set_write_buffer_limits(high=0)
        if connection.writable is not None:
            await connection.writable
        transport.set_write_buffer_limits()
        if transport.is_closing():
            raise ConnectionResetError("the caller is gone")
        return os.dup(transport.get_extra_info("socket").fileno())

    async def respond(self, status: int, body: bytes, content_type: bytes = JSON, extra: Extra = ()) -> None:
        """A whole response; to HEAD without its body."""
        self.answer(status, body, content_type, extra)

    def answer(self, status: int, body: bytes, content_type: bytes, extra: Extra) -> None:
        """`respond`, as a plain call."""
        head = self.head(status, content_type, extra, b"content-length: %d\r\n" % len(body))
        self._connection.transport.write(head if self.method == "HEAD" else head + body)
        self.ended = True

    def abort(self) -> None:
        """Break the connection: what was promised cannot be given, and the caller must not take it for whole."""
        self._connection.transport.abort()

    async def respond_json(self, status: int, value: object) -> None:
        await self.respond(status, msgspec.json.encode(value))

    def head(self, status: int, content_type: bytes, extra: Extra, framing: bytes) -> bytes:
        self.started, self.status = True, status
        if not self.complete:
            # What is left of the body is not read, so nothing can follow on this connection.
            self.keep_alive = False
        return b"%bdate: %b\r\nx-request-id: %b\r\ncontent-type: %b\r\n%b%b%b" % (
            _STATUS[status],
            _date(),
            self.id.encode(),
            content_type,
            framing,
            extra if isinstance(extra, bytes) else b"".join([b"%b: %b\r\n" % field for field in extra]),
            b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n",
        )

    # Called by the connection.

    def feed(self, body: bytes) -> None:
        size_bytes = len(body)
        self._pieces.append(body)
        self._size_bytes += size_bytes
        self._unread_bytes += size_bytes
        if self._unread_bytes > HELD_BYTES:
            self._connection.hold()
        if self._waiter is not None:
            self._wake()

    def feed_end(self) -> None:
        self.complete = True
        if self._waiter is not None:
            self._wake()

    def refuse(self, error: SelatError) -> None:
        """The rest of it will not come, for this reason."""
        self.refusal = error
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
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


Handle = Callable[[Request], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One caller's connection: requests in order, one at a time; a hang-up cancels the one at work.

    `waiting_since` is when it began to wait for a head, on the loop's clock; None while a request is at work.
    `in_head` tells a head that has begun from an idle connection; `task` is the handler at work.
    """

    transport: asyncio.Transport

    def __init__(self, handle: Handle, connections: set[Connection]) -> None:
        self._handle = handle
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self._in_head = True
        self._ended_here = False
        self._arriving: Request | None = None
        self._headers: dict[bytes, bytes] | None = None  # of a head that is arriving
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self.task: asyncio.Task[None] | None = None
        self._draining = self._full = self._holding = self._deaf = False
        self._paused = False
        self.writable: asyncio.Future[None] | None = None
        self.waiting_since: float | None = self._loop.time()

    @property
    def in_head(self) -> bool:
        return self._head_bytes > 0

    def drain(self) -> None:
        """Take no more requests; close once the one at work is answered."""
        self._draining = True
        if self._current is None:
            self.transport.close()
        else:
            self._current.keep_alive = False

    def hold(self) -> None:
        """Read no further until `let_go`: a body is not taken as fast as it comes."""
        self._holding = True
        self._heed()

    def let_go(self) -> None:
        if self._holding:
            self._holding = False
            self._heed()

    def _heed(self) -> None:
        """Read, or do not, as it should be now."""
        held = self._full or self._holding
        if held is not self._paused and not self.transport.is_closing():
            self._paused = held
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self.resume_writing()
        self._waiting.clear()
        if self.task is not None and self._current is not None and not self._current.ended:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._ended_here = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(BadRequest("this server does not change protocols"))
        except httptools.HttpParserError:
            self._refuse(BadRequest("not a well-formed HTTP/1.1 request"))
        if self._in_head and not self._deaf:
            # What came in one read with the end of a body is that body, whatever its length.
            self._head_bytes += int(self._arriving is not None) if self._ended_here else len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadTooLarge(f"the head is over the limit of {MAX_HEAD_BYTES} bytes"))
        if self._current is None and self._waiting:
            self._next()

    def pause_writing(self) -> None:
        if self.writable is None:
            self.writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        request = self._arriving = Request(self)
        self._headers = request.headers
        self._in_head = True
        if self._current is None:
            self.waiting_since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        assert self._arriving is not None
        self._arriving.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        if headers is None:
            return  # a trailer says nothing that we would believe
        name = name.lower()
        # Two of a name are one list (RFC 9110 section 5.3), so that no header can hide another.
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        request, parser = self._arriving, self._parser
        assert request is not None
        self._headers = self.waiting_since = None
        self._in_head, self._head_bytes = False, 0
        request.arrived = time.monotonic()
        request.method = parser.get_method().decode("ascii")
        if parser.should_keep_alive() and not self._draining:
            request.keep_alive = True
        if parser.get_http_version() == "1.0":
            request.chunks_known = False
        if "?" in request.path:
            request.path, _, request.query = request.path.partition("?")
        if "%" in request.path:
            request.path = unquote(request.path)
        self._waiting.append(request)
        if len(self._waiting) > MAX_PIPELINED:
            self._full = True
            self._heed()

    def on_body(self, body: bytes) -> None:
        if self._arriving is not None:
            self._arriving.feed(body)

    def on_message_complete(self) -> None:
        if self._arriving is not None:
            self._arriving.feed_end()
        self._arriving = None
        self._in_head, self._head_bytes, self._ended_here = True, 0, True

    def _next(self) -> None:
        if not self.transport.is_closing():
            self._current = request = self._waiting.popleft()
            self.task = self._loop.create_task(self._work(request))

    async def _work(self, request: Request) -> None:
        CURRENT.set(request.id)
        try:
            if request.refusal is not None and not request.method:
                await request.respond(request.refusal.status, error_body(request.refusal))
            else:
                await self._handle(request)
        except asyncio.CancelledError:
            if not self.transport.is_closing():
                raise
        finally:
            self._current = self.task = None
            if request.ended and request.keep_alive:
                self.waiting_since = self._loop.time()
                if self._full:
                    self._full = False
                    self._heed()
                if self._waiting:
                    self._next()
            elif request.ended and not request.complete:
                self._linger()
            else:
                self.transport.close()

    def _linger(self) -> None:
        """Close gently: what still comes is read and thrown away, or a reset would take our answer with it."""
        self._deaf = True
        self.let_go()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._loop.call_later(LINGER_S, self.transport.close)

    def _refuse(self, error: SelatError) -> None:
        """Read no further. What is no request gets its answer in turn, after all that came before it."""
        self._deaf = True
        request, self._arriving = self._arriving, None
        if request is not None and not self._in_head:
            request.refuse(error)
            return
        request = request or Request(self)
        request.refusal = error
        self._waiting.append(request)


_today: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """The Date header's value, made anew once a second."""
    global _today
    second = int(time.time())
    if _today[0] != second:
        _today = (second, formatdate(second, usegmt=True).encode())
    return _today[1]
