"""Where the log's files lie: tiles, bundles and the checkpoint, in a folder (on an object store: bucket_log)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from selat import durable
from selat.ledger import files

CHECKPOINT = "checkpoint"


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
        folders = {self._folder / name.rpartition("/")[0] for name in tiles}
        for folder in folders:
            if not folder.is_dir():
                durable.make_folder(folder)
        files.replace_many(((f"{self._folder}/{name}", data) for name, data in tiles.items()), "tile")
        durable.sync(folders)

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
