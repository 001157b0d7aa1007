"""Reads what an engine answered: a chat completion, or completions that tell how likely their prompts are."""

from __future__ import annotations

import msgspec

from selat.core.errors import EngineError, Misused
from selat.evals.item import FIRST_TOKEN, GENERATION, Reply, ToolUse


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Top(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    top_logprobs: list[_Top] = []


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Body(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def read_reply(body: bytes, engine: str) -> Reply:
    """A chat completion as a Reply. Raises: EngineError, for what is none."""
    try:
        read = msgspec.json.decode(body, type=_Body)
        first = read.choices[0]
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
        raise EngineError(f"engine '{engine}' answered with something that is no chat completion") from None
    tokens = first.logprobs.content if first.logprobs and first.logprobs.content else []
    usage = read.usage or _Usage()
    return Reply(
        text=first.message.content or first.message.refusal or "",
        finish=first.finish_reason or "",
        tool_uses=tuple(ToolUse(c.function.name, c.function.arguments) for c in first.message.tool_calls or ()),
        top=tuple((top.token, top.logprob) for top in tokens[0].top_logprobs) if tokens else (),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


class _Echoed(msgspec.Struct):
    token_logprobs: list[float | None] | None = None


class _Completion(msgspec.Struct):
    index: int = 0
    logprobs: _Echoed | None = None


class _Completions(msgspec.Struct):
    choices: list[_Completion]
    usage: _Usage | None = None


def read_means(body: bytes, engine: str) -> Reply:
    """Echoed completions as the mean log-probability of each, without the first token, which follows nothing, and
    the last, which is the model's own.

    Raises: EngineError, for what is no completion; Misused, where the engine does not tell how likely a prompt is.
    """
    try:
        read = msgspec.json.decode(body, type=_Completions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EngineError(f"engine '{engine}' answered with something that is no completion") from None
    means: list[float] = []
    for choice in sorted(read.choices, key=lambda one: one.index):
        told = (choice.logprobs.token_logprobs or []) if choice.logprobs else []
        given = [one for one in told[1:-1] if one is not None]
        if not given:
            raise Misused(
                f"engine '{engine}' does not give log-probabilities of prompts, as vLLM does: use --scoring "
                f"{FIRST_TOKEN} or {GENERATION}"
            )
        means.append(sum(given) / len(given))
    usage = read.usage or _Usage()
    return Reply(
        "", means=tuple(means), prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
    )
