"""A request body becomes an Ask, or is refused with the field's name."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final

import msgspec

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import Label
from selat.core.timing import Timing
from selat.wire import messages, responses
from selat.wire.asked import Api, Ask
from selat.wire.fields import known_fields
from selat.wire.shapes import Chat, Completion, Embedding, PlainChat, PlainMessage, Rerank
from selat.wire.texts import LONG_BYTES, marks_of, may_be_media

CHAT = "/chat/completions"
_content: Final[Callable[[PlainMessage], str]] = attrgetter("content")

APIS: Final = {
    "/v1/chat/completions": Api("chat.completions", CHAT, Chat),
    "/v1/completions": Api("completions", "/completions", Completion),
    "/v1/embeddings": Api("embeddings", "/embeddings", Embedding),
    "/v1/rerank": Api("rerank", "/rerank", Rerank),
    "/v1/responses": Api("responses", CHAT, responses.Responses, responses.to_chat),
    "/v1/messages": Api("messages", CHAT, messages.Messages, messages.to_chat),
}


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
    if api.shape is not Chat:
        return _read_any(api, caller, body, purpose, label)
    try:
        document = msgspec.json.decode(body)
        plain = msgspec.convert(document, PlainChat)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_any(api, caller, body, purpose, label)
    turns = plain.messages
    found = [*map(_content, turns)]
    last = found[-1] if turns[-1].role == "user" else None
    said = None if any(map(may_be_media, found)) else found
    # Looked at while the processor still has it at hand: when it is sent, that takes three times as long.
    verbatim = len(body) > LONG_BYTES and says_once(body, document, plain.model, said)
    return Ask(
        caller,
        api,
        plain.model,
        purpose,
        label,
        body,
        document,
        plain.stream is True,
        Timing(),
        said,
        last,
        verbatim,
    )


def _read_any(api: Api, caller: Caller, body: bytes, purpose: str, label: Label) -> Ask:
    """An ask of whatever shape, or what is wrong with it."""
    document = decode(body)
    known = known_fields(document, api.shape)
    if isinstance(known, Chat) and not known.messages:
        raise BadRequest("messages: at least one message is needed", param="messages")
    shaper = None
    if api.to_chat is not None:
        document, shaper = api.to_chat(document, known)
    stream = bool(known.stream)
    return Ask(caller, api, known.model, purpose, label, body, document, stream, Timing(), shaper=shaper)


def written(ask: Ask) -> bytes:
    """The document as JSON for an engine: written anew, and not the caller's bytes.

    With a name twice in one object these could say to an engine what they did not say to the guard. A long body
    goes as it is all the same where that is ruled out: counting costs a tenth of the writing.
    """
    return ask.body if ask.verbatim else msgspec.json.encode(ask.document)


def says_once(body: bytes, document: dict[str, object], model: str, said: list[str] | None) -> bool:
    """Whether in the body of a plain chat no name stands twice in an object, so that all readers read the same.

    Told by its quotation marks: each string of JSON has two, and one more for each that is part of the text. All
    strings that were read are known. One that was not, as of a name given before, would have marks of its own.
    False also where a text has marks: to count those costs as much as to write.
    """
    if said is None or '"' in model or any('"' in text for text in said):
        return False
    options = document.get("stream_options")
    names = len(document) + 2 * len(said) + (len(options) if isinstance(options, dict) else 0)
    strings = names + 2 * len(said) + 1  # each message has a role and a text; the other is the model
    return marks_of(body) == 2 * strings
