"""Errors become responses here, in the shape of the endpoint's protocol, with our code and the rule's id."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from selat.core.errors import BadRequest, CallerError, Forbidden, SelatError
from selat.wire import framed, messages_error

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
INVALID, SERVER_ERROR = "invalid_request_error", "server_error"


class MethodNotAllowed(CallerError):
    """`allowed` are the methods that the endpoint takes. Source: RFC 9110 section 15.5.6."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"this endpoint takes {self.allowed}")


class BodyTimeout(CallerError):
    status = 408
    code = "body_timeout"


class HeadTooLarge(CallerError):
    status = 431
    code = "head_too_large"


def error_object(error: SelatError) -> dict[str, object]:
    """OpenAI's error object. An error without a place in the tree says nothing but that we failed."""
    body: dict[str, object] = {
        "message": str(error)
        if error.code != SelatError.code
        else "Selat failed; the log of the gateway says why",
        "type": TYPES.get(error.status, SERVER_ERROR if error.status >= 500 else INVALID),
        "param": error.param if isinstance(error, BadRequest) else None,
        "code": error.code,
    }
    if isinstance(error, Forbidden):
        body["rules"] = list(error.rules)
        body["receipt"] = error.receipt
    return {"error": body}


def error_body(error: SelatError, path: str = "") -> bytes:
    """The body of a response: Anthropic's at its own endpoint, else OpenAI's."""
    body = error_object(error)
    if path == MESSAGES:
        body = messages_error(error.status, inner(body))
    return msgspec.json.encode(body)


def error_event(error: SelatError, path: str = "") -> bytes:
    """An error that comes after a stream has begun: one event, as the protocol's clients expect it."""
    body = error_object(error)
    if path == MESSAGES:
        return framed([messages_error(error.status, inner(body))])
    if path == RESPONSES:
        return framed([{**inner(body), "type": "error", "sequence_number": 0}])
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def inner(body: dict[str, object]) -> dict[str, object]:
    error = body["error"]
    assert isinstance(error, dict)
    return error


def forget(error: BaseException | None) -> None:
    """Let go of where an error, and what led to it, came from, once nobody asks any more.

    The frames that it passed know it by name, and the request with its body: a circle that would stay until it is
    searched for.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
