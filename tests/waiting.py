"""Waiting in tests: look until something holds, for so long that only what never comes about fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

CEILING_S = 60.0
"""How long anything may take on a machine that others work on too; it costs nothing where things work."""
T = TypeVar("T")


def until(look: Callable[[], T], within_s: float = CEILING_S) -> T:
    """What `look` finds, once it is true of something."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
    return found


def gone(pid: int) -> bool:
    """Whether that process has ended, also while nobody has asked yet how it did."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
