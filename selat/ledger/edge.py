"""The growing right edge of the tree: which tiles new leaves fill, and the root that results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from selat.core.tree import HASH_BYTES, Hash, fold, leaf_hashes, node_hash, tree_root
from selat.ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tiles, pack_entries, tile_name, tile_width


@dataclass(frozen=True, slots=True)
class Edge:
    """The partial tile of each level (hashes), and the partial bundle, at `size` leaves."""

    size: int = 0
    levels: tuple[tuple[Hash, ...], ...] = ()
    bundle: bytes = b""

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
        bundle = pack_entries(tiles.leaves(number)) if partial else b""
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
        return _Writer(self).add(list(leaves))


@dataclass(frozen=True, slots=True)
class Growth:
    """The edge after growing, and the new tiles and bundles by their path below the log's folder."""

    edge: Edge
    files: Mapping[str, bytes] = field(repr=False)


class _Files(Mapping[str, bytes]):
    """Bundles of entries, each put together when it is asked for, so that leaves lie in memory once; hash tiles.

    `begun` is what the first bundle, that of leaf `size`, had.
    """

    def __init__(self, size: int, begun: bytes, leaves: Sequence[bytes]) -> None:
        self.tiles: dict[str, bytes] = {}
        self._begun, self._leaves = begun, leaves
        self._bundles: dict[str, int] = {}
        self._end = size + len(leaves)
        for number in range(size // WIDTH, -(-self._end // WIDTH)):
            name = tile_name(ENTRIES, number, min(WIDTH, self._end - number * WIDTH))
            self._bundles[name] = number * WIDTH - size

    def __getitem__(self, name: str) -> bytes:
        at = self._bundles.get(name)
        return self.tiles[name] if at is None else self._bundle(at)

    def __iter__(self) -> Iterator[str]:
        return chain(self._bundles, self.tiles)

    def __len__(self) -> int:
        return len(self._bundles) + len(self.tiles)

    def last(self) -> bytes:
        """The last bundle, unless it is full."""
        return self._bundle(list(self._bundles.values())[-1]) if self._end % WIDTH else b""

    def _bundle(self, at: int) -> bytes:
        """The bundle whose first is leaf `at` of ours; less than 0 where some were there before."""
        entries = pack_entries(self._leaves[max(at, 0) : at + WIDTH])
        return self._begun + entries if at < 0 else entries


class _Writer:
    def __init__(self, edge: Edge) -> None:
        self.size, self.bundle = edge.size, edge.bundle
        self.levels = [list(hashes) for hashes in edge.levels]
        self.tiles: dict[str, bytes] = {}
        self.touched: set[int] = set()

    def add(self, leaves: list[bytes]) -> Growth:
        """Hash leaves as many at once as the lowest tile has room for."""
        files = _Files(self.size, self.bundle, leaves)
        self.tiles, at = files.tiles, 0
        while at < len(leaves):
            some = leaves[at : at + WIDTH - self.size % WIDTH]
            at += len(some)
            self.size += len(some)
            self._push(0, leaf_hashes(some))
        for level in sorted(self.touched):
            hashes, number = self.levels[level], self.size >> HEIGHT * (level + 1)
            if hashes:
                self.tiles[tile_name(level, number, len(hashes))] = b"".join(hashes)
        bundle = files.last() if leaves else self.bundle
        return Growth(Edge(self.size, tuple(map(tuple, self.levels)), bundle), files)

    def _push(self, level: int, items: list[Hash]) -> None:
        """Put hashes at the end of a level; they fill its tile at most."""
        if level == len(self.levels):
            self.levels.append([])
        hashes = self.levels[level]
        hashes += items
        self.touched.add(level)
        if len(hashes) == WIDTH:
            number = (self.size >> HEIGHT * (level + 1)) - 1
            self.tiles[tile_name(level, number)] = b"".join(hashes)
            self.levels[level] = []
            self._push(level + 1, [fold(hashes)])


def _no_hash(height: int, index: int) -> Hash:
    raise AssertionError(f"an empty tree has no hash ({height}, {index})")
