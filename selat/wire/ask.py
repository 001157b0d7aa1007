"""A request body becomes an Ask, or is refused with the field's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import Label
from selat.core.timing import Timing
from selat.wire import messages, responses
from selat.wire.fields import known_fields
from selat.wire.shaper import Shaper
from selat.wire.shapes import Chat, Completion, Embedding, Known, Rerank


@dataclass(frozen=True, slots=True)
class Api:
    """One endpoint: its name in entries, the engine's path, and the shape of its body.

    `to_chat`, of an endpoint of another protocol, makes a body's document one of a chat completion, and gives
    the shaper of the answer.
    """

    name: str
    path: str
    shape: type[Known]
    to_chat: Callable[[dict[str, object], Known], tuple[dict[str, object], Shaper]] | None = None


CHAT = "/chat/completions"


APIS = {
    "/v1/chat/completions": Api("chat.completions", CHAT, Chat),
    "/v1/completions": Api("completions", "/completions", Completion),
    "/v1/embeddings": Api("embeddings", "/embeddings", Embedding),
    "/v1/rerank": Api("rerank", "/rerank", Rerank),
    "/v1/responses": Api("responses", CHAT, responses.Responses, responses.to_chat),
    "/v1/messages": Api("messages", CHAT, messages.Messages, messages.to_chat),
}


class Ask(NamedTuple):
    """A request to a model: who asks, what for, about what, and the body both as bytes and decoded.

    `label` is what the prompt is said to be, before scanning. `body` are the caller's own bytes, which the
    ledger commits to; `document` is their decoded JSON object, which is scanned and goes to the engine. Of
    another protocol `document` is the chat completion made of it, and `shaper` makes the caller's answer of
    the engine's. `background` lets people's asks go first at a busy engine. `timing` is told when each step was
    done.
    """

    caller: Caller
    api: Api
    model: str
    purpose: str
    label: Label
    body: bytes
    document: dict[str, object]
    stream: bool
    timing: Timing
    shaper: Shaper | None = None
    background: bool = False


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
    known = known_fields(document, api.shape)
    if isinstance(known, Chat) and not known.messages:
        raise BadRequest("messages: at least one message is needed", param="messages")
    shaper = None
    if api.to_chat is not None:
        document, shaper = api.to_chat(document, known)
    return Ask(caller, api, known.model, purpose, label, body, document, bool(known.stream), Timing(), shaper)
