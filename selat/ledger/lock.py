"""One hand at a time on a ledger: the sequencer, a repair, a reindexing."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from selat.core.errors import HomeBusy

LOCK = "sequencer.lock"


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the ledger alone. Raises: HomeBusy, when another sequencer or a repair has it."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeBusy(f"another sequencer is at work on {folder}; a ledger has exactly one") from None
        yield
    finally:
        os.close(lock)
