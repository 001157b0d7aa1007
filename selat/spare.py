"""Memory that a process holds and has no use for, given back where Linux and glibc take it.

What only the start used of libraries, and what a load left free in the heap, stay with a process until it is told.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY_S = 1.0
KEPT_BYTES = 4 << 20
_DONTNEED = 4
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_OWN = Path("/proc/self/smaps")


def let_go_of_files() -> int:
    """Let go of the pages of libraries: what is used comes back by itself. How many bytes were let go of.

    Only of mappings that are read or run and that nobody wrote to. Call it while no other thread loads a library.
    """
    madvise = _function("madvise", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if madvise is None or not _OWN.exists():
        return 0
    ranges = list(_unwritten(_OWN.read_text("utf-8", "replace")))
    return sum(end - begin for begin, end in ranges if madvise(begin, end - begin, _DONTNEED) == 0)


def keep_trimmed(every_s: float = EVERY_S) -> None:
    """Give back what is free in the heap, again and again, from a thread of its own.

    Up to KEPT_BYTES stay until then: what goes back at once is faulted in again, page by page, for the next long
    prompt.
    """
    trim = _function("malloc_trim", ctypes.c_size_t)
    keep = _function("mallopt", ctypes.c_int, ctypes.c_int)
    if trim is None or keep is None:
        return
    keep(_TRIM_THRESHOLD, KEPT_BYTES)
    keep(_MMAP_THRESHOLD, KEPT_BYTES)

    def work() -> None:
        waiting = threading.Event()
        while not waiting.wait(every_s):
            trim(0)

    threading.Thread(target=work, name="spare", daemon=True).start()


def _unwritten(smaps: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each mapping of a file that cannot be written to and of which no page was."""
    place, taken = (0, 0), False
    for line in smaps.splitlines():
        words = line.split(None, 5)
        if words and not words[0].endswith(":"):
            begin, _, end = words[0].partition("-")
            place = int(begin, 16), int(end, 16)
            taken = words[1] in ("r-xp", "r--p") and len(words) == 6 and words[5].startswith("/")
        elif taken and words[:2] == ["Anonymous:", "0"]:
            yield place


def _function(name: str, *takes: type) -> Callable[..., int] | None:
    """A function of the C library; None where it has none of that name."""
    with contextlib.suppress(OSError, AttributeError):
        function = getattr(ctypes.CDLL(None), name)
        function.argtypes, function.restype = takes, ctypes.c_int
        found: Callable[..., int] = function
        return found
    return None
