"""Events that differ in their text alone: known by what stands around it, so that only the text is read."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import NamedTuple

import msgspec

from selat.wire.shapes import decode_plain_chunk

_START, _END = b"data: ", b"\n\n"
_PROBES = ("a", "b")


class Alike(NamedTuple):
    """How an engine writes its plain events: all of one but the letters of its text.

    An event that begins with `before`, ends with `after` and has one JSON string in `[start:stop]`, quotes and
    all, says that string and is otherwise what the known one was: JSON is read from left to right, so no string
    alters what stands around it. `joint` is what stands between two texts.
    """

    before: bytes
    after: bytes
    start: int
    stop: int
    joint: bytes


def alike(data: bytes, text: str) -> Alike | None:
    """What is like a plain event with that data and text; None where its text cannot be told from the rest."""
    before, token, after = data.rpartition(msgspec.json.encode(text))
    if not token:  # some engines write ASCII alone
        before, token, after = data.rpartition(encode_basestring_ascii(text).encode())
    if not token or not all(_says(before + b'"%b"' % probe.encode() + after, probe) for probe in _PROBES):
        return None
    before, after = _START + before + b'"', b'"' + after + _END
    return Alike(before, after, len(before) - 1, 1 - len(after), after[1:] + before[:-1])


def _says(data: bytes, text: str) -> bool:
    """Whether data is that of a plain event with that text: two texts at one place show that it is the text's."""
    try:
        return decode_plain_chunk(data).choices[0].delta.content == text
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
