"""The OpenAI protocol from the engine's side, for engines that live in this process."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from selat.core.errors import BadRequest
from selat.engines.engine import CHAT, COMPLETIONS, Call, Ready

EVENTS = "text/event-stream; charset=utf-8"
JSON = "application/json"


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message] = []
    prompt: str | list[str] = ""
    stream_options: _Options | None = None


_body = msgspec.json.Decoder(_Body)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a chat or completion asks: system text, the last question, and how the reply is wanted."""

    model: str
    system: str
    question: str
    all_text: str
    chat: bool
    stream: bool
    usage_wanted: bool


def read_prompt(engine: str, call: Call) -> Prompt:
    """The Prompt of a call. Raises: BadRequest, when the path or body is none that engines in-process know."""
    if call.path not in (CHAT, COMPLETIONS):
        raise BadRequest(f"engine '{engine}': no {call.path} here; it serves {CHAT} and {COMPLETIONS}")
    try:
        body = _body.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(f"engine '{engine}': the call is no {call.path} request") from None
    wanted = body.stream_options is not None and body.stream_options.include_usage
    if call.path == COMPLETIONS:
        text = body.prompt if isinstance(body.prompt, str) else "\n".join(body.prompt)
        return Prompt(body.model, "", text, text, False, call.stream, wanted)
    system = "\n".join(m.text for m in body.messages if m.role in ("system", "developer"))
    asked = [m.text for m in body.messages if m.role == "user"]
    everything = "\n".join(m.text for m in body.messages)
    return Prompt(body.model, system, asked[-1] if asked else "", everything, True, call.stream, wanted)


def refusal(error: BadRequest) -> Ready:
    """A 400 in the protocol's shape: what a caller can mend is an engine's answer, not its failure."""
    body = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return Ready((_encode({"error": body}),), JSON, 400)


def estimate(text: str) -> int:
    """Tokens, estimated as a quarter of the characters, rounded up: no tokenizer is at hand."""
    return (len(text) + 3) // 4


def say(prompt: Prompt, text: str, created: int) -> Ready:
    """`text` as the reply that the prompt asked for: one JSON object, or events of a few words each."""
    head: dict[str, object] = {
        "id": ("chatcmpl-" if prompt.chat else "cmpl-") + secrets.token_hex(12),
        "object": "chat.completion" if prompt.chat else "text_completion",
        "created": created,
        "model": prompt.model,
    }
    taken, given = estimate(prompt.all_text), estimate(text)
    usage = {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given}
    if not prompt.stream:
        body: dict[str, object] = (
            {"message": {"role": "assistant", "content": text}} if prompt.chat else {"text": text}
        )
        choice = {"index": 0, **body, "logprobs": None, "finish_reason": "stop"}
        return Ready((_encode({**head, "choices": [choice], "usage": usage}),), JSON)
    if prompt.chat:
        head["object"] = "chat.completion.chunk"
    events = [_event(head, prompt, {"role": "assistant", "content": ""}, None)] if prompt.chat else []
    events += [_event(head, prompt, {"content": words}, None) for words in pieces(text)]
    events.append(_event(head, prompt, {}, "stop"))
    if prompt.usage_wanted:
        events.append(b"data: %b\n\n" % _encode({**head, "choices": [], "usage": usage}))
    events.append(b"data: [DONE]\n\n")
    return Ready(tuple(events), EVENTS)


def _event(head: dict[str, object], prompt: Prompt, delta: dict[str, str], finish: str | None) -> bytes:
    body: dict[str, object] = {"delta": delta} if prompt.chat else {"text": delta.get("content", "")}
    choice = {"index": 0, **body, "logprobs": None, "finish_reason": finish}
    return b"data: %b\n\n" % _encode({**head, "choices": [choice]})


def pieces(text: str, words: int = 4) -> Sequence[str]:
    """`text` cut after every few words; joined again they are `text`."""
    found, start, seen = [], 0, 0
    for place, mark in enumerate(text):
        if mark == " ":
            seen += 1
            if seen == words:
                found.append(text[start : place + 1])
                start, seen = place + 1, 0
    if start < len(text):
        found.append(text[start:])
    return found
