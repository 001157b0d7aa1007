"""The log's files on an object store: objects below a prefix, several put at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from selat.core.errors import LedgerBroken, LedgerUnavailable
from selat.ledger import points
from selat.s3 import Bucket, Client

_AT_ONCE, _KEPT = 8, 2048


class BucketLog:
    """Objects below a prefix: durable once put, each put whole. Full tiles never change and are kept in memory."""

    def __init__(self, bucket: Bucket) -> None:
        self._client = Client(bucket, LedgerUnavailable)
        self._pool: ThreadPoolExecutor | None = None
        self._kept: dict[str, bytes] = {}

    def prepare(self) -> None:
        """Nothing to make: the bucket is there, or the first write says that it is not."""

    def read(self, name: str) -> bytes:
        data = self._kept.get(name)
        if data is None:
            data = self._client.get(name)
            if _final(name):
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[name] = data
        return data

    def write(self, tiles: Mapping[str, bytes]) -> None:
        """Put tiles, several at once; all durable when this returns.

        Raises: LedgerBroken, when a full tile is there already with other content; LedgerUnavailable.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, "tiles")
        for _ in self._pool.map(lambda item: self._put(*item), tiles.items()):
            points.reached("tile.renamed")

    def publish(self, name: str, data: bytes) -> None:
        """Replace an object that changes."""
        points.reached(f"{name}.temp-written")
        self._client.put(name, data)
        points.reached(f"{name}.renamed")

    def drop(self, folder: str) -> None:
        """Remove what is below `folder` (a folder of partial tiles: 255 at most)."""
        for name in self._client.list(f"{folder}/"):
            self._client.delete(name)

    def close(self) -> None:
        """Let go of connections and threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._client.close()

    def _put(self, name: str, data: bytes) -> None:
        if not self._client.put(name, data, only_new=_final(name)) and self._client.get(name) != data:
            raise LedgerBroken(f"{name} is on the object store with other content: two logs share one prefix")


def _final(name: str) -> bool:
    """Whether an object of that name never changes: a full tile or bundle."""
    return name.startswith("tile/") and ".p/" not in name
