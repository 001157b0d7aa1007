"""The gateway's requests as ASGI, so that pages stand on Starlette without a second server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from selat.core.errors import CallerError
from selat.gateway.door import Limits
from selat.gateway.http import Request

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
METHODS = ("GET", "POST")
SOURCE = "selat.request"
"""Where a scope holds the gateway's own request, for who takes a large body piece by piece."""


class _Method(CallerError):
    status = 405
    code = "method_not_allowed"


def adapted(app: App, limits: Limits) -> Callable[[Request], Awaitable[None]]:
    """A handler of the gateway that hands each request to `app`.

    The body is read whole, within `limits`, when it is first asked for. A hang-up cancels the handler, as
    everywhere in the gateway, so `app` is never told of one.
    """

    async def handle(request: Request) -> None:
        if request.method not in METHODS:
            raise _Method("pages take GET and POST")
        answer = _Answer(request)

        async def receive() -> dict[str, Any]:
            body = await request.body(limits.body_bytes, limits.body_s)
            return {"type": "http.request", "body": body, "more_body": False}

        await app(_scope(request), receive, answer.send)

    return handle


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https" if request.secure else "http",
        "path": request.path,
        "raw_path": request.path.encode("utf-8", "surrogateescape"),
        "query_string": request.query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": list(request.headers.items()),
        "client": (request.peer, 0),
        "server": None,
        SOURCE: request,
    }


class _Answer:
    """Puts ASGI's messages together: a response in one piece has a length, one in several is chunked."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._status = 0
        self._type = "text/plain; charset=utf-8"
        self._extra: list[tuple[str, str]] = []

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            for name, value in message["headers"]:
                if name == b"content-type":
                    self._type = value.decode("latin-1")
                elif name != b"content-length":
                    self._extra.append((name.decode("latin-1"), value.decode("latin-1")))
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not more and not self._request.started:
            return await self._request.respond(self._status, body, self._type, self._extra)
        if not self._request.started:
            self._request.start(self._status, self._type, self._extra)
        if body or not more:
            await self._request.write(body, more=more)
