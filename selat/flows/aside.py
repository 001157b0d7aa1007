"""A thread with an event loop and a desk of its own, for flows that are called where no event loop runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from selat.flows.chat import Desk

T = TypeVar("T")


class Aside:
    """Runs one piece of work at a time. `desk` is made once, in the thread that its requests use."""

    def __init__(self, desk: Callable[[], Desk], name: str) -> None:
        self._make_desk = desk
        self._thread = ThreadPoolExecutor(1, name)
        self._runner: asyncio.Runner | None = None
        self._desk: Desk | None = None
        self._lock = threading.Lock()

    def run(self, work: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
        """What the work comes to; it raises what the work raises."""
        with self._lock:
            return self._thread.submit(self._in_thread, work).result()

    def close(self) -> None:
        """Let go of the thread and its connections."""
        if self._runner is not None:
            self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _in_thread(self, work: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
        if self._runner is None or self._desk is None:
            self._runner, self._desk = asyncio.Runner(), self._make_desk()
        return self._runner.run(work(self._desk))
