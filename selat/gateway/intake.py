"""Has what was sent in read, by a process of its own that ends when nothing waits."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from selat.app import Platform

LOOK_EVERY_S = 1.0


class Reading:
    """Starts `selat knowledge work` when documents wait and nobody reads them."""

    def __init__(self, platform: Platform) -> None:
        self._inbox = platform.inbox
        self._home = str(platform.home.path)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A document waits: do not wait for the next look."""
        self._woken.set()

    async def watch(self) -> None:
        """Until cancelled; the process that reads then ends too, and what it left is taken up by the next."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
            self._woken.clear()
            if await asyncio.to_thread(self._needed):
                await self._work()

    def _needed(self) -> bool:
        return self._inbox.has_work() and not self._inbox.is_taken()

    async def _work(self) -> None:
        # Its standard input closes when we are gone, and it then stops.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "selat", "knowledge", "work", "--home", self._home),
            stdin=asyncio.subprocess.PIPE,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
