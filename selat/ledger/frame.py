"""The bytes of a journal: a header, then framed records whose checksums chain, so that a torn tail shows."""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from selat.core.errors import TooLarge
from selat.ledger.record import Records

MAGIC = b"selat-journal/1\n"
HEADER_BYTES = len(MAGIC) + 16
MAX_LEAF_BYTES: Final = 65_535
MAX_BODY_BYTES: Final = 16 * 2**20
_FRAME: Final = struct.Struct(">II")
_HEAD: Final = struct.Struct(">IIH")
_SHORT: Final = struct.Struct(">H")
_LONG: Final = struct.Struct(">I")


class Cursor(NamedTuple):
    """A place between two records: bytes from the start of the segment, and the checksum chained up to it."""

    offset: int
    chain: int


class Scanned(NamedTuple):
    """Whole records, the place after the last of them, and the bytes that follow and are no whole record."""

    records: Records
    end: Cursor
    rest: int


def header(session: bytes) -> bytes:
    """The first 32 bytes of a segment: a magic line and 16 random bytes that seed the chain."""
    return MAGIC + session


def start(head: bytes) -> Cursor | None:
    """Where the records of a segment with these first bytes begin; None for a header torn or of another kind."""
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        return None
    return Cursor(HEADER_BYTES, zlib.crc32(head[:HEADER_BYTES]))


def body(leaf: bytes, tail: bytes = b"") -> bytes:
    """A record's bytes; `tail` are its secrets, one after another, each as `record.secret` gives it.

    Raises: TooLarge, naming the limit: entries of tlog-tiles have a 16-bit length.
    """
    if not 0 < len(leaf) <= MAX_LEAF_BYTES:
        raise TooLarge(f"ledger: a leaf has 1 to {MAX_LEAF_BYTES} bytes, this one {len(leaf)}")
    whole = _SHORT.pack(len(leaf)) + leaf + tail
    if len(whole) > MAX_BODY_BYTES:
        raise TooLarge(f"ledger: a record with its secrets has at most {MAX_BODY_BYTES} bytes")
    return whole


def frames(bodies: list[bytes], chain: int) -> tuple[bytes, int]:
    """Length, chained CRC-32 and body of each; and the chain after the last."""
    parts = []
    for whole in bodies:
        length = len(whole)
        chain = zlib.crc32(whole, zlib.crc32(_LONG.pack(length), chain))
        parts.append(_FRAME.pack(length, chain))
        parts.append(whole)
    return b"".join(parts), chain


def size_of(bodies: list[bytes]) -> int:
    """How many bytes their frames are."""
    return sum(map(len, bodies)) + _FRAME.size * len(bodies)


def scan(data: bytes, at: Cursor, most: int = MAX_BODY_BYTES) -> Scanned:
    """Find up to `most` (1 or more) whole records in `data`, which starts at `at`; stop at one torn or damaged."""
    leaves, tails = list[bytes](), list[bytes]()
    position, chain, size, view = 0, at.chain, len(data), memoryview(data)
    unpack, crc32, last, longest = _HEAD.unpack_from, zlib.crc32, size - _HEAD.size, MAX_BODY_BYTES
    for _ in range(most):
        if position > last:
            break
        length, stated, leaf_bytes = unpack(data, position)
        body = position + 8
        end = body + length
        if end > size or length > longest or length < 3:
            break
        actual = crc32(view[body:end], crc32(data[position : position + 4], chain))
        if actual != stated:
            break
        leaf = body + 2
        split = leaf + leaf_bytes
        if split > end:
            split = end
        leaves.append(data[leaf:split])
        tails.append(data[split:end])
        position, chain = end, actual
    return Scanned(Records(leaves, tails), Cursor(at.offset + position, chain), size - position)


def salvage(data: bytes) -> Records:
    """The whole records behind damage: each record holds the chain before it, so one bad body hides only itself.

    Nothing when the length of the damaged record is itself false, or nothing whole follows.
    """
    at, saved, damaged = start(data), Records([], []), False
    while at is not None:
        found = scan(data[at.offset :], at)
        if damaged:
            saved.extend(found.records)
        damaged = True
        bad, at = found.end.offset, None
        if found.rest >= _FRAME.size:
            length, stated = _FRAME.unpack_from(data, bad)
            after = bad + _FRAME.size + length
            if 3 <= length <= MAX_BODY_BYTES and after < len(data):
                at = Cursor(after, stated)
    return saved
