"""A whole JSON answer: its texts for the guard, its usage for the book, its placeholders restored."""

from __future__ import annotations

import re
from binascii import Error as NotPacked
from binascii import a2b_base64
from collections.abc import Callable
from operator import attrgetter, methodcaller
from typing import Any, Final, NamedTuple

import msgspec

from selat.core.entry import Usage
from selat.core.errors import EngineGarbage
from selat.wire.shapes import (
    LATEST_TIME,
    Counted,
    PlainAnswer,
    PlainChoice,
    PlainUsage,
    PlainVectors,
    decode_plain,
    decode_vectors,
)
from selat.wire.texts import LONG_BYTES, marks_of, may_be_media, rewrite, says_once, texts

_content: Final[Callable[[PlainChoice], str]] = attrgetter("message.content")
_has_marks: Final[Callable[[str], bool]] = methodcaller("__contains__", '"')
_HEX: Final = r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
# As OpenAI and vLLM make them; Ollama, which counts; and fingerprints, llama.cpp's last.
_MACHINES: Final = re.compile(
    rf"(?:(?:chatcmpl|cmpl|embd|gen|msg|req|resp|rerank|score)[-_])?{_HEX}"
    r"|(?:chatcmpl|cmpl|gen|msg|req|resp)[-_][0-9A-Za-z]{20,64}"
    r"|chatcmpl-[0-9]{1,6}"
    r"|fp_(?:[0-9a-f]{8,16}|[a-z]{1,10})|b[0-9]{1,6}-[0-9a-f]{7,16}",
    re.ASCII,
).fullmatch
_MACHINES_NAMES: Final = frozenset({"id", "system_fingerprint"})
_LONGEST_REFUSAL: Final = 4096
_NO_REASON: Final = "the engine refused the request and gave no reason"
_OBJECTS: Final = frozenset({"chat.completion", "chat.completion.chunk", "text_completion", "list"})


class AnswerBody(NamedTuple):
    """An answer. `body` says to every reader what was read: with a name twice in one object it is written anew.

    `texts` are what the model wrote (none for embeddings), `others` all other strings but what is the machine's;
    `usage` as the engine counts; `models` names of the model asked.
    """

    body: bytes
    texts: list[str]
    usage: Usage
    others: list[str]
    models: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, object]:
        """Decoded, for whoever changes it."""
        document: dict[str, object] = msgspec.json.decode(self.body)
        return document

    def restored(self, restore: Callable[[str], str], hides: bool = False) -> bytes:
        """The answer's bytes with placeholders restored: in what the model wrote, tool-call arguments too, in the
        documents that a reranking repeats, and in whatever else is not the machine's.

        Where that `hides` values, a choice that it alters loses its log probabilities, which spell its text.
        """
        document = self.document
        own, said = parted(document, self.models)
        altered: Any = rewrite([said], restore)
        altered = altered[0]
        before, after = said.get("choices"), altered.get("choices")
        if hides and isinstance(before, list):
            for was, choice in zip(before, after, strict=True):
                if isinstance(was, dict) and was.get("logprobs") is not None and choice != was:
                    choice["logprobs"] = None
        return msgspec.json.encode(own | altered)


def read_answer(body: bytes, engine: str, models: tuple[str, ...] = ()) -> AnswerBody:
    """Read an engine's JSON answer; `models` are names of the model asked.

    Raises: EngineGarbage, naming the engine, never the text.
    """
    try:
        plain = decode_plain(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_any(body, engine, models)
    said = [*map(_content, plain.choices)]
    if any(map(may_be_media, said)):
        return _read_any(body, engine, models)
    others = _others(plain, models)
    if isinstance(plain.system_fingerprint, str) and _MACHINES(plain.system_fingerprint) is None:
        others.append(plain.system_fingerprint)
    usage = plain_usage(plain.usage) if isinstance(plain.usage, PlainUsage) else _estimate(said)
    return AnswerBody(_told_plain(body, plain, said), said, usage, others, models)


def _others(plain: PlainAnswer | PlainVectors, models: tuple[str, ...]) -> list[str]:
    """The strings beside an answer's words that are not the machine's."""
    id_, model = plain.id, plain.model
    others: list[str] = []
    if isinstance(id_, str) and _MACHINES(id_) is None:
        others.append(id_)
    if isinstance(model, str) and model not in models:
        others.append(model)
    return others


def _told_plain(body: bytes, plain: PlainAnswer, said: list[str]) -> bytes:
    """A plain answer as it goes: written anew; a long one without quotation marks in its texts, as it came, where
    that says the same to every reader."""
    if len(body) >= LONG_BYTES and not any(map(_has_marks, said)):
        for choice in plain.choices:
            choice.message.content = ""
        bare = msgspec.json.encode(plain)
        # Without a backslash no string that was read has a mark in it, so there are two for each, however spelled.
        if b"\\" not in bare and marks_of(body) == marks_of(bare):
            return body
        for choice, text in zip(plain.choices, said, strict=True):
            choice.message.content = text
    return msgspec.json.encode(plain)


def read_refusal(body: bytes) -> AnswerBody:
    """What an engine says that refuses, as a JSON object; where it wrote none, OpenAI's with its words in it."""
    try:
        return _read_any(body, "", ())
    except EngineGarbage:
        message = body[:_LONGEST_REFUSAL].decode("utf-8", "replace") or _NO_REASON
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return AnswerBody(msgspec.json.encode({"error": error}), [message], Usage(), [])


def _read_any(body: bytes, engine: str, models: tuple[str, ...]) -> AnswerBody:
    """An answer of whatever shape, every text in it looked for."""
    try:
        return _read_vectors(body, models) or _walk(body, models)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EngineGarbage(f"engine '{engine}' answered with something that is not JSON; check its URL") from None
    except RecursionError:
        raise EngineGarbage(f"engine '{engine}' answered with JSON that is nested too deeply") from None
    except _NotAnObject:
        raise EngineGarbage(f"engine '{engine}' answered with JSON that is not an object; check its URL") from None


class _NotAnObject(Exception):
    pass


def _walk(body: bytes, models: tuple[str, ...]) -> AnswerBody:
    document = msgspec.json.decode(body)
    if not isinstance(document, dict):
        raise _NotAnObject
    _, said = parted(document, models)
    choices = said.pop("choices", None)
    written = texts(choices) if isinstance(choices, list) else []
    others = texts([said] if isinstance(choices, list) else [said, choices])
    usage = read_usage(document.get("usage"), written)
    return AnswerBody(_told(body, msgspec.json.encode(document)), written, usage, others, models)


def _told(body: bytes, anew: bytes) -> bytes:
    """What says to every reader what was read: the engine's bytes, or with a name twice in them what was read."""
    return body if says_once(body, anew) else anew


def _read_vectors(body: bytes, models: tuple[str, ...]) -> AnswerBody | None:
    """An answer of vectors, which have no texts: it goes as it came, where no name can stand twice in it."""
    try:
        vectors = decode_vectors(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    rows = vectors.data
    held = [row.embedding for row in rows]
    if not all(isinstance(one, list) or _is_packed(one) for one in held):
        return None
    for row in rows:
        row.embedding = "" if isinstance(row.embedding, str) else []
    bare = msgspec.json.encode(vectors)
    if not says_once(body, bare):
        for row, one in zip(rows, held, strict=True):
            row.embedding = one
        body = msgspec.json.encode(vectors)
    others = _others(vectors, models)
    usage = plain_usage(vectors.usage) if isinstance(vectors.usage, PlainUsage) else Usage()
    return AnswerBody(body, [], usage, others, models)


def parted(document: dict[str, object], models: tuple[str, ...]) -> tuple[dict[str, object], dict[str, object]]:
    """What is the machine's at the top of an answer, and all the rest."""
    own = {name: value for name, value in document.items() if is_machines(name, value, models)}
    return own, {name: value for name, value in document.items() if name not in own}


def is_machines(name: str, value: object, models: tuple[str, ...]) -> bool:
    """Whether nobody's words stand there: an id as engines make them, the name of the model asked, a time."""
    if name in _MACHINES_NAMES:
        return isinstance(value, str) and _MACHINES(value) is not None
    if name == "model":
        return value in models
    if name == "object":
        return isinstance(value, str) and value in _OBJECTS
    return name == "created" and isinstance(value, int | float) and 0 <= value < LATEST_TIME


def _is_packed(text: str) -> bool:
    """Whether a string is a vector in base64: some whole number of floats of four bytes."""
    try:
        return len(a2b_base64(text, strict_mode=True)) % 4 == 0
    except (NotPacked, ValueError):
        return False


def read_usage(counted: object, written: list[str]) -> Usage:
    """The engine's count of tokens, or an estimate of four characters a token when it gives none."""
    if isinstance(counted, dict):
        try:
            told = msgspec.convert(counted, Counted)
        except msgspec.ValidationError:
            pass  # a count we cannot read is no count
        else:
            return _usage(told.prompt_tokens, told.completion_tokens, told.total_tokens)
    return _estimate(written)


def plain_usage(counted: PlainUsage) -> Usage:
    return _usage(counted.prompt_tokens or 0, counted.completion_tokens or 0, counted.total_tokens or 0)


def _usage(prompt: int, completion: int, total: int) -> Usage:
    # A reranking engine tells the total alone.
    return Usage(prompt or max(0, total - completion), completion, "engine")


def _estimate(written: list[str]) -> Usage:
    characters = sum(map(len, written))
    return Usage(0, (characters + 3) // 4, "estimate") if characters else Usage()
