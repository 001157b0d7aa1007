"""Records as they lie in a journal: a leaf, and the secrets that never enter the log."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, overload

_SHORT, _LONG = struct.Struct(">H"), struct.Struct(">I")
_MOST_SALTS = 64

Secrets = tuple[tuple[str, bytes], ...]

SALT_BYTES = 32
SALTS: dict[bytes, str] = {}
"""What stands before the salt in a tail that holds nothing else, and its name: nearly all records are of two."""


class Record(NamedTuple):
    """A leaf with the secrets that never enter the log: salts by the name of what they commit to."""

    leaf: bytes
    secrets: Secrets


class Records(Sequence[Record]):
    """Records in two columns: their leaves, and what follows each in its body; a Record is made when asked for."""

    __slots__ = ("leaves", "tails")

    def __init__(self, leaves: list[bytes], tails: list[bytes]) -> None:
        self.leaves, self.tails = leaves, tails

    @classmethod
    def of(cls, bodies: Iterable[bytes]) -> Records:
        """Those of bodies that are known to be whole."""
        leaves, tails = [], []
        for whole in bodies:
            end = 2 + (whole[0] << 8 | whole[1])
            leaves.append(whole[2:end])
            tails.append(whole[end:])
        return cls(leaves, tails)

    def extend(self, other: Records) -> None:
        self.leaves += other.leaves
        self.tails += other.tails

    def __len__(self) -> int:
        return len(self.leaves)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: int | slice) -> Record | Records:
        if isinstance(at, slice):
            return Records(self.leaves[at], self.tails[at])
        return Record(self.leaves[at], secrets_of(self.tails[at]))

    def __iter__(self) -> Iterator[Record]:
        return map(Record, self.leaves, map(secrets_of, self.tails))


def secret(name: str, value: bytes) -> bytes:
    """A secret as it follows a leaf in its body; several follow one another."""
    return _named(name, len(value)) + value


@lru_cache(maxsize=256)
def _named(name: str, length: int) -> bytes:
    key = name.encode()
    return _SHORT.pack(len(key)) + key + _LONG.pack(length)


def secrets_of(tail: bytes) -> Secrets:
    """The secrets in what follows the leaf in a body that is known to be whole."""
    name = SALTS.get(tail[:-SALT_BYTES])
    if name is not None:
        return ((name, tail[-SALT_BYTES:]),)
    found, end, size = [], 0, len(tail)
    while end < size:
        split = end + 2 + _SHORT.unpack_from(tail, end)[0]
        name = tail[end + 2 : split].decode()
        end = split + 4 + _LONG.unpack_from(tail, split)[0]
        found.append((name, tail[split + 4 : end]))
    if len(found) == 1 and len(found[0][1]) == SALT_BYTES and len(SALTS) < _MOST_SALTS:
        SALTS[tail[:-SALT_BYTES]] = found[0][0]
    return tuple(found)
