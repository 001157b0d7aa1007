"""Records as they lie in a journal: a leaf, and the secrets that never enter the log."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

_SHORT, _LONG = struct.Struct(">H"), struct.Struct(">I")
_NO_SECRETS: tuple[tuple[str, bytes], ...] = ()


class Record(NamedTuple):
    """A leaf with the secrets that never enter the log: salts by the name of what they commit to."""

    leaf: bytes
    secrets: tuple[tuple[str, bytes], ...]


class Records(Sequence[Record]):
    """The whole records in a stretch of a journal. Each is made when it is asked for: none lies in memory before.

    `ends` are where their bodies end in `data`; each body follows `head` bytes of framing.
    """

    __slots__ = ("_data", "_ends", "_head")

    def __init__(self, data: bytes, ends: array[int], head: int) -> None:
        self._data, self._ends, self._head = data, ends, head

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> list[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | list[Record]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        number = range(len(self))[at]
        start = self._ends[number - 1] if number else 0
        return parse_body(self._data[start + self._head : self._ends[number]])

    def __iter__(self) -> Iterator[Record]:
        data, start, head = self._data, 0, self._head
        for end in self._ends:
            yield parse_body(data[start + head : end])
            start = end

    def leaves(self) -> Iterator[bytes]:
        """The leaves alone."""
        data, at = self._data, self._head
        for end in self._ends:
            yield data[at + 2 : at + 2 + (data[at] << 8 | data[at + 1])]
            at = end + self._head


def parse_body(whole: bytes) -> Record:
    """The record of a body that is known to be whole."""
    end = 2 + (whole[0] << 8 | whole[1])
    leaf, size = whole[2:end], len(whole)
    if end == size:
        return Record(leaf, _NO_SECRETS)
    secrets = []
    while end < size:
        split = end + 2 + _SHORT.unpack_from(whole, end)[0]
        name = whole[end + 2 : split].decode()
        end = split + 4 + _LONG.unpack_from(whole, split)[0]
        secrets.append((name, whole[split + 4 : end]))
    return Record(leaf, tuple(secrets))
