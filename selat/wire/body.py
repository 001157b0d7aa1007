"""A whole JSON answer: its texts for the guard, its usage for the book, its placeholders restored."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from selat.core.entry import Usage
from selat.core.errors import EngineGarbage
from selat.wire.shapes import Counted, PlainChoice, decode_plain
from selat.wire.texts import may_be_media, rewrite, texts

_WRITTEN = ("choices", "results")
_content: Final[Callable[[PlainChoice], str]] = attrgetter("message.content")


class AnswerBody(NamedTuple):
    """An answer. `texts` are what the model wrote (none for embeddings); `usage` as the engine counts."""

    body: bytes
    texts: list[str]
    usage: Usage

    @property
    def document(self) -> dict[str, object]:
        """Decoded, for whoever changes it."""
        document: dict[str, object] = msgspec.json.decode(self.body)
        return document

    def restored(self, restore: Callable[[str], str]) -> bytes:
        """The answer's bytes with placeholders restored: in what the model wrote, tool-call arguments too, and in
        the documents that a reranking repeats."""
        document = self.document
        written = {name: rewrite(document[name], restore) for name in _WRITTEN if name in document}
        return msgspec.json.encode(document | written)


def read_answer(body: bytes, engine: str) -> AnswerBody:
    """Read an engine's JSON answer. Raises: EngineGarbage, naming the engine, never the text."""
    try:
        plain = decode_plain(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_any(body, engine)
    said = [*map(_content, plain.choices)]
    if any(map(may_be_media, said)):
        return _read_any(body, engine)
    return AnswerBody(body, said, _estimate(said) if plain.usage is None else _usage(plain.usage))


def _read_any(body: bytes, engine: str) -> AnswerBody:
    """An answer of whatever shape, every text in its choices looked for."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EngineGarbage(f"engine '{engine}' answered with something that is not JSON; check its URL") from None
    if not isinstance(document, dict):
        raise EngineGarbage(f"engine '{engine}' answered with JSON that is not an object; check its URL")
    choices = document.get("choices")
    written = texts(choices) if isinstance(choices, list) else []
    return AnswerBody(body, written, read_usage(document.get("usage"), written))


def read_usage(counted: object, written: list[str]) -> Usage:
    """The engine's count of tokens, or an estimate of four characters a token when it gives none."""
    if isinstance(counted, dict):
        try:
            return _usage(msgspec.convert(counted, Counted))
        except msgspec.ValidationError:
            pass  # a count we cannot read is no count
    return _estimate(written)


def _usage(counted: Counted) -> Usage:
    prompt, completion = counted.prompt_tokens, counted.completion_tokens
    # A reranking engine tells the total alone.
    return Usage(prompt or max(0, counted.total_tokens - completion), completion, "engine")


def _estimate(written: list[str]) -> Usage:
    characters = sum(map(len, written))
    return Usage(0, (characters + 3) // 4, "estimate") if characters else Usage()
