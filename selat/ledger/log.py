"""Where the log's files lie: tiles, bundles and the checkpoint, in a folder or on an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from selat import durable
from selat.core.errors import LedgerBroken, LedgerUnavailable
from selat.ledger import files, points
from selat.s3 import Bucket, Client

CHECKPOINT = "checkpoint"
_AT_ONCE, _KEPT = 8, 2048


class Log(Protocol):
    """Names are paths of C2SP tlog-tiles. One conformance suite runs over both (test_ledger_logs.py).

    A name is whole or absent. Raises: FileNotFoundError where there is none; OSError or LedgerUnavailable, when
    disk or store refuses.
    """

    def prepare(self) -> None: ...
    def read(self, name: str) -> bytes: ...
    def write(self, tiles: Mapping[str, bytes]) -> None: ...
    def publish(self, name: str, data: bytes) -> None: ...
    def drop(self, folder: str) -> None: ...
    def close(self) -> None: ...


class FolderLog:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        durable.make_folder(self._folder)

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, tiles: Mapping[str, bytes]) -> None:
        """Put tiles in place; all durable when this returns."""
        paths = [self._folder / name for name in tiles]
        for folder in {path.parent for path in paths}:
            durable.make_folder(folder)
        for path, data in zip(paths, tiles.values(), strict=True):
            files.replace(path, data, "tile")
        durable.sync(paths)
        durable.sync({path.parent for path in paths})

    def publish(self, name: str, data: bytes) -> None:
        """Replace a file that changes, in one step, durably."""
        path = self._folder / name
        if not path.parent.is_dir():
            durable.make_folder(path.parent)
        files.replace_durably(path, data, name)

    def drop(self, folder: str) -> None:
        """Remove what is below `folder` (a folder of partial tiles)."""
        with contextlib.suppress(FileNotFoundError):
            for path in (self._folder / folder).iterdir():
                path.unlink()
            (self._folder / folder).rmdir()

    def close(self) -> None:
        """Nothing is held."""


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
