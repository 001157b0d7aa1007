"""A Ray cluster: actors that each open the work once and do several pieces at a time. Needs the extra `ray`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from typing import Any

from selat.core.errors import Misused, Unavailable
from selat.jobs.pool import Done, Open, P, R, done, spread

_RESTARTS = 3


class OnRay:
    """The cluster that this machine is a node of (`auto`), or without an address a small one on this machine.

    `workers` actors share the pieces under way; 0 is as many as the cluster has cores. An actor that dies is
    started again, here or on another node, and what it had under way is done again. Selat and the home must be
    where the actors run.
    """

    name = "ray"

    def __init__(self, address: str = "", workers: int = 0) -> None:
        self.address = address
        self.workers = workers

    @property
    def cores(self) -> int:
        """Raises: Misused without Ray; Unavailable, when the cluster is not there."""
        return self.workers or max(1, int(_connected(self.address).cluster_resources().get("CPU", 1)))

    async def work(self, opening: Open[P, R], pieces: Iterable[P], at_once: int) -> AsyncGenerator[Done[P, R]]:
        """As Pool says. Raises: Misused without Ray; Unavailable, when the cluster is not there or is lost."""
        ray = _connected(self.address)
        workers = min(self.cores, at_once)
        options = {"max_restarts": _RESTARTS, "max_task_retries": _RESTARTS, "max_concurrency": at_once + 1}
        actors = [ray.remote(_Actor).options(**options).remote(opening) for _ in range(workers)]
        free: asyncio.Queue[Any] = asyncio.Queue()
        for place in range(at_once):
            free.put_nowait(actors[place % workers])

        async def one(piece: P) -> Done[P, R]:
            actor = await free.get()
            try:
                told: Done[P, R] = await actor.do.remote(piece)
            finally:
                free.put_nowait(actor)
            return told

        told = spread(one, pieces, at_once)
        try:
            async for each in told:
                yield each
            await asyncio.gather(*(actor.close.remote() for actor in actors))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error  # the work could not be opened
        except ray.exceptions.RayError as error:
            raise Unavailable(
                f"Ray lost a worker ({type(error).__name__}); what was done is kept: see: ray status"
            ) from error
        finally:
            await told.aclose()
            for actor in actors:
                ray.kill(actor)


class _Actor:
    """A worker: opens the work with its first piece, and closes it when it is told to."""

    def __init__(self, opening: Any) -> None:
        self._opening = opening
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._do: Any = None

    async def do(self, piece: Any) -> Done[Any, Any]:
        async with self._lock:
            if self._do is None:
                self._do = await self._stack.enter_async_context(self._opening())
        return await done(self._do, piece)

    async def close(self) -> None:
        await self._stack.aclose()


def _connected(address: str) -> Any:
    """Ray, connected; a cluster that this process is connected to already is kept."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise Misused("the pool 'ray' needs Ray: pip install 'selat[ray]'") from error
    if not ray.is_initialized():
        try:
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                namespace="selat",
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise Unavailable(f"no Ray cluster at '{address}': {error}. Start one: ray start --head") from error
    return ray
