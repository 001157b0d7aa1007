"""The shapes that msgspec decodes: known fields of bodies, an engine's count, an event of a stream.

They stand apart from what works with them: msgspec makes these classes itself, so that no compiler may.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Known(msgspec.Struct):
    """What every body that asks a model has."""

    model: str
    stream: bool | None = None


Content = str | list[dict[str, object]] | None


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    tool_calls: list[dict[str, object]] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Common(Known):
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    user: str | None = None


class Chat(_Common, kw_only=True):
    messages: list[_Message]
    max_completion_tokens: int | None = None
    tools: list[dict[str, object]] | None = None


class Completion(_Common, kw_only=True):
    prompt: str | list[str | int | list[int]]


class Embedding(_Common, kw_only=True):
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


class Rerank(Known, kw_only=True):
    query: str
    documents: list[str | dict[str, object]]
    top_n: int | None = None
    return_documents: bool | None = None


class Counted(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    function: _Function | None = None


class Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class Choice(msgspec.Struct):
    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    choices: list[Choice] = []
    usage: dict[str, object] | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
