"""RFC 8785 canonical JSON, for the subset that ledger entries use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from selat.core.errors import SelatError

quoted: Final[Callable[[str], str]] = json.encoder.encode_basestring
"""A string as canonical JSON writes it, with its quotation marks."""

_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_MAX_SAFE = 2**53 - 1


def canonical(value: Mapping[str, object]) -> bytes:
    """`canonical_text` in UTF-8."""
    return canonical_text(value).encode("utf-8", "strict")


def canonical_text(value: Mapping[str, object]) -> str:
    """The RFC 8785 form of a JSON object of strings, integers, booleans, nulls, lists and objects.

    Keys must be ASCII (so that code-point order is UTF-16 order) and numbers integers within 2**53 - 1:
    an entry has no need of floats, whose canonical form is where implementations differ.
    Raises: SelatError, naming the kind of value that is outside the subset.
    Source: RFC 8785 section 3.2.
    """
    _check(value)
    return _ENCODE(value)


def _check(value: object) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if not -_MAX_SAFE <= value <= _MAX_SAFE:
            raise SelatError("canonical JSON: an integer beyond 2**53 - 1; write it as a string")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise SelatError("canonical JSON: keys are ASCII strings")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    else:
        raise SelatError(f"canonical JSON: no place for a {type(value).__name__}; entries hold integers and text")
