"""A request that was taken on the short way: answered by plain calls; a task sees to whatever is unusual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from selat.flows.chat import Leave, Reply, Whole
from selat.gateway import completions
from selat.gateway.door import Door
from selat.gateway.http import Request

SeeThrough = Callable[[Request, Awaitable[None]], Awaitable[None]]
"""Awaits what is left of a request, and turns its errors into responses."""


class Taken:
    """One request, from `begin` until it is finished: once, whatever becomes of it."""

    __slots__ = ("_door", "_ended", "_leave", "_request", "_see_through", "_task")

    def __init__(
        self, door: Door, request: Request, see_through: SeeThrough, ended: Callable[[Request], None]
    ) -> None:
        """`ended` is told of a request that was answered, or given up, by plain calls."""
        self._door, self._request = door, request
        self._see_through, self._ended = see_through, ended
        self._leave: Leave | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> Leave:
        door = self._door
        try:
            asked = completions.take(door, self._request)
            self._leave = door.start(asked, self._told)
            if self._leave is None:
                self._told(door.answer(asked))
        except Exception as error:  # noqa: BLE001 - it is told as any other
            self._told(error)
        return self.leave

    def leave(self) -> None:
        """The caller is gone."""
        if self._task is not None:
            # In the next turn: a task that is cancelled before its first step takes none, and would close nothing.
            asyncio.get_running_loop().call_soon(self._task.cancel)
            return
        try:
            if self._leave is not None:
                self._leave()
        finally:
            self._finish()

    def _told(self, reply: Reply) -> None:
        if isinstance(reply, Whole):
            try:
                completions.tell_whole(self._request, reply)
            except Exception as error:  # noqa: BLE001 - it is told as any other
                reply = error
            else:
                self._finish()
                return
        self._task = asyncio.get_running_loop().create_task(self._rest(reply))

    async def _rest(self, reply: Reply) -> None:
        request = self._request
        try:
            await self._see_through(request, completions.rest(self._door, request, reply))
        finally:
            request.finish()

    def _finish(self) -> None:
        try:
            self._ended(self._request)
        finally:
            self._request.finish()
