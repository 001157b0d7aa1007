"""POST /v1/guard/scan: for builders who want to know what is personal in a text before they use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from selat.core.errors import BadRequest
from selat.core.finding import Scan
from selat.gateway.completions import caller_of
from selat.gateway.door import Door
from selat.gateway.http import JSON, Request
from selat.guard import scan_json

THREADED_BYTES = 16 * 1024
"""A larger body is read and scanned in a thread. At one finding in 40 bytes this is some 10 ms of work."""


class _Wanted(msgspec.Struct):
    text: str | msgspec.UnsetType = msgspec.UNSET
    texts: list[str] | msgspec.UnsetType = msgspec.UNSET


async def scan(door: Door, request: Request) -> None:
    """`{"text"}` gives its scan, `{"texts": […]}` gives `{"results": […]}` in their order; nothing is kept."""
    caller_of(door, request)
    body = await request.body(door.limits.body_bytes, door.limits.body_s)
    if len(body) > THREADED_BYTES or door.scan_is_slow:
        answer = await asyncio.to_thread(scan_body, door.scan, body)
    else:
        answer = scan_body(door.scan, body)
    await request.respond(200, answer, JSON)


def scan_body(scan_text: Callable[[str], Scan], body: bytes) -> bytes:
    """The answer to one body. Raises: BadRequest, which repeats nothing of it; GuardFailed."""
    try:
        wanted = msgspec.json.decode(body, type=_Wanted)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest('the body is not JSON with "text" (a string) or "texts" (strings)') from error
    if isinstance(wanted.text, str) == isinstance(wanted.texts, list):
        raise BadRequest('give either "text" or "texts"')
    if isinstance(wanted.text, str):
        return msgspec.json.encode(scan_json(scan_text(wanted.text)))
    texts = wanted.texts or []
    return msgspec.json.encode({"results": [scan_json(scan_text(text)) for text in texts]})
