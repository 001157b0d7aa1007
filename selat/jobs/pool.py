"""What a pool is, and the one in this process: pieces are drawn as workers come free, and told when done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

P = TypeVar("P")
R = TypeVar("R")

Do = Callable[[P], Awaitable[R]]
"""Does one piece. Several are under way at once."""
Open = Callable[[], AbstractAsyncContextManager[Do[P, R]]]
"""Called once in each worker: what a worker needs is made there and let go of in the end. For a pool of other
processes it is picklable, as are pieces and results: a function of a module, or a `functools.partial` of one."""


@dataclass(frozen=True, slots=True)
class Done(Generic[P, R]):
    """A piece that was done: its result, or why it has none."""

    piece: P
    result: R | None = None
    error: Exception | None = None


class Pool(Protocol):
    """Where pieces of work are done. Every pool gives the same results; only their order may differ."""

    @property
    def name(self) -> str: ...

    @property
    def cores(self) -> int:
        """How many pieces that keep a core busy can be done at once. Raises: as `work`."""

    def work(self, opening: Open[P, R], pieces: Iterable[P], at_once: int) -> AsyncGenerator[Done[P, R]]:
        """Do the pieces, each once, with at most `at_once` under way; each is told when it is done.

        A piece is drawn only when a worker is free for it, so whoever draws up the pieces may stop at any time.
        An error of a piece is told with it; one of the pool itself, or of opening the work, is raised. Close the
        iterator (`contextlib.aclosing`) to give up: what is under way is then abandoned.
        """


class Here:
    """This process and its event loop: for work that waits for others, as evals do."""

    name = "local"

    @property
    def cores(self) -> int:
        return os.cpu_count() or 1

    async def work(self, opening: Open[P, R], pieces: Iterable[P], at_once: int) -> AsyncGenerator[Done[P, R]]:
        async with opening() as do:

            async def one(piece: P) -> Done[P, R]:
                return await done(do, piece)

            told = spread(one, pieces, at_once)
            try:
                async for each in told:
                    yield each
            finally:
                await told.aclose()


async def done(do: Do[P, R], piece: P) -> Done[P, R]:
    """Do a piece, its error kept beside it."""
    try:
        return Done(piece, await do(piece))
    except Exception as error:  # noqa: BLE001 - told with the piece, in whichever process it was done
        return Done(piece, error=error)


async def spread(
    one: Callable[[P], Awaitable[Done[P, R]]], pieces: Iterable[P], at_once: int
) -> AsyncGenerator[Done[P, R]]:
    """Keep `at_once` pieces under way, drawing the next when one was told. What `one` raises ends it all."""
    waiting = iter(pieces)
    finished: asyncio.Queue[asyncio.Task[Done[P, R]]] = asyncio.Queue()
    under_way: set[asyncio.Task[Done[P, R]]] = set()

    def begin(count: int) -> None:
        for piece in islice(waiting, count):
            task = asyncio.ensure_future(one(piece))
            under_way.add(task)
            task.add_done_callback(finished.put_nowait)

    try:
        begin(at_once)
        while under_way:
            task = await finished.get()
            under_way.discard(task)
            yield task.result()
            begin(1)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
