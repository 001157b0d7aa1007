"""A whole JSON answer: its texts for the guard, its usage for the book, its placeholders restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from selat.core.entry import Usage
from selat.core.errors import EngineGarbage
from selat.wire.shapes import Counted
from selat.wire.texts import rewrite, texts

_WRITTEN = ("choices", "results")


class AnswerBody(NamedTuple):
    """A decoded answer. `texts` are what the model wrote (none for embeddings); `usage` as the engine counts."""

    document: dict[str, object]
    texts: list[str]
    usage: Usage

    def restored(self, restore: Callable[[str], str]) -> bytes:
        """The answer's bytes with placeholders restored: in what the model wrote, tool-call arguments too, and in
        the documents that a reranking repeats."""
        written = {name: rewrite(self.document[name], restore) for name in _WRITTEN if name in self.document}
        return msgspec.json.encode(self.document | written)


def read_answer(body: bytes, engine: str) -> AnswerBody:
    """Read an engine's JSON answer. Raises: EngineGarbage, naming the engine, never the text."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EngineGarbage(f"engine '{engine}' answered with something that is not JSON; check its URL") from None
    if not isinstance(document, dict):
        raise EngineGarbage(f"engine '{engine}' answered with JSON that is not an object; check its URL")
    choices = document.get("choices")
    written = texts(choices) if isinstance(choices, list) else []
    return AnswerBody(document, written, read_usage(document.get("usage"), written))


def read_usage(counted: object, written: list[str]) -> Usage:
    """The engine's count of tokens, or an estimate of four characters a token when it gives none."""
    if isinstance(counted, dict):
        try:
            usage = msgspec.convert(counted, Counted)
            # A reranking engine tells the total alone.
            prompt = usage.prompt_tokens or max(0, usage.total_tokens - usage.completion_tokens)
            return Usage(prompt, usage.completion_tokens, "engine")
        except msgspec.ValidationError:
            pass  # a count we cannot read is no count
    characters = sum(map(len, written))
    return Usage(0, (characters + 3) // 4, "estimate") if characters else Usage()
