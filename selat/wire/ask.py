"""A request body becomes an Ask, or is refused with the field's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import Label

Content = str | list[dict[str, object]] | None


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    tool_calls: list[dict[str, object]] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Common(msgspec.Struct):
    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    user: str | None = None


class _Chat(_Common, kw_only=True):
    messages: list[_Message]
    max_completion_tokens: int | None = None
    tools: list[dict[str, object]] | None = None


class _Completion(_Common, kw_only=True):
    prompt: str | list[str | int | list[int]]


class _Embedding(_Common, kw_only=True):
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """One endpoint of the protocol: its name in entries, the engine's path, and the shape of its body."""

    name: str
    path: str
    shape: type[_Common]


APIS = {
    "/v1/chat/completions": Api("chat.completions", "/chat/completions", _Chat),
    "/v1/completions": Api("completions", "/completions", _Completion),
    "/v1/embeddings": Api("embeddings", "/embeddings", _Embedding),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a model: who asks, what for, about what, and the body both as bytes and decoded.

    `label` is what the prompt is said to be, before scanning. `body` are the caller's own bytes, forwarded
    unchanged unless masking or the engine's model name changes them; `document` is their decoded JSON object.
    """

    caller: Caller
    api: Api
    model: str
    purpose: str
    label: Label
    body: bytes
    document: dict[str, object]
    stream: bool


def decode(body: bytes) -> dict[str, object]:
    """The JSON object in `body`. Raises: BadRequest, saying where it stops being JSON."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        # msgspec's messages name a byte position, never the text.
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    except (UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON: not UTF-8 text, or nested too deeply") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    return document


def read_ask(api: Api, caller: Caller, body: bytes, purpose: str, label: Label) -> Ask:
    """Read a body for `api`. Unknown fields are let through to the engine; known ones must have their type.

    Raises: BadRequest, with the field in `param`.
    """
    document = decode(body)
    try:
        known = msgspec.convert(document, api.shape)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        param = path.rstrip("`").lstrip(".") or _missing(what)
        raise BadRequest(f"{param or 'body'}: {_safe(what)}", param=param or None) from None
    if isinstance(known, _Chat) and not known.messages:
        raise BadRequest("messages: at least one message is needed", param="messages")
    return Ask(caller, api, known.model, purpose, label, body, document, bool(known.stream))


def _missing(what: str) -> str:
    return what.split("`")[1] if "missing required field" in what else ""


def _safe(what: str) -> str:
    # "Invalid enum value 'the caller's words'" is the one message that repeats the value.
    return "not one of the allowed values" if what.startswith("Invalid enum value") else what
