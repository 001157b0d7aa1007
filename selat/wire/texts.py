"""Every text in a JSON document, known field or not: what the guard must see and masking must reach."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

# Values under these names are registered words that the ask's types have already checked, not free text.
_WORDS = frozenset({"model", "role", "type"})
_INLINE_DATA = "data:"
# A shorter number cannot hold a phone, card or identity number.
_LONG_NUMBER = 10_000_000
# A longer key is no field's name; it also keeps the cache of names small.
_LONGEST_NAME = 64


def texts(document: object) -> list[str]:
    """Each string of a decoded JSON document, depth first: values, odd keys, and long numbers as `key number`.

    Inline `data:` URLs are left out: they are media, labelled by the flow, not text.
    """
    found: list[str] = []
    _collect(document, found)
    return found


def _collect(document: object, found: list[str]) -> None:
    # One list passed down: a generator a level costs three times as much, and this is run for every request.
    if isinstance(document, dict):
        for key, value in document.items():
            if not _plain(key):
                found.append(key)
            if isinstance(value, str):
                if key not in _WORDS and not value.startswith(_INLINE_DATA):
                    inner = _arguments(value) if key == "arguments" else None
                    if inner is None:
                        found.append(value)
                    else:
                        _collect(inner, found)
            elif isinstance(value, int | float):
                if _long(value):
                    found.append(f"{key} {value}")
            elif value is not None:
                _collect(value, found)
    elif isinstance(document, list):
        for value in document:
            if isinstance(value, int | float):
                if _long(value):
                    found.append(str(value))
            elif value is not None:
                _collect(value, found)
    elif isinstance(document, str):
        found.append(document)


def rewrite(document: object, change: Callable[[str], str]) -> object:
    """The document with `change` applied to each text that `texts` yields; the original is left as it was.

    A long number that `change` alters becomes its changed digits as a string: masked is safer than typed.
    """
    if isinstance(document, str):
        return change(document)
    if isinstance(document, dict):
        return {
            key if _plain(key) else change(key): _rewrite_value(key, value, change)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [_rewrite_value(None, value, change) for value in document]
    return document


def _rewrite_value(key: str | None, value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        if key in _WORDS or (key is not None and value.startswith(_INLINE_DATA)):
            return value
        inner = _arguments(value) if key == "arguments" else None
        return change(value) if inner is None else msgspec.json.encode(rewrite(inner, change)).decode()
    if isinstance(value, int | float):
        if not _long(value):
            return value
        before = str(value) if key is None else f"{key} {value}"
        after = change(before)
        return value if after == before else after.removeprefix(f"{key} ")
    return rewrite(value, change)


def _arguments(value: str) -> dict[str, object] | None:
    """The object in a tool call's `arguments`, which are JSON inside a JSON string; None where it is not one."""
    try:
        inner = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    return inner if isinstance(inner, dict) else None


@lru_cache(maxsize=4096)
def _plain(key: str) -> bool:
    return len(key) <= _LONGEST_NAME and key.isascii() and key.replace("_", "").isalpha()


def _long(value: float) -> bool:
    return value is not True and value is not False and not -_LONG_NUMBER < value < _LONG_NUMBER
