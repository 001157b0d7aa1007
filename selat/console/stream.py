"""An answer of the chat flow as a response: streamed as it comes, and ended by a plain call however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from selat.core.errors import SelatError
from selat.flows.chat import Streamed, Whole, one_by_one
from selat.gateway.errors import error_object, inner

Say = Callable[[SelatError], str]
"""An error in the words of who reads it."""


def told(reply: Whole | Streamed, say: Say) -> Response:
    """The response that passes this answer on, with its receipt, label and decision in headers."""
    opening = reply.opening
    headers = {
        "selat-receipt": opening.id,
        "selat-label": str(reply.label),
        "selat-decision": opening.about.decision.effect,
        "selat-model": opening.about.model,
        "selat-engine": opening.about.engine,
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    if isinstance(reply, Whole):
        # Already whole; "identity" keeps it out of the compressor, as a stream would be.
        return Response(reply.body, reply.status, headers, reply.content_type)
    return _Stream(reply, headers, say)


class _Stream(Response):
    """Chunks on their way. `close` is called in `finally`: an awaited end would be cancelled by a hang-up."""

    def __init__(self, reply: Streamed, headers: dict[str, str], say: Say) -> None:
        super().__init__(b"", reply.status, headers, reply.content_type)
        self._reply = reply
        self._say = say

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        reply = self._reply
        try:
            plain: Iterable[tuple[bytes, bytes]] = [h for h in self.raw_headers if h[0] != b"content-length"]
            await send({"type": "http.response.start", "status": reply.status, "headers": list(plain)})
            async for chunk in one_by_one(reply):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except SelatError as error:
            await send({"type": "http.response.body", "body": self._event(error)})
        finally:
            reply.close()

    def _event(self, error: SelatError) -> bytes:
        """An error after the stream has begun: the event of the API, with the words for a person."""
        body = {**inner(error_object(error)), "say": self._say(error)}
        return b"data: " + msgspec.json.encode({"error": body}) + b"\n\n"
