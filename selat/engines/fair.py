"""A queue that takes turns between tenants, so that one with many calls cannot keep the others waiting."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

BACKGROUND_EVERY = 8
"""While both wait, one call in this many is a background one: they are slow then, but never starve."""


class FairQueue(Generic[T]):
    """First come first served within a tenant, round robin between tenants; all steps O(1) but `discard`."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, tenant: str, item: T) -> None:
        self._lines.setdefault(tenant, deque()).append(item)
        self._size += 1

    def pop(self) -> T:
        """The next item; its tenant goes to the end of the round. Raises: IndexError, when empty."""
        if not self._lines:
            raise IndexError("the queue is empty")
        tenant = next(iter(self._lines))
        line = self._lines.pop(tenant)
        item = line.popleft()
        if line:
            self._lines[tenant] = line
        self._size -= 1
        return item

    def discard(self, tenant: str, item: T) -> None:
        """Take `item` out wherever it stands; nothing happens when it is not there."""
        line = self._lines.get(tenant)
        if line is None or item not in line:
            return
        line.remove(item)
        self._size -= 1
        if not line:
            del self._lines[tenant]


class WaitingRoom(Generic[T]):
    """Two fair queues: people who wait go before background work, but for one turn in BACKGROUND_EVERY.

    `size` is how many wait: asked at the end of each call, so it is no call itself.
    """

    def __init__(self) -> None:
        self._people: FairQueue[T] = FairQueue()
        self._background: FairQueue[T] = FairQueue()
        self._turn = 0
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def push(self, tenant: str, item: T, background: bool = False) -> None:
        (self._background if background else self._people).push(tenant, item)
        self.size += 1

    def pop(self) -> T:
        """The next item. Raises: IndexError, when empty."""
        self._turn += 1
        due = self._turn % BACKGROUND_EVERY == 0 or not self._people
        item = self._background.pop() if due and self._background else self._people.pop()
        self.size -= 1
        return item

    def discard(self, tenant: str, item: T) -> None:
        """Take `item` out wherever it stands; nothing happens when it is not there."""
        self._people.discard(tenant, item)
        self._background.discard(tenant, item)
        self.size = len(self._people) + len(self._background)
