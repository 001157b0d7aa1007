"""The shapes that msgspec decodes: known fields of bodies, an engine's count, an event of a stream.

They stand apart from what works with them: msgspec makes these classes itself, so that no compiler may.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LONG_NUMBER = 10_000_000
"""A shorter number cannot hold a phone, card or identity number."""
LATEST_TIME = 2**33
"""Unix times lie below; longer ones could be such numbers."""


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
_Count = Annotated[int, msgspec.Meta(ge=0, lt=LONG_NUMBER)]
_Time = Annotated[int, msgspec.Meta(ge=0, lt=LATEST_TIME)]
_Unset = msgspec.UnsetType
_UNSET = msgspec.UNSET
_Null = _Unset | None
_Mark = str | _Unset
_Counted = _Count | _Unset | None
_Measure = _Short | _Ratio | _Unset
_Tier = Literal["auto", "default", "flex", "scale", "priority"] | _Unset | None


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


# What is not there stays unset, so that an answer that is written anew says what it said and no more.


class _PlainSaid(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    role: Literal["assistant"] | _Unset = _UNSET
    content: str
    refusal: _Null = _UNSET
    reasoning_content: _Null = _UNSET
    reasoning: _Null = _UNSET
    tool_calls: _Nothing | _Unset = _UNSET
    annotations: _Nothing | _Unset = _UNSET
    function_call: _Null = _UNSET
    audio: _Null = _UNSET


class PlainChoice(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    index: _Short | _Unset = _UNSET
    message: _PlainSaid
    finish_reason: Literal["stop", "length", "content_filter"] | _Unset | None = _UNSET
    stop_reason: _Null = _UNSET
    matched_stop: _Null = _UNSET
    token_ids: _Null = _UNSET
    logprobs: _Null = _UNSET


class _Details(msgspec.Struct, forbid_unknown_fields=True):
    cached_tokens: _Counted = _UNSET
    reasoning_tokens: _Counted = _UNSET
    audio_tokens: _Counted = _UNSET
    accepted_prediction_tokens: _Counted = _UNSET
    rejected_prediction_tokens: _Counted = _UNSET


class PlainUsage(msgspec.Struct, forbid_unknown_fields=True):
    prompt_tokens: _Count | _Unset = _UNSET
    completion_tokens: _Count | _Unset = _UNSET
    total_tokens: _Count | _Unset = _UNSET
    prompt_tokens_details: _Details | _Unset | None = _UNSET
    completion_tokens_details: _Details | _Unset | None = _UNSET


_Usage = PlainUsage | _Unset | None


class _Timings(msgspec.Struct, forbid_unknown_fields=True):
    """What llama.cpp measures."""

    cache_n: _Short | _Unset = _UNSET
    prompt_n: _Short | _Unset = _UNSET
    prompt_ms: _Measure = _UNSET
    prompt_per_token_ms: _Measure = _UNSET
    prompt_per_second: _Measure = _UNSET
    predicted_n: _Short | _Unset = _UNSET
    predicted_ms: _Measure = _UNSET
    predicted_per_token_ms: _Measure = _UNSET
    predicted_per_second: _Measure = _UNSET


class PlainAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An answer whose choices hold one text each, and beside them nothing but marks and counts."""

    id: _Mark = _UNSET
    object: Literal["chat.completion"] | _Unset = _UNSET
    created: _Time | _Unset = _UNSET
    model: _Mark = _UNSET
    choices: list[PlainChoice]
    usage: _Usage = _UNSET
    system_fingerprint: str | _Unset | None = _UNSET
    service_tier: _Tier = _UNSET
    prompt_logprobs: _Null = _UNSET
    prompt_token_ids: _Null = _UNSET
    kv_transfer_params: _Null = _UNSET
    timings: _Timings | _Unset = _UNSET


class _PlainPiece(msgspec.Struct, forbid_unknown_fields=True):
    content: str | _Unset | None = _UNSET
    role: Literal["assistant"] | _Unset | None = _UNSET
    refusal: _Null = _UNSET
    reasoning_content: _Null = _UNSET
    reasoning: _Null = _UNSET
    tool_calls: _Nothing | _Unset = _UNSET
    function_call: _Null = _UNSET


class _PlainNews(msgspec.Struct, forbid_unknown_fields=True):
    delta: _PlainPiece
    index: _Short | _Unset = _UNSET
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls", "function_call"] | _Unset | None = (
        _UNSET
    )
    stop_reason: _Null = _UNSET
    matched_stop: _Null = _UNSET
    token_ids: _Null = _UNSET
    logprobs: _Null = _UNSET


class PlainEvent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An event that says who speaks, some text, how it ended, what was counted, and nothing else."""

    id: _Mark = _UNSET
    object: Literal["chat.completion.chunk"] | _Unset = _UNSET
    created: _Time | _Unset = _UNSET
    model: _Mark = _UNSET
    choices: list[_PlainNews]
    usage: _Usage = _UNSET
    system_fingerprint: str | _Unset | None = _UNSET
    service_tier: _Tier = _UNSET
    obfuscation: _Mark = _UNSET
    prompt_token_ids: _Null = _UNSET
    timings: _Timings | _Unset = _UNSET


class _PlainVector(msgspec.Struct, forbid_unknown_fields=True):
    embedding: list[_Ratio] | str
    index: _Short | _Unset = _UNSET
    object: Literal["embedding"] | _Unset = _UNSET


class PlainVectors(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The answer to an embedding, as all engines write it. What is packed is looked at."""

    id: _Mark = _UNSET
    object: Literal["list"] | _Unset = _UNSET
    created: _Time | _Unset = _UNSET
    model: _Mark = _UNSET
    data: list[_PlainVector]
    usage: _Usage = _UNSET


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


decode_event = msgspec.json.Decoder(PlainEvent).decode
decode_text = msgspec.json.Decoder(str).decode
decode_texts = msgspec.json.Decoder(list[str]).decode
decode_plain_chunk = msgspec.json.Decoder(PlainChunk).decode
decode_plain = msgspec.json.Decoder(PlainAnswer).decode
decode_vectors = msgspec.json.Decoder(PlainVectors).decode
