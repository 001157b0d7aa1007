"""A claim on durability: given when an entry is appended, redeemed when it is on disk or known not to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from functools import partial

from selat.core.errors import LedgerUnavailable

Call = Callable[[], None]


class Ticket:
    """One for all the entries that share a sync: they are settled together, and who waits is told at once.

    Await it on the event loop, take a call from it by `then`, or `wait` in a thread. Each `redeem`s it at the
    end, which raises LedgerUnavailable when the entries are lost.
    """

    def __init__(self, lock: threading.Lock, hurry: Callable[[asyncio.AbstractEventLoop | None], None]) -> None:
        """`lock` guards what changes in it; `hurry` is called by who waits, with its loop if on one."""
        self.bodies: list[bytes] = []
        self.hurried = False
        self._lock = lock
        self._hurry = hurry
        self._settled = False
        self._error: str | None = None
        self._event: threading.Event | None = None
        self._calls: list[tuple[asyncio.AbstractEventLoop, Call]] = []

    @property
    def durable(self) -> bool:
        return self._settled and self._error is None

    @property
    def waiters(self) -> int:
        """How many wait on event loops; in threads, which are few, one stands for all."""
        return len(self._calls) + (self._event is not None)

    def then(self, call: Call) -> bool:
        """Have `call` run once, on the running loop, when it is settled; False, and nothing, if it is already."""
        loop = asyncio.get_running_loop()
        with self._lock:  # or the writer, between the look and the enlisting, would see no waiter
            if self._settled:
                return False
            self._calls.append((loop, call))
            if self.hurried:
                return True
            self.hurried = True
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
        with self._lock:
            settled, event = self._settled, self._event
            if not settled:
                self.hurried = True
                self._event = event = event or threading.Event()
        if not settled:
            assert event is not None
            self._hurry(None)
            if not event.wait(timeout_s):
                raise LedgerUnavailable(f"ledger: the entry was not durable within {timeout_s} s")
        self.redeem()

    def redeem(self) -> None:
        """Of a settled ticket. Raises: LedgerUnavailable, when the entries are lost."""
        if self._error is not None:
            raise LedgerUnavailable(self._error)

    def settle(self, error: str | None) -> None:
        """For the writer's thread: the outcome, told to all who wait, with one call to each event loop."""
        with self._lock:
            self._error, self._settled = error, True
        self.bodies = []
        if self._event is not None:
            self._event.set()
        by_loop: dict[asyncio.AbstractEventLoop, list[Call]] = {}
        for loop, call in self._calls:
            by_loop.setdefault(loop, []).append(call)
        self._calls = []
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
