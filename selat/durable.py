"""Writing files so that after a crash each is whole or absent, and its folder knows it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

data_sync = getattr(os, "fdatasync", os.fsync)


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path` in one step, durable when this returns: the content before the name.

    Processes that write at once do not disturb each other: the last one's stays. Raises: OSError.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fill(fresh, data, mode)
        fresh.rename(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync([path.parent])


def fill(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Write a file that nobody reads yet; its content is durable, unless said otherwise. Raises: OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a short write (a disk nearly full) goes on until it is done or fails. Raises: OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(paths: Iterable[Path]) -> None:
    """Make files and folders durable. Raises: OSError."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each name durable in its parent. Raises: OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    sync(folder.parent for folder in reversed(missing))
