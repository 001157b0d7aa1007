"""Several processes of this machine: for work that keeps a core busy, as reading documents does."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack
from multiprocessing.util import Finalize
from typing import Any

from selat.core.errors import Unavailable
from selat.jobs.pool import Done, Open, P, R, done, spread


class Processes:
    """A process a core, or as many as are asked for; each does one piece at a time.

    They are spawned, never forked: threads, locks and connections of this process do not come along.
    """

    name = "processes"

    def __init__(self, count: int = 0) -> None:
        self.count = count or os.cpu_count() or 1

    @property
    def cores(self) -> int:
        return self.count

    async def work(self, opening: Open[P, R], pieces: Iterable[P], at_once: int) -> AsyncGenerator[Done[P, R]]:
        """As Pool says. Raises: Unavailable, when a worker's process was ended from outside."""
        loop = asyncio.get_running_loop()
        count = min(self.count, at_once)
        spawn = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(count, spawn, _Worker.install, (opening,))

        async def one(piece: P) -> Done[P, R]:
            told: Done[P, R] = await loop.run_in_executor(executor, _Worker.do, piece)
            return told

        told = spread(one, pieces, count)
        try:
            async for each in told:
                yield each
        except BrokenProcessPool as error:
            raise Unavailable(
                "a worker's process was ended from outside, perhaps for want of memory; what was done is kept: "
                "go on with fewer at once"
            ) from error
        finally:
            await told.aclose()
            # Not in the loop: a piece that is under way is waited for.
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)


class _Worker:
    """What a worker's process holds: its event loop, and what does pieces, opened with the first one."""

    _opening: Any = None
    _runner: asyncio.Runner | None = None
    _do: Any = None

    @classmethod
    def install(cls, opening: Any) -> None:
        cls._opening = opening
        threading.Thread(target=_end_with_parent, daemon=True).start()

    @classmethod
    def do(cls, piece: Any) -> Done[Any, Any]:
        # Not in `install`: an error there would break the pool and be lost.
        if cls._runner is None:
            runner = asyncio.Runner()
            stack = AsyncExitStack()
            cls._do = runner.run(stack.enter_async_context(cls._opening()))
            cls._runner = runner
            Finalize(None, _close, (runner, stack), exitpriority=10)  # atexit is not run in such a process
        return cls._runner.run(done(cls._do, piece))


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, which would wait for pieces for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _close(runner: asyncio.Runner, stack: AsyncExitStack) -> None:
    runner.run(stack.aclose())
    runner.close()
