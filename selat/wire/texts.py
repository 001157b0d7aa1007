"""Every text in a JSON document, known field or not: what the guard must see and masking must reach."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from operator import methodcaller
from typing import Any, Final

import msgspec

from selat.wire.shapes import LONG_NUMBER

# Values under these names are the protocol's words, not free text, as long as they are words.
_WORDS = frozenset({"model", "role", "type"})
_MODEL = "model"
LONG_BYTES: Final = 4096
"""JSON above this is looked at once more, to spare writing it anew."""
INLINE_DATA = "data:"
may_be_media: Final[Callable[[str], bool]] = methodcaller("startswith", INLINE_DATA)
_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w.=+-]+)*;base64,[A-Za-z0-9+/=]*", re.ASCII).fullmatch
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "thinking"})
_MEDIA_LISTS = frozenset({"images", "audios", "videos", "files"})
_NO_TEXT = frozenset({int, float, bool, type(None)})
# A longer key is no field's name; what is remembered of names stays small, too.
_LONGEST_NAME = 64


def texts(document: object, media: list[str] | None = None) -> list[str]:
    """Each string of a decoded JSON document, depth first: values, odd keys, and long numbers as `key number`.

    The name of the model asked is no text: it is one of those registered. Inline base64 `data:` URLs are left
    out, being media. Where `media` is given, it is told of them, and of every part of a message that is not
    known to be text: media that no detector reads.
    """
    found: list[str] = []
    _collect(document, found, [] if media is None else media, top=True)
    return found


def _collect(document: Any, found: list[str], media: list[str], *, top: bool = False) -> None:
    # One list passed down, and types compared: generators and isinstance cost three times as much, and this is
    # run for every request. A decoder makes no subclasses.
    kind = type(document)
    if kind is dict:
        _collect_object(document, found, media, top=top)
    elif kind is list:
        for value in document:
            kind = type(value)
            if kind is dict:
                _collect_object(value, found, media)
            elif kind is int or kind is float:
                if is_long(value):
                    found.append(str(value))
            elif value is not None:
                _collect(value, found, media)
    elif kind is str:
        found.append(document)
    elif kind not in _NO_TEXT:
        raise TypeError(f"not what JSON decodes to: {kind.__name__}")  # never past the guard unread


def _collect_object(document: dict[str, Any], found: list[str], media: list[str], *, top: bool = False) -> None:
    for key, value in document.items():
        if not is_plain(key):
            found.append(key)
        kind = type(value)
        if kind is str:
            if key in _WORDS and (is_plain(value) or (top and key == _MODEL)):
                continue
            if value.startswith(INLINE_DATA) and _DATA_URL(value):
                media.append(key)
                continue
            inner = _arguments(value) if key == "arguments" else None
            if inner is None:
                found.append(value)
            else:
                _collect(inner, found, [])
                if not says_once(value.encode(), msgspec.json.encode(inner)):
                    found += _every(value)
        elif kind is dict:
            _collect_object(value, found, media)
        elif kind is list:
            if (key == "content" or key in _MEDIA_LISTS) and _holds_media(key, value):
                media.append(key)
            _collect(value, found, media)
        elif kind is int or kind is float:
            if is_long(value):
                found.append(f"{key} {value}")
        elif value is not None:
            _collect(value, found, media)


def rewrite(document: object, change: Callable[[str], str]) -> object:
    """The document with `change` applied to each text that `texts` yields; the original is left as it was.

    A long number that `change` alters becomes its changed digits as a string: masked is safer than typed.
    """
    if isinstance(document, dict) and isinstance(document.get(_MODEL), str):
        rest = {key: value for key, value in document.items() if key != _MODEL}
        return {**_rewrite_object(rest, change), _MODEL: document[_MODEL]}
    return _rewrite(document, change)


def _rewrite(document: object, change: Callable[[str], str]) -> object:
    if isinstance(document, str):
        return change(document)
    if isinstance(document, dict):
        return _rewrite_object(document, change)
    if isinstance(document, list):
        return [_rewrite_value(None, value, change) for value in document]
    return document


def _rewrite_object(document: dict[str, object], change: Callable[[str], str]) -> dict[str, object]:
    return {
        key if is_plain(key) else change(key): _rewrite_value(key, value, change)
        for key, value in document.items()
    }


def _rewrite_value(key: str | None, value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        if key in _WORDS and is_plain(value):
            return value
        if key is not None and value.startswith(INLINE_DATA) and _DATA_URL(value):
            return value
        inner = _arguments(value) if key == "arguments" else None
        return change(value) if inner is None else msgspec.json.encode(_rewrite(inner, change)).decode()
    if isinstance(value, int | float):
        if not is_long(value):
            return value
        before = str(value) if key is None else f"{key} {value}"
        after = change(before)
        return value if after == before else after.removeprefix(f"{key} ")
    return _rewrite(value, change)


def _holds_media(key: str, values: list[object]) -> bool:
    """Whether a message's list holds what is not text. Parts of an unknown kind count: nobody has read them."""
    if key != "content":
        return key in _MEDIA_LISTS
    for part in values:
        if isinstance(part, dict):
            kind = part.get("type")
            known = part.keys() <= {"text"} if kind is None else isinstance(kind, str) and kind in _TEXT_PARTS
            if not known:
                return True
    return False


def _arguments(value: str) -> dict[str, object] | list[object] | None:
    """The object or list in a tool call's `arguments`, which are JSON inside a JSON string; None for all else."""
    try:
        inner = msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return inner if isinstance(inner, dict | list) else None


def says_once(data: bytes, anew: bytes) -> bool:
    """Whether no object in JSON has a name twice, told by what was read of it and written `anew`. True only if so.

    A reader loses one of two equal names with its value. Every string has two quotation marks, and one more for
    each in its text that is not spelled as a number: with that spelling ruled out, what is lost has lost marks.
    """
    return marks_of(data) == marks_of(anew) and (b"\\" not in data or b"\\u0022" not in data)


def marks_of(data: bytes) -> int:
    """How many quotation marks there are."""
    # What is long is text, with few of them: then this takes a fifth of the time.
    return data.count(b'"') if len(data) < LONG_BYTES else len(data) - len(data.replace(b'"', b""))


def _every(value: str) -> list[str]:
    """Each string in JSON, names too, also of what a reader that takes the last of two equal names never sees."""

    def pairs(members: list[tuple[str, object]]) -> list[object]:
        return [one for member in members for one in member]

    found: list[str] = []
    _collect(json.loads(value, object_pairs_hook=pairs), found, [])
    return found


def is_plain(key: str) -> bool:
    """Whether it is a word, or words joined by underscores."""
    return len(key) <= _LONGEST_NAME and _is_word(key)


@lru_cache(maxsize=4096)
def _is_word(key: str) -> bool:
    return key.isascii() and key.replace("_", "").isalpha()


def is_long(value: float) -> bool:
    """Whether a number could be one of a person's."""
    return value is not True and value is not False and not -LONG_NUMBER < value < LONG_NUMBER
