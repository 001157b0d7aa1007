"""The little of HTTP that the handlers need over raw ASGI: headers once, a body with a limit, a response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from selat.core.errors import BadRequest, CallerError, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
HANGUP = "selat.hangup"


class BodyTimeout(CallerError):
    status = 408
    code = "body_timeout"


class HungUp(Exception):
    """The caller left before its request was complete: there is nobody to answer."""


class Request:
    """One request: method, path and headers at once, the body when it is asked for."""

    __slots__ = ("_receive", "_send", "headers", "method", "path", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = False
        self._receive = receive
        self._send = send

    async def body(self, limit_bytes: int, timeout_s: float) -> bytes:
        """The whole body. Raises: TooLarge (before reading, where the length is declared), BodyTimeout, HungUp."""
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit_bytes:
            raise TooLarge(f"the body is over the limit of {limit_bytes} bytes (setting body_limit_bytes)")
        message = await self._message(timeout_s)
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            pieces = [body]
            size_bytes = len(body)
            deadline = asyncio.get_running_loop().time() + timeout_s
            while message.get("more_body"):
                message = await self._message(deadline - asyncio.get_running_loop().time())
                pieces.append(message.get("body", b""))
                size_bytes += len(pieces[-1])
                if size_bytes > limit_bytes:
                    raise TooLarge(f"the body is over the limit of {limit_bytes} bytes (setting body_limit_bytes)")
            body = b"".join(pieces)
        return body

    async def _message(self, timeout_s: float) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(timeout_s):
                message = await self._receive()
        except TimeoutError:
            raise BodyTimeout("the body did not arrive in time; send it faster or raise body_timeout_s") from None
        if message["type"] == "http.disconnect":
            raise HungUp
        return message

    def header(self, name: bytes) -> str:
        """A header as text, "" when absent. Raises: BadRequest, when it is not ASCII."""
        try:
            return self.headers.get(name, b"").decode("ascii")
        except UnicodeDecodeError:
            raise BadRequest(f"header {name.decode()}: only ASCII is allowed", param=name.decode()) from None

    async def start(self, status: int, content_type: bytes, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
        headers = [(b"content-type", content_type), *extra]
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def respond(
        self, status: int, body: bytes, content_type: bytes = JSON, extra: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        length = (b"content-length", b"%d" % len(body))
        await self.start(status, content_type, (length, *extra))
        await self.write(body)

    async def respond_json(self, status: int, value: object) -> None:
        await self.respond(status, msgspec.json.encode(value))
