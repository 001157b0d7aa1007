"""A claim on durability: given when an entry is appended, redeemed when it is on disk or known not to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from functools import partial

from selat.core.errors import LedgerUnavailable

Call = Callable[[], None]
_enlisting = threading.Lock()


class Ticket:
    """Await it on the event loop, take a call from it by `then`, or `wait` in a thread.

    Each `redeem`s it at the end, which raises LedgerUnavailable when the entry is lost.
    """

    # On the class, since most tickets are redeemed without any of these.
    _settled: bool = False
    _error: str | None = None
    _event: threading.Event | None = None
    _waiters: tuple[tuple[asyncio.AbstractEventLoop, Call], ...] = ()

    def __init__(self, body: bytes, hurry: Callable[[asyncio.AbstractEventLoop | None], None]) -> None:
        """`hurry` is called by who waits, with the event loop where it waits on one."""
        self.body = body
        self._hurry = hurry

    @property
    def durable(self) -> bool:
        return self._settled and self._error is None

    def then(self, call: Call) -> bool:
        """Have `call` run once, on the running loop, when it is settled; False, and nothing, if it is already."""
        if self._settled:
            return False
        loop = asyncio.get_running_loop()
        with _enlisting:  # or the writer, between the look and the enlisting, would see no waiter
            if self._settled:
                return False
            self._waiters += ((loop, call),)
        self._hurry(loop)
        return True

    def __await__(self) -> Generator[object, None, None]:
        if not self._settled:
            waiter = asyncio.get_running_loop().create_future()
            if self.then(partial(_wake, waiter)):
                yield from waiter
        self.redeem()

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until durable. Raises: LedgerUnavailable, also when `timeout_s` passes first."""
        if not self._settled:
            self._event = event = threading.Event()
            self._hurry(None)
            if not self._settled and not event.wait(timeout_s):
                raise LedgerUnavailable(f"ledger: the entry was not durable within {timeout_s} s")
        self.redeem()

    def redeem(self) -> None:
        """Of a settled ticket. Raises: LedgerUnavailable, when the entry is lost."""
        if self._error is not None:
            raise LedgerUnavailable(self._error)

    def settle(self, error: str | None) -> tuple[tuple[asyncio.AbstractEventLoop, Call], ...]:
        """For the writer thread: the outcome; gives back what is to be called, and on which loops."""
        with _enlisting:
            self._error = error
            self._settled = True
        self.body = b""
        if self._event is not None:
            self._event.set()
        return self._waiters


def settle(tickets: list[Ticket], error: str | None) -> None:
    """Settle a batch, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Call]] = {}
    for ticket in tickets:
        for loop, call in ticket.settle(error):
            by_loop.setdefault(loop, []).append(call)
    for loop, calls in by_loop.items():
        try:
            loop.call_soon_threadsafe(_run, loop, calls)
        except RuntimeError:
            # The loop has closed: nobody is left to be told.
            continue


def _run(loop: asyncio.AbstractEventLoop, calls: list[Call]) -> None:
    """Run each; what one raises is told to the loop, as of any callback, and keeps none of the others from it."""
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - as a loop does for its callbacks
            loop.call_exception_handler({"message": "after an entry was settled", "exception": error})


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
