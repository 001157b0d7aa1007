"""The growing right edge of the tree: which tiles new leaves fill, and the root that results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from selat.core.tree import HASH_BYTES, Hash, fold, leaf_hashes, node_hash, tree_root
from selat.ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tiles, pack_entries, tile_name, tile_width


@dataclass(frozen=True, slots=True)
class Edge:
    """The partial tile of each level (hashes), and the entries of the partial bundle, at `size` leaves."""

    size: int = 0
    levels: tuple[tuple[Hash, ...], ...] = ()
    bundle: tuple[bytes, ...] = ()

    @classmethod
    def load(cls, tiles: Tiles) -> Edge:
        """Read the edge of a stored log. Raises: LedgerBroken."""
        size, levels, level = tiles.size, [], 0
        while size >> HEIGHT * level:
            number = size >> HEIGHT * (level + 1)
            width = tile_width(level, number, size)
            data = tiles.tile(level, number) if width else b""
            levels.append(tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))
            level += 1
        number, partial = divmod(size, WIDTH)
        bundle = tuple(pack_entries(tiles.leaves(number))) if partial else ()
        return cls(size, tuple(levels), bundle)

    def root(self) -> Hash:
        """The root over all leaves: subtree by subtree, from the right."""
        root: Hash | None = None
        for hashes in self.levels:
            rest = list(hashes)
            while rest:
                count = len(rest) & -len(rest)
                subtree = fold(rest[-count:])
                root = subtree if root is None else node_hash(subtree, root)
                del rest[-count:]
        return tree_root(0, _no_hash) if root is None else root

    def partial_tiles(self) -> dict[str, bytes]:
        """The partial hash tiles, by their path below the log's folder."""
        return {
            tile_name(level, self.size >> HEIGHT * (level + 1), len(hashes)): b"".join(hashes)
            for level, hashes in enumerate(self.levels)
            if hashes
        }

    def grow(self, leaves: Iterable[bytes]) -> Growth:
        """The edge after `leaves`, and the files that it takes."""
        writer = _Writer(self)
        writer.add(leaves)
        return writer.finish()


@dataclass(frozen=True, slots=True)
class Growth:
    """The edge after growing, and the new tiles and bundles by their path below the log's folder."""

    edge: Edge
    files: dict[str, bytes] = field(repr=False)


class _Writer:
    def __init__(self, edge: Edge) -> None:
        self.size = edge.size
        self.levels = [list(hashes) for hashes in edge.levels]
        self.bundle = list(edge.bundle)
        self.files: dict[str, bytes] = {}
        self.touched: set[int] = set()

    def add(self, leaves: Iterable[bytes]) -> None:
        """Take leaves as many at once as the lowest tile has room for: it grows with the bundle of entries."""
        coming = iter(leaves)
        while some := list(islice(coming, WIDTH - len(self.bundle))):
            self.size += len(some)
            self.bundle += pack_entries(some)
            if len(self.bundle) == WIDTH:
                self.files[tile_name(ENTRIES, self.size // WIDTH - 1)] = b"".join(self.bundle)
                self.bundle = []
            self._push(0, leaf_hashes(some))

    def _push(self, level: int, items: list[Hash]) -> None:
        """Put hashes at the end of a level; they fill its tile at most."""
        if level == len(self.levels):
            self.levels.append([])
        hashes = self.levels[level]
        hashes += items
        self.touched.add(level)
        if len(hashes) == WIDTH:
            number = (self.size >> HEIGHT * (level + 1)) - 1
            self.files[tile_name(level, number)] = b"".join(hashes)
            self.levels[level] = []
            self._push(level + 1, [fold(hashes)])

    def finish(self) -> Growth:
        for level in sorted(self.touched):
            hashes, number = self.levels[level], self.size >> HEIGHT * (level + 1)
            if hashes:
                self.files[tile_name(level, number, len(hashes))] = b"".join(hashes)
        if self.bundle:
            self.files[tile_name(ENTRIES, self.size // WIDTH, len(self.bundle))] = b"".join(self.bundle)
        edge = Edge(self.size, tuple(map(tuple, self.levels)), tuple(self.bundle))
        return Growth(edge, self.files)


def _no_hash(height: int, index: int) -> Hash:
    raise AssertionError(f"an empty tree has no hash ({height}, {index})")
