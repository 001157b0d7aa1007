"""A claim on durability: given when an entry is appended, redeemed when it is on disk or known not to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator

from selat.core.errors import LedgerUnavailable


class Ticket:
    """Await it on the event loop, or `wait` in a thread; both raise LedgerUnavailable when the entry is lost.

    No lock: the writer sets the outcome and then looks for waiters, a waiter enlists and then looks for
    the outcome, so one of them always sees the other.
    """

    # On the class, since most tickets are redeemed without any of these.
    _settled: bool = False
    _error: str | None = None
    _event: threading.Event | None = None
    _waiters: tuple[asyncio.Future[None], ...] = ()

    def __init__(self, body: bytes, hurry: Callable[[asyncio.AbstractEventLoop | None], None]) -> None:
        """`hurry` is called by the first to wait, with the event loop where it waits on one."""
        self.body = body
        self._hurry = hurry

    @property
    def durable(self) -> bool:
        return self._settled and self._error is None

    def __await__(self) -> Generator[object, None, None]:
        if not self._settled:
            loop = asyncio.get_running_loop()
            waiter = loop.create_future()
            self._waiters += (waiter,)
            if not self._settled:
                self._hurry(loop)
                yield from waiter
        self._redeem()

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until durable. Raises: LedgerUnavailable, also when `timeout_s` passes first."""
        if not self._settled:
            self._event = event = threading.Event()
            self._hurry(None)
            if not self._settled and not event.wait(timeout_s):
                raise LedgerUnavailable(f"ledger: the entry was not durable within {timeout_s} s")
        self._redeem()

    def _redeem(self) -> None:
        if self._error is not None:
            raise LedgerUnavailable(self._error)

    def settle(self, error: str | None) -> tuple[asyncio.Future[None], ...]:
        """For the writer thread: the outcome; gives back the futures to wake on their loops."""
        self._error = error
        self._settled = True
        self.body = b""
        if self._event is not None:
            self._event.set()
        return self._waiters


def settle(tickets: list[Ticket], error: str | None) -> None:
    """Settle a batch, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for ticket in tickets:
        for waiter in ticket.settle(error):
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, waiters in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake, waiters)
        except RuntimeError:
            # The loop has closed: nobody is left to be told.
            continue


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
