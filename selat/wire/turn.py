"""What a chat completion says, block by block: the common form that other protocols' answers are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from selat.core.errors import EngineGarbage

THINKING, TEXT, REFUSAL, TOOL = "thinking", "text", "refusal", "tool"


@dataclass(slots=True)
class Block:
    """A run of one kind: `thinking`, `text`, `refusal`, or `tool`, whose text is the call's arguments.

    `index` is its place in the answer. `annotations` and `logprobs` are the engine's own JSON objects.
    """

    kind: str
    index: int = 0
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)
    logprobs: list[dict[str, object]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(slots=True)
class Turn:
    """One answer. `finish` is the engine's finish_reason, `stopped_by` the stop sequence where it tells it."""

    id: str = ""
    model: str = ""
    created: int = 0
    blocks: list[Block] = field(default_factory=list)
    finish: str | None = None
    stopped_by: str | None = None
    usage: Counted | None = None
    grounding: dict[str, object] | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Reasoned(msgspec.Struct):
    reasoning_tokens: int | None = None


class Counted(msgspec.Struct):
    """Tokens as the engine counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None
    completion_tokens_details: _Reasoned | None = None

    @property
    def cached(self) -> int:
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0

    @property
    def reasoned(self) -> int:
        return (self.completion_tokens_details and self.completion_tokens_details.reasoning_tokens) or 0


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Said(msgspec.Struct):
    """A stream's delta, or a whole answer's message."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    annotations: list[dict[str, object]] | None = None


class _Logprobs(msgspec.Struct):
    content: list[dict[str, object]] | None = None


class Choice(msgspec.Struct):
    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: _Logprobs | None = None

    @property
    def said(self) -> Said:
        return self.delta or self.message or Said()

    @property
    def token_logprobs(self) -> list[dict[str, object]]:
        return (self.logprobs and self.logprobs.content) or []


class Completion(msgspec.Struct):
    """A chat completion, or one event of one."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[Choice] = []
    usage: Counted | None = None
    selat: dict[str, object] | None = None


_decode = msgspec.json.Decoder(Completion).decode


def read_completion(data: bytes) -> Completion:
    """Raises: EngineGarbage, for what is no chat completion."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise EngineGarbage("the engine's answer is no chat completion; check its URL and model") from None
