"""The short way: an ask goes from its opening to its answer by plain calls, without a task or a coroutine.

What is unusual at any point is handed over: the rest of the way is then a coroutine for a task of the taker's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial

from selat.core.errors import EngineError
from selat.engines import Answer, Call, begin
from selat.flows.chat.sent import Sent, Whole
from selat.flows.chat.streamed import Streamed
from selat.wire import Ask

Rest = Awaitable[Whole | Streamed]
"""What is left of the way, to be awaited; cancelling it is a hang-up."""
Reply = Whole | Streamed | BaseException | Rest
Told = Callable[[Reply], None]
"""Takes what became of an ask. It is called once; a Streamed must be closed, a Rest awaited."""
Leave = Callable[[], None]
"""Tells that the caller is gone, before the Reply came. None comes after it."""
Start = Callable[[Ask, Told], Leave | None]
"""Takes an ask on the short way. None: nothing is done; the general way is to be taken."""


class Short(Sent):
    """A Sent that goes by plain calls, each in the context in which it was started, so that the log is right."""

    _told: Told
    _run: Callable[..., None]
    _call_out: Call
    _hang_up: Leave | None = None

    def start(self, told: Told) -> Leave:
        """Wait for the opening to be durable, where that comes first; then send."""
        self._told, self._run = told, copy_context().run
        if not self.desk.durable_first or not self.ticket.then(partial(self._run, self._step, self._booked)):
            self._step(self._booked)
        return self.leave

    def leave(self) -> None:
        """The caller is gone: hang up on the engine, and book that."""
        hang_up, self._hang_up = self._hang_up, None
        try:
            if hang_up is not None:
                hang_up()
        finally:
            self.close("cancelled", 499)

    def _step(self, step: Callable[..., Reply | None], *came: Answer | EngineError | None) -> None:
        """Take a step, and tell what it came to, if anything. An error is booked as an end first, and told."""
        if self.closed:
            return
        try:
            reply = step(*came)
        except BaseException as error:  # noqa: BLE001 - nobody but `told` would hear of it
            reply = error
            try:
                self.fail(error)
            except Exception as worse:  # noqa: BLE001 - told in the place of the first
                reply = worse
        if reply is not None:
            self._told(reply)

    def _booked(self) -> Reply | None:
        """The opening is durable, or is waited for later: send to the first engine of the way."""
        if self.desk.durable_first:
            self.ticket.redeem()
        self._call_out = call = self.aim()
        if len(self.way) == 1 or not self.hedges:
            self._hang_up = begin(self.course.engine, call, partial(self._run, self._step, self._came))
        return self.on(call) if self._hang_up is None else None

    def _came(self, came: Answer | EngineError | None) -> Reply | None:
        """The engine answered, or failed; None when nobody took the call, which is then sent once more."""
        self._hang_up = None
        if came is None:
            return self.on(self._call_out)
        if self.heed(came):
            return self.on(None)
        if self.desk.durable_first:
            return self._reply()
        later = partial(self._run, self._step, self._settled)
        return None if self.ticket.then(later) else self._settled()

    def _settled(self) -> Reply:
        """The answer was there first, and now it is known whether the opening is durable."""
        self.ticket.redeem()
        return self._reply()

    def _reply(self) -> Reply:
        came = self.at_once()
        if came is None:
            return self.on(None)
        return came if isinstance(came, Streamed) else self.finish(came)
