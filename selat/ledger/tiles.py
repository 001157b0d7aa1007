"""Where tiles and entry bundles lie and how they are read, as C2SP tlog-tiles says."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain

from selat.core.errors import LedgerBroken
from selat.core.tree import HASH_BYTES, Hash, fold
from selat.ledger.log import Log

WIDTH = 256
HEIGHT = 8
ENTRIES = "entries"
_SHORT = struct.Struct(">H")
_CACHED, _FOLDED = 512, 65_536


def tile_name(level: int | str, number: int, width: int = WIDTH) -> str:
    """The path of a tile below the log's folder; `level` is a number or `entries`, `width` 1 to 256."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < WIDTH else "")


def tile_width(level: int, number: int, size: int) -> int:
    """How many hashes tile `number` of `level` has in a tree of `size` leaves: 0 (none) to 256."""
    return min(WIDTH, max(0, (size >> HEIGHT * level) - number * WIDTH))


def pack_entries(leaves: Sequence[bytes]) -> bytes:
    """Entries as a bundle holds them: of each a 16-bit big-endian length, then the leaf."""
    lengths = map(_SHORT.pack, map(len, leaves))
    return b"".join(chain.from_iterable(zip(lengths, leaves, strict=True)))


def unpack_bundle(data: bytes) -> list[bytes]:
    """The leaves of an entry bundle. Raises: LedgerBroken, when its lengths do not add up."""
    leaves, position = [], 0
    while position < len(data):
        start = position + 2
        if start > len(data):
            raise LedgerBroken("entry bundle: cut off inside a length")
        position = start + _SHORT.unpack_from(data, start - 2)[0]
        if position > len(data):
            raise LedgerBroken("entry bundle: cut off inside an entry")
        leaves.append(data[start:position])
    return leaves


class Tiles:
    """Reads the tiles of a log as they stood at a tree of `size` leaves; keeps the last few in memory."""

    def __init__(self, log: Log, size: int) -> None:
        self._log, self.size = log, size
        self._kept: dict[tuple[int, int], bytes] = {}
        self._folded: dict[tuple[int, int], Hash] = {}

    def read(self, height: int, index: int) -> Hash:
        """A ReadHash: the hash over leaves [index << height, (index + 1) << height). Raises: LedgerBroken.

        Hashes above the lowest tiles are kept: neighbouring proofs share them.
        """
        kept = self._folded.get((height, index))
        if kept is not None:
            return kept
        level, inner = divmod(height, HEIGHT)
        first = index << inner
        number, offset = first >> HEIGHT, first & (WIDTH - 1)
        tile = self.tile(level, number)
        wanted = tile[offset * HASH_BYTES : (offset + (1 << inner)) * HASH_BYTES]
        if len(wanted) != HASH_BYTES << inner:
            raise LedgerBroken(f"tile {tile_name(level, number)}: hash {offset} is beyond its end")
        folded = fold([wanted[at : at + HASH_BYTES] for at in range(0, len(wanted), HASH_BYTES)])
        if level and inner:
            if len(self._folded) >= _FOLDED:
                self._folded.clear()
            self._folded[height, index] = folded
        return folded

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, one after another. Raises: LedgerBroken, when it is missing or short."""
        kept = self._kept.get((level, number))
        if kept is not None:
            return kept
        width = tile_width(level, number, self.size)
        data = self._load(level, number, width)[: width * HASH_BYTES]
        if len(data) != width * HASH_BYTES:
            raise LedgerBroken(f"{tile_name(level, number, width)}: {len(data)} bytes, not {width * HASH_BYTES}")
        if len(self._kept) >= _CACHED:
            self._kept.clear()
        self._kept[level, number] = data
        return data

    def leaves(self, number: int) -> list[bytes]:
        """The leaves of entry bundle `number`, as many as the tree has. Raises: LedgerBroken."""
        width = tile_width(0, number, self.size)
        leaves = unpack_bundle(self._load(ENTRIES, number, width))[:width]
        if len(leaves) != width:
            raise LedgerBroken(f"{tile_name(ENTRIES, number, width)}: {len(leaves)} entries, not {width}")
        return leaves

    def leaf(self, index: int) -> bytes:
        """One leaf, without reading the others of its bundle apart. Raises: LedgerBroken."""
        number, offset = divmod(index, WIDTH)
        data = self._load(ENTRIES, number, tile_width(0, number, self.size))
        position = 0
        for _ in range(offset):
            if position + 2 > len(data):
                break
            position += 2 + (data[position] << 8 | data[position + 1])
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if position + 2 > len(data) or end > len(data):
            raise LedgerBroken(f"{tile_name(ENTRIES, number)}: cut off before entry {offset}")
        return data[position + 2 : end]

    def _load(self, level: int | str, number: int, width: int) -> bytes:
        """A tile's file; the full one, where the partial one has been removed since."""
        for candidate in (width, WIDTH):
            try:
                return self._log.read(tile_name(level, number, candidate))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise LedgerBroken(f"{tile_name(level, number, candidate)}: {error.strerror}") from error
        raise LedgerBroken(f"{tile_name(level, number, width)} is missing: the log has a gap")
