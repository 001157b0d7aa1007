"""Writing files so that after a crash each is whole or absent, and the folder knows it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from selat.ledger import points

data_sync = getattr(os, "fdatasync", os.fsync)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write (a disk nearly full) goes on until it is done or fails. Raises: OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace(path: Path, data: bytes, name: str) -> None:
    """Put `data` at `path` in one step; not yet durable. `name` names the crash points. Raises: OSError."""
    temp = path.with_name(f".{path.name}.new")
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(fd, data)
        if name != "tile":
            os.fsync(fd)
    finally:
        os.close(fd)
    points.reached(f"{name}.temp-written")
    temp.rename(path)
    points.reached(f"{name}.renamed")


def replace_durably(path: Path, data: bytes, name: str) -> None:
    """`replace`, then durable: the content before the name, the name before returning. Raises: OSError."""
    replace(path, data, name)
    sync([path.parent])


def sync(paths: Iterable[Path]) -> None:
    """Make files and folders durable. Raises: OSError."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each name durable in its parent. Raises: OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    sync(folder.parent for folder in reversed(missing))
