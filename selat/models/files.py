"""Locks between the processes that keep models, and a full disk told in words."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from selat import durable
from selat.core.errors import HomeBusy


@contextlib.contextmanager
def held(path: Path, *, alone: bool, wait: bool = True) -> Iterator[None]:
    """A lock on a file, shared or alone, gone with its process. Raises: HomeBusy, when not to wait."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise HomeBusy("models are being taken in just now; try again when that is done") from None
        yield
    finally:
        os.close(descriptor)


def told_if_full(folder: Path) -> AbstractContextManager[None]:
    """Says what a full disk means for the shelf. Raises: Unavailable."""
    return durable.told_if_full(folder, "make room (selat model gc) and try again; what is whole is kept")


@contextlib.contextmanager
def hold_part(part: Path) -> Iterator[BinaryIO]:
    """A part opened to go on with it, by one process at a time."""
    while True:
        with part.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _same(part, file):
                yield file
                return
            # Whoever had it before has moved it into the store, or thrown it away: the name is free again.


def _same(part: Path, file: BinaryIO) -> bool:
    try:
        return part.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
