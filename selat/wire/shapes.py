"""The shapes that msgspec decodes: known fields of bodies, an engine's count, an event of a stream.

They stand apart from what works with them: msgspec makes these classes itself, so that no compiler may.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LONG_NUMBER = 10_000_000
"""A shorter number cannot hold a phone, card or identity number."""


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
    error: object = None


# What most asks and answers are, with nothing else in them: all that they say is then known without a walk.

_Ratio = Annotated[float, msgspec.Meta(gt=-LONG_NUMBER, lt=LONG_NUMBER)]
_Short = Annotated[int, msgspec.Meta(gt=-LONG_NUMBER, lt=LONG_NUMBER)]
_Nothing = Annotated[list[None], msgspec.Meta(max_length=0)] | None


class PlainMessage(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: str


class _PlainStreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    include_usage: bool | None = None


class PlainChat(msgspec.Struct, forbid_unknown_fields=True):
    """An ask that says nothing but the texts of its messages."""

    model: str
    messages: Annotated[list[PlainMessage], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _PlainStreamOptions | None = None
    temperature: _Ratio | None = None
    top_p: _Ratio | None = None
    n: _Short | None = None
    seed: _Short | None = None
    max_tokens: _Short | None = None
    max_completion_tokens: _Short | None = None


class _PlainSaid(msgspec.Struct, forbid_unknown_fields=True):
    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    tool_calls: _Nothing = None
    annotations: _Nothing = None
    function_call: None = None
    audio: None = None


class PlainChoice(msgspec.Struct, forbid_unknown_fields=True):
    message: _PlainSaid
    index: _Short = 0
    finish_reason: Literal["stop", "length", "content_filter"] | None = None
    stop_reason: None = None
    token_ids: None = None
    logprobs: None = None


class PlainAnswer(msgspec.Struct):
    """An answer whose choices hold one text each and nothing else; beside them there may be anything."""

    choices: list[PlainChoice]
    usage: Counted | None = None


class _PlainDelta(msgspec.Struct, gc=False):
    content: str
    reasoning_content: None = None
    reasoning: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _PlainPart(msgspec.Struct, gc=False):
    delta: _PlainDelta
    index: Literal[0] = 0
    text: None = None
    finish_reason: None = None


class PlainChunk(msgspec.Struct, gc=False):
    """An event that says content for the first choice and nothing else, as nearly every one does."""

    choices: tuple[_PlainPart]
    usage: None = None


decode_text = msgspec.json.Decoder(str).decode
decode_texts = msgspec.json.Decoder(list[str]).decode
decode_plain_chunk = msgspec.json.Decoder(PlainChunk).decode
decode_plain = msgspec.json.Decoder(PlainAnswer).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode
