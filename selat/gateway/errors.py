"""Errors become responses here, in OpenAI's shape, with our code and the rule's id."""

from __future__ import annotations

import msgspec

from selat.core.errors import BadRequest, Forbidden, SelatError

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
SERVER_ERROR = "server_error"


def error_object(error: SelatError) -> dict[str, object]:
    """OpenAI's error object. An error without a place in the tree says nothing but that we failed."""
    body: dict[str, object] = {
        "message": str(error)
        if error.code != SelatError.code
        else "Selat failed; the log of the gateway says why",
        "type": TYPES.get(error.status, SERVER_ERROR),
        "param": error.param if isinstance(error, BadRequest) else None,
        "code": error.code,
    }
    if isinstance(error, Forbidden):
        body["rules"] = list(error.rules)
        body["receipt"] = error.receipt
    return {"error": body}


def error_body(error: SelatError) -> bytes:
    return msgspec.json.encode(error_object(error))


def error_event(error: SelatError) -> bytes:
    """An error that comes after a stream has begun: one event, as OpenAI's clients expect it."""
    return b"data: " + error_body(error) + b"\n\n"
