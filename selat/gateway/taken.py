"""A request that was taken on the short way: answered by plain calls; a task sees to whatever is unusual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from selat.flows.chat import Leave, Reply, Streamed, Whole
from selat.gateway import completions
from selat.gateway.http import Request

if TYPE_CHECKING:
    from selat.gateway.app import Gateway


class Taken:
    """One request, from `begin` until it is finished: once, whatever becomes of it."""

    _who: completions.Who
    _leave: Leave | None = None
    _task: asyncio.Task[None] | None = None

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self._gateway = gateway
        self._request = request

    def begin(self) -> Leave:
        door, request = self._gateway.door, self._request
        try:
            self._who = completions.who_asks(door, request)
            if request.complete:
                self._arrived()
            else:
                request.when_arrived(door.limits.body_bytes, door.limits.body_s, self._arrived)
        except Exception as error:  # noqa: BLE001 - it is told as any other
            self._told(error)
        return self.leave

    def leave(self) -> None:
        """The caller is gone."""
        if self._task is not None:
            # In the next turn: a task that is cancelled before its first step takes none, and would close nothing.
            asyncio.get_running_loop().call_soon(self._task.cancel)
            return
        self._request.forget()
        leave, self._leave = self._leave, None
        try:
            if leave is not None:
                leave()
        finally:
            self._gateway.finish(self._request)

    def _arrived(self) -> None:
        """The body is there, or will not come."""
        door, request = self._gateway.door, self._request
        try:
            asked = completions.read(request, self._who, request.arrived_body(door.limits.body_bytes))
            self._leave = door.start(asked, self._told)
            if self._leave is None:
                self._told(door.answer(asked))
        except Exception as error:  # noqa: BLE001 - it is told as any other
            self._told(error)

    def _told(self, reply: Reply) -> None:
        self._leave = None  # which knows us: what goes in a circle stays until it is searched for
        request = self._request
        if isinstance(reply, Whole):
            try:
                completions.tell_whole(request, reply)
            except Exception as error:  # noqa: BLE001 - it is told as any other
                reply = error
            else:
                self._gateway.finish(request)
                return
        elif isinstance(reply, Streamed) and reply.flows:
            self._flow(reply)
            return
        self._see_through(completions.rest(self._gateway.door, request, reply))

    def _flow(self, reply: Streamed) -> None:
        """Pass a stream on as it comes."""
        self._leave = reply.close
        try:
            completions.begin_stream(self._request, reply)
            reply.flow(self._request.pass_on, partial(self._flowed, reply))
        except Exception as error:  # noqa: BLE001 - it is told as any other
            self._flowed(reply, error)

    def _flowed(self, reply: Streamed, error: Exception | None) -> None:
        """All of a stream has gone to the caller, or it was broken off."""
        self._leave = None
        gateway, request = self._gateway, self._request
        if error is not None:
            self._see_through(completions.break_off(gateway.door, request, reply, error))
            return
        request.end()
        try:
            reply.close()
        finally:
            gateway.finish(request)

    def _see_through(self, work: Awaitable[None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._rest(work))

    async def _rest(self, work: Awaitable[None]) -> None:
        try:
            await self._gateway.see_through(self._request, work)
        finally:
            self._request.finish()
            self._task = None  # which, cancelled, knows the frames that know us
