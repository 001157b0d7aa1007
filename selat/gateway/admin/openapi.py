"""The admin API described in OpenAPI 3.1, made from the table of routes and the types of bodies and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from selat import __version__
from selat.gateway.admin.route import PREFIX, Route
from selat.gateway.admin.words import Refused

_REF = "#/components/schemas/{name}"
_ID = {"type": "string", "minLength": 1, "maxLength": 200}
REFUSALS = {
    401: "No key, or one that is not accepted.",
    403: "The key's roles do not allow it.",
    404: "There is no such thing, or it is another tenant's: both look the same.",
    405: "Another method is wanted here.",
    503: "Nothing can be booked or read now; nothing was changed.",
}
_WITH_INPUT = {400: "A field is missing, unknown or out of bounds; `param` names it."}
_WITH_BODY = {408: "The body did not arrive in time.", 413: "The body is too large."}


@cache
def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole description."""
    kinds = [kind for route in routes for kind in (route.body, route.query, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Refused], ref_template=_REF)
    refused = schemas[-1]
    by_kind = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=False)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind, components, refused)
    used = {name: schema for name, schema in components.items() if name not in _queries(routes)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Selat admin API",
            "version": __version__,
            "description": "What the commands do, over HTTP. Every change is an entry in the ledger.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": used,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A Selat API key."}},
        },
    }


def _queries(routes: Sequence[Route]) -> set[str]:
    return {route.query.__name__ for route in routes if route.query is not None}


def _operation(
    route: Route, by_kind: dict[str, Any], components: dict[str, Any], refused: dict[str, Any]
) -> dict[str, Any]:
    told = {**REFUSALS, **_WITH_INPUT, **(_WITH_BODY if route.body is not None else {}), **dict(route.refusals)}
    words = [word for word in re.sub(r"[{}]", "", route.path.removeprefix(PREFIX)).split("/") if word]
    operation: dict[str, Any] = {
        "operationId": "-".join([route.method.lower(), *words]),
        "summary": route.summary,
        "tags": words[:1],
        "x-selat-roles": sorted(route.roles),
        "x-selat-house": route.house,
        "parameters": [*_in_path(route), *_in_query(route, components)],
        "responses": {
            str(route.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": by_kind[repr(route.answer)]}},
            },
            **{
                str(status): {"description": text, "content": {"application/json": {"schema": refused}}}
                for status, text in sorted(told.items())
            },
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": by_kind[repr(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _in_path(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": _ID} for name in names]


def _in_query(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = components[route.query.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": {**field}}
        for name, field in schema["properties"].items()
    ]
