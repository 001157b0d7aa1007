"""Waiting in tests: look until something holds, for so long that only what never comes about fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

CEILING_S = 60.0
"""How long anything may take on a machine that others work on too; it costs nothing where things work."""
QUIET_S = 0.05
"""What the work of `busy` takes on one quiet core of the machine that the limits were set on."""
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


def busy() -> float:
    """How many times longer a piece of work takes now than where limits were set: a machine is slow, or shared."""
    began = time.perf_counter()
    for _ in range(4_500):
        sum(range(1000))
    return max(1.0, (time.perf_counter() - began) / QUIET_S)
