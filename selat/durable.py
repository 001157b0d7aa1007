"""Writing files so that after a crash each is whole or absent, and its folder knows it; a full disk in words."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO

from selat.core.errors import Unavailable

data_sync = getattr(os, "fdatasync", os.fsync)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Unwritten(OSError):
    """Nothing was written, not a byte: whoever writes it again, here or elsewhere, writes it once."""


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


def create(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file that must not be there yet, durable with its name. Raises: FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync([path.parent])


def settle(file: IO[bytes] | IO[str]) -> None:
    """Make what was written to an open file so far durable. Raises: OSError."""
    file.flush()
    os.fsync(file.fileno())


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
    missing = list(takewhile(lambda folder: not folder.exists(), (path, *path.parents)))
    path.mkdir(parents=True, exist_ok=True)
    sync(folder.parent for folder in reversed(missing))


@contextlib.contextmanager
def told_if_full(folder: Path | str, then: str) -> Iterator[None]:
    """Says in words that the disk of `folder` is full and what to do `then`. Raises: Unavailable; others stay."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise Unavailable(f"the disk of {folder} is full, or takes no file so large: {then}") from error
