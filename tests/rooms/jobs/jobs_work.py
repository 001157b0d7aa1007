"""Work for the pools' tests: a module of its own, so that worker processes can import it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from selat.core.errors import Misused, TooMany


@asynccontextmanager
async def squares(folder: Path) -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """Squares numbers. Notes who opened, who closed, and how many were under way at most."""
    (folder / f"opened-{os.getpid()}").touch()
    under_way = 0

    async def square(number: int) -> int:
        nonlocal under_way
        under_way += 1
        (folder / f"at-once-{under_way}").touch()
        await asyncio.sleep(0.002 * (number % 3))
        under_way -= 1
        if number == 13:
            raise TooMany("thirteen", retry_after_s=7, limit="luck")
        return number * number

    yield square
    (folder / f"closed-{os.getpid()}").touch()


@asynccontextmanager
async def shut() -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """A worker that cannot be opened."""
    raise Misused("shut today")
    yield


@asynccontextmanager
async def deadly(folder: Path) -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """Its process is killed at 5, the first time."""

    async def echo(number: int) -> int:
        mark = folder / "died"
        if number == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    yield echo
