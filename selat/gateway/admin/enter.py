"""The way in: find the route, know the caller, check the role, read what was sent, work in a thread, answer."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs

import msgspec

from selat.core.errors import BadRequest, NotFound
from selat.gateway.admin.openapi import document
from selat.gateway.admin.route import PREFIX, Route, Visit
from selat.gateway.admin.table import ROUTES
from selat.gateway.admin.words import Asked
from selat.gateway.completions import caller_of
from selat.gateway.door import Door
from selat.gateway.errors import MethodNotAllowed
from selat.gateway.http import Request

DESCRIPTION = f"{PREFIX}/openapi.json"
BODY_BYTES = 64 * 1024
MOST_FIELDS = 32
_PLACE = re.compile(r"`\$\.?([^`\[]*)")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


async def enter(door: Door, request: Request) -> None:
    """Every request under the prefix."""
    caller = caller_of(door, request)
    if request.path == DESCRIPTION and request.method == "GET":
        return await request.respond(200, msgspec.json.encode(document(ROUTES)))
    route, ids = find(request.method, request.path)
    route.admit(caller)
    query = read_query(route.query, request.query)
    body = None
    if route.body is not None:
        sent = await request.body(min(BODY_BYTES, door.limits.body_bytes), door.limits.body_s)
        body = read_body(route.body, sent)
    visit = Visit(door.house, caller, ids, query, body)
    told = await asyncio.to_thread(route.does, visit)
    # Checked against the type that the description promises: what would not fit fails here, and is ours to mend.
    answer = msgspec.convert(told, route.answer, from_attributes=True)
    await request.respond(route.status, msgspec.json.encode(answer))


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and the ids in the path. Raises: NotFound; MethodNotAllowed."""
    here = [(route, found) for route in ROUTES if (found := route.pattern.match(path))]
    if path == DESCRIPTION:
        raise MethodNotAllowed(("GET",))
    if not here:
        raise NotFound(f"no such endpoint; GET {DESCRIPTION} lists them")
    for route, found in here:
        if route.method == method:
            return route, found.groupdict()
    raise MethodNotAllowed(route.method for route, _ in here)


def read_body(kind: type[Asked], sent: bytes) -> Any:
    """Raises: BadRequest, naming the field."""
    try:
        return msgspec.json.decode(sent, type=kind)
    except msgspec.ValidationError as error:
        raise _refused("body", error) from None
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("the body is not JSON in UTF-8") from None


def read_query(kind: type[Asked] | None, sent: str) -> Any:
    """Raises: BadRequest, naming the field."""
    try:
        found = parse_qs(sent, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadRequest(f"the query is not UTF-8, or names over {MOST_FIELDS} fields") from None
    if twice := next((name for name, values in found.items() if len(values) > 1), None):
        raise BadRequest("the query names a field twice", param=twice)
    if kind is None:
        if found:
            raise BadRequest("this endpoint takes no query", param=next(iter(found)))
        return None
    try:
        return msgspec.convert({name: values[0] for name, values in found.items()}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused("query", error) from None


def _refused(where: str, error: msgspec.ValidationError) -> BadRequest:
    message = str(error)
    unknown, place = _UNKNOWN.search(message), _PLACE.search(message)
    field = unknown[1] if unknown else place[1] if place else ""
    return BadRequest(f"{where}: {message}", param=field or None)
