"""Replacing files of the ledger, with the points at which a crash is tried."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from selat.durable import sync, write_all
from selat.ledger import points

_AT_ONCE = 128
"""Files held open at once, until they are synced."""
_advise, _WRITE_NOW = getattr(os, "posix_fadvise", None), getattr(os, "POSIX_FADV_DONTNEED", 0)
"""Linux begins to write what is dirty on this advice, waits for nothing, and keeps what is not yet written."""


def put(path: str, data: bytes, name: str, *, durable: bool) -> int:
    """Put `data` at `path` in one step; `name` names the crash points. Raises: OSError.

    Its content is `durable` before it gets its name, or else the disk is asked to begin; the name is not durable
    yet. Gives the file, open.
    """
    folder, _, last = path.rpartition("/")
    temp = f"{folder}/.{last}.new"
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
        elif _advise is not None:
            _advise(descriptor, 0, 0, _WRITE_NOW)
        points.reached(f"{name}.temp-written")
        os.rename(temp, path)
        points.reached(f"{name}.renamed")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def replace_durably(path: Path, data: bytes, name: str) -> None:
    """`put`, then durable: the content before the name, the name before returning. Raises: OSError."""
    os.close(put(str(path), data, name, durable=True))
    sync([path.parent])


def replace_many(files: Iterable[tuple[str, bytes]], name: str) -> None:
    """`put` each; their contents are durable when this returns. Raises: OSError.

    The disk begins with each as soon as it is written, so that the first sync waits for nearly all.
    """
    waiting = iter(files)
    more = True
    while more:
        with ExitStack() as open_:
            written = []
            for path, data in islice(waiting, _AT_ONCE):
                written.append(put(path, data, name, durable=False))
                open_.callback(os.close, written[-1])
            for descriptor in written:
                os.fsync(descriptor)
            more = bool(written)
