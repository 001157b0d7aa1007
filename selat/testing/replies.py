"""The OpenAI protocol's replies as plain JSON, apart from Selat's own code so that tests compare two hands."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

CREATED = 1_760_000_000


def last_text(ask: dict[str, Any]) -> str:
    """The text of the last message, or the prompt."""
    if "messages" not in ask:
        prompt = ask.get("prompt", "")
        return str(prompt[0] if isinstance(prompt, list) and prompt else prompt)
    content = ask["messages"][-1].get("content") or ""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content)


def usage(ask: dict[str, Any], text: str) -> dict[str, int]:
    """Counts as the server would give them: here, words."""
    prompt, completion = len(last_text(ask).split()), len(text.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _base(ask: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "upstream-1", "object": kind, "created": CREATED, "model": ask.get("model", "")}


def chat(ask: dict[str, Any], text: str) -> bytes:
    choices = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for n in range(int(ask.get("n") or 1))
    ]
    return dump({**_base(ask, "chat.completion"), "choices": choices, "usage": usage(ask, text)})


def completion(ask: dict[str, Any], text: str) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
    return dump({**_base(ask, "text_completion"), "choices": [choice], "usage": usage(ask, text)})


def tool_call(ask: dict[str, Any], arguments: str) -> bytes:
    call = {"id": "call_1", "type": "function", "function": {"name": tool_name(ask), "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return dump({**_base(ask, "chat.completion"), "choices": [choice], "usage": usage(ask, arguments)})


def embeddings(ask: dict[str, Any]) -> bytes:
    """A vector of four for each input: its length and the first three bytes, so that tests can foresee it."""
    given = ask.get("input", "")
    inputs = given if isinstance(given, list) else [given]
    rows = []
    for index, text in enumerate(inputs):
        raw = str(text).encode()
        vector = [float(len(raw)), *(float(byte) for byte in raw[:3].ljust(3, b"\0"))]
        packed: object = vector
        if ask.get("encoding_format") == "base64":
            packed = base64.b64encode(struct.pack("<4f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": packed})
    tokens = sum(len(str(text).split()) for text in inputs)
    counts = {"prompt_tokens": tokens, "total_tokens": tokens}
    return dump({"object": "list", "data": rows, "model": ask.get("model", ""), "usage": counts})


def rerank(ask: dict[str, Any]) -> bytes:
    """Longer documents first, each repeated, as vLLM and Jina do."""
    given = [one if isinstance(one, str) else str(one.get("text", "")) for one in ask.get("documents", [])]
    ranked = sorted(range(len(given)), key=lambda index: -len(given[index]))[: ask.get("top_n") or None]
    rows = [
        {"index": index, "document": {"text": given[index]}, "relevance_score": 1 / (rank + 1)}
        for rank, index in enumerate(ranked)
    ]
    tokens = sum(len(text.split()) for text in given)
    return dump(
        {"id": "rerank-1", "model": ask.get("model", ""), "usage": {"total_tokens": tokens}, "results": rows}
    )


def models(names: list[str]) -> bytes:
    rows = [{"id": name, "object": "model", "created": CREATED, "owned_by": "upstream"} for name in names]
    return dump({"object": "list", "data": rows})


def error(status: int, message: str) -> bytes:
    return dump({"error": {"message": message, "type": "upstream_error", "param": None, "code": status}})


def text_events(ask: dict[str, Any], text: str, size: int) -> Iterator[bytes]:
    """The events of a streamed reply, `size` characters of text each, usage when asked for, then `[DONE]`."""
    is_chat = "messages" in ask
    kind = "chat.completion.chunk" if is_chat else "text_completion"

    def piece(delta: dict[str, Any], words: str, finish: str | None) -> bytes:
        body = {"delta": delta} if is_chat else {"text": words}
        return event({**_base(ask, kind), "choices": [{"index": 0, **body, "finish_reason": finish}]})

    if is_chat:
        yield piece({"role": "assistant", "content": ""}, "", None)
    for start in range(0, len(text), size):
        words = text[start : start + size]
        yield piece({"content": words}, words, None)
    yield piece({}, "", "stop")
    yield from _last(ask, kind, text)


def tool_events(ask: dict[str, Any], arguments: str, size: int) -> Iterator[bytes]:
    """A streamed tool call: its head first, then the arguments `size` characters at a time."""
    kind = "chat.completion.chunk"

    def piece(delta: dict[str, Any], finish: str | None) -> bytes:
        return event({**_base(ask, kind), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool_name(ask), "arguments": ""}}
    yield piece({"role": "assistant", "content": None, "tool_calls": [head]}, None)
    for start in range(0, len(arguments), size):
        words = {"arguments": arguments[start : start + size]}
        yield piece({"tool_calls": [{"index": 0, "function": words}]}, None)
    yield piece({}, "tool_calls")
    yield from _last(ask, kind, arguments)


def _last(ask: dict[str, Any], kind: str, text: str) -> Iterator[bytes]:
    if (ask.get("stream_options") or {}).get("include_usage"):
        yield event({**_base(ask, kind), "choices": [], "usage": usage(ask, text)})
    yield b"data: [DONE]\n\n"


def tool_name(ask: dict[str, Any]) -> str:
    tools = ask.get("tools") or []
    return str(tools[0]["function"]["name"]) if tools else "lookup"


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + dump(value) + b"\n\n"


def dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
