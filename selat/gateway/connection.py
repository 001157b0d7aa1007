"""A caller's connection: one strict HTTP/1.1 parser, requests in order, back-pressure both ways."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from selat.burst import Burst
from selat.core.errors import BadRequest, SelatError
from selat.gateway.errors import HeadTooLarge, error_body
from selat.gateway.head import Head, keepable
from selat.gateway.http import Request
from selat.gateway.logs import CURRENT

MAX_HEAD_BYTES = 64 * 1024
LINGER_S = 2.0
MAX_PIPELINED = 16
"""Requests that may wait on one connection while an earlier one is answered; then it is not read further."""

_ABSOLUTE = re.compile("^https?://[^/?]+", re.IGNORECASE)
"""What a request to a proxy has before its path: RFC 9112 section 3.2.2 has servers take that, too."""

MAX_KEPT = 32
"""Heads that a connection may show us before we no longer look for the next that it repeats."""

_FRAMING = (b"content-length", b"transfer-encoding")
"""Headers that say where a body ends."""

Leave = Callable[[], None]
_NOBODYS = httptools.HttpRequestParser(None)
"""Stands in the place of a parser that is no longer needed."""


class Handle(Protocol):
    """What answers the requests."""

    def begin(self, request: Request) -> Leave | None:
        """Take a request whose head has come, without a task; raises nothing. None: nothing is done, call it.

        Its body may still be coming. Who takes it calls `request.finish()` once when it is answered or given up,
        now or later. What is returned is called if the caller hangs up before it is answered, at most once;
        `finish` follows then, too.
        """
        ...

    def __call__(self, request: Request) -> Awaitable[None]:
        """Answer a request, in a task that a hang-up cancels."""
        ...


class Connection(asyncio.Protocol):
    """One caller's connection: requests in order, one at a time; a hang-up ends the one at work.

    `waiting_since` is when it began to wait for a head, or for a caller to read, on the loop's clock; None while a
    request is at work.
    `in_head` tells a head that has begun from an idle connection.
    """

    transport: asyncio.Transport

    def __init__(self, handle: Handle, connections: set[Connection], burst: Burst) -> None:
        self._handle = handle
        self._connections = connections
        self.burst = burst
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self._read_bytes = 0  # at least as many as the head that is arriving has
        self._in_head = True
        self._ended_here = False
        self._arriving: Request | None = None
        self._headers: dict[bytes, bytes] | None = None  # of a head that is arriving
        self._kept: Head | None = None
        self._kept_before = 0
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._leave: Leave | None = None
        self._letting_in = False
        self._drained: asyncio.Future[None] | None = None
        self._draining = self._full = self._holding = self._deaf = False
        self._paused = False
        self.writable: asyncio.Future[None] | None = None
        self.waiting_since: float | None = self._loop.time()

    @property
    def in_head(self) -> bool:
        return self._head_bytes > 0

    def drain(self) -> asyncio.Future[None] | None:
        """Take no more requests; close once the one at work is answered. The end of that one, if there is one."""
        self._draining = True
        if self._current is None:
            self._close()
            return None
        self._current.keep_alive = False
        if self._task is not None:
            return self._task
        self._drained = self._loop.create_future()
        return self._drained

    def hold(self) -> None:
        """Read no further until `let_go`: a body is not taken as fast as it comes."""
        self._holding = True
        self._heed()

    def let_go(self) -> None:
        if self._holding:
            self._holding = False
            self._heed()

    def write(self, data: bytes) -> None:
        """Have it written in its turn, with what others write."""
        self.burst.write(self.transport, data)

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
        self._parser = _NOBODYS  # ours knows us: what goes in a circle stays until it is searched for
        self._waiting.clear()
        self.resume_writing()
        if self._current is None or self._current.ended:
            return
        if self._task is not None:
            self._task.cancel()
        elif self._leave is not None:
            leave, self._leave = self._leave, None
            leave()

    def data_received(self, data: bytes) -> None:
        kept, current = self._kept, self._current
        if current is not None:
            if current.unparsed_bytes:
                data = current.feed_unparsed(data)
                self._go_on(current)
                if not data:
                    return
        elif kept is not None and not self._head_bytes and self.writable is None:
            request = kept.again(self, data)
            if request is not None:
                # The parser, between two messages, need not know of this one.
                if not self.transport.is_closing():
                    self._set_to_work(request)
                return
        if self._deaf:
            return
        idle = self._current is None and not self._waiting and not self._head_bytes
        self._ended_here = False
        self._read_bytes += len(data)
        rest: bytes | memoryview = data
        try:
            while rest:
                rest = self._parse(rest)
        except httptools.HttpParserUpgrade:
            self._refuse(BadRequest("this server makes no tunnels"))
        except httptools.HttpParserError:
            too_large = self._head_bytes > MAX_HEAD_BYTES
            self._refuse(_too_large() if too_large else BadRequest("not a well-formed HTTP/1.1 request"))
        if self._in_head and not self._deaf:
            if self._ended_here:
                # What came in one read with the end of a body is that body, whatever its length.
                self._head_bytes += int(self._arriving is not None)
                self._read_bytes = len(data)
            else:
                self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_too_large())
        if self._current is not None:
            self._go_on(self._current)
        elif self._waiting:
            if idle and not self._deaf:
                self._keep(data)
            self._let_in()

    def _parse(self, data: bytes | memoryview) -> bytes | memoryview:
        """Give the parser what has come. What it leaves is behind a head that asks for another protocol, which a
        server may ignore (RFC 9110 section 7.8). Raises: HttpParserError; HttpParserUpgrade for CONNECT."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            request = self._arriving
            if request is None or request.method == "CONNECT":
                raise
            # The parser looked for no body, so it is shown once more what frames it, in a head that says no more.
            headers = request.headers
            framing = b"".join(b"%b: %b\r\n" % (name, headers[name]) for name in _FRAMING if name in headers)
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
            return memoryview(data)[upgrade.args[0] :]
        return b""

    def _go_on(self, request: Request) -> None:
        """Have who takes the request at work know what has come of its body."""
        CURRENT.set(request.id)
        try:
            request.heed()
        except BaseException:
            self.transport.abort()
            raise

    def _keep(self, data: bytes) -> None:
        """Keep the head that came in one read while nothing was at work, for the next time that it comes."""
        if self._kept_before < MAX_KEPT:
            found = keepable(data, self._waiting[0])
            if found is not None and (self._kept is None or not self._kept.same_as(found)):
                self._kept = found
                self._kept_before += 1

    def pause_writing(self) -> None:
        if self.writable is None:
            self.writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._current is None and self._waiting:
            self._let_in()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._arriving is not None:
            return  # a head that only frames the body of the one that is arriving
        self._headers = {}
        self._arriving = Request(self, self._headers, [])
        self._in_head = True
        if self._current is None:
            self.waiting_since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        if self._headers is not None and self._arriving is not None:
            self._arriving.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        if headers is None:
            return  # a trailer says nothing that we would believe, nor a head that only frames
        name = name.lower()
        # Two of a name are one list (RFC 9110 section 5.3), so that no header can hide another.
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        request, parser = self._arriving, self._parser
        if request is None or self._headers is None:
            return
        version, host = parser.get_http_version(), request.headers.get(b"host")
        if version != "1.0" and (version != "1.1" or host is None or b"," in host):
            raise ValueError("another version, or not one host: RFC 9112 sections 2.3 and 3.2")
        if self._read_bytes > MAX_HEAD_BYTES:
            lines = request.headers.items()
            self._head_bytes = len(request.path) + sum(len(b": \r\n".join(line)) for line in lines)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise ValueError("a head that came in one read, or with another's end")
        self._headers = None
        self._in_head, self._head_bytes = False, 0
        request.arrived = time.monotonic()
        request.method = parser.get_method().decode("ascii")
        if parser.should_keep_alive() and not self._draining:
            request.keep_alive = True
        if version == "1.0":
            request.chunks_known = False
        if not request.path.startswith("/"):
            request.path = _ABSOLUTE.sub("", request.path) or "/"
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
        if self._parser.should_upgrade():
            return  # its body is still to be looked for
        if self._arriving is not None:
            self._arriving.complete = True
        self._arriving = None
        self._in_head, self._head_bytes, self._ended_here = True, 0, True

    def _let_in(self) -> None:
        """Have requests answered until one takes its time; in a loop, since many may be answered at once.

        Not while the caller leaves earlier answers unread: they would heap up.
        """
        self._letting_in = True
        while self._current is None and self._waiting and self.writable is None:
            if self.transport.is_closing():
                break
            self._set_to_work(self._waiting.popleft())
        self._letting_in = False

    def _set_to_work(self, request: Request) -> None:
        self._current = request
        self.waiting_since = None
        if not request.method or not self._begin(request):  # without a method it is none, and is refused
            self._task = self._loop.create_task(self._work(request))

    def _begin(self, request: Request) -> bool:
        """Have the request at work taken without a task; whether it was."""
        CURRENT.set(request.id)
        try:
            leave = self._handle.begin(request)
        except BaseException:
            self.transport.abort()
            raise
        if leave is None:
            return False
        if self._current is request:  # else it is over by now
            self._leave = leave
        return True

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
            self.finished(request)

    def finished(self, request: Request) -> None:
        """Nothing more follows of the request at work: let in the next, or close."""
        if request is not self._current:
            return
        self._current = self._task = self._leave = None
        if request.ended and request.keep_alive:
            self.waiting_since = self._loop.time()
            if self._paused:
                self._full, self._holding = len(self._waiting) > MAX_PIPELINED, False
                self._heed()
            if self._waiting and not self._letting_in:
                self._let_in()
            return
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if request.ended and not request.complete:
            self._linger()
        else:
            self._close()

    def _close(self) -> None:
        self.burst.send()
        self.transport.close()

    def _linger(self) -> None:
        """Close gently: what still comes is read and thrown away, or a reset would take our answer with it."""
        self._deaf, self._kept = True, None
        self.let_go()
        self.burst.send()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._loop.call_later(LINGER_S, self.transport.close)

    def _refuse(self, error: SelatError) -> None:
        """Read no further. What is no request gets its answer in turn, after all that came before it."""
        self._deaf, self._kept = True, None
        request, self._arriving = self._arriving, None
        if request is not None and not self._in_head:
            request.refusal = error
            return
        request = request or Request(self, {}, [])
        request.refusal = error
        self._waiting.append(request)


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the head is over the limit of {MAX_HEAD_BYTES} bytes")
