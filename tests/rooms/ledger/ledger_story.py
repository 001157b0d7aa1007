"""Tests of the journal that run on an event loop, and what its writer commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps

from selat.ledger import Journal


def story(told: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """A test that runs on an event loop."""

    @wraps(told)
    def run(*given: object, **named: object) -> None:
        asyncio.run(told(*given, **named))

    return run


class Watched:
    """A journal's segment; `commits` are the numbers of entries of each commit, `before` is called before one."""

    def __init__(self, journal: Journal) -> None:
        segment = journal._segment
        assert segment is not None
        self._segment, self.commits = segment, list[int]()
        self.before: Callable[[], object] = int
        self.abandon, self.close = segment.abandon, segment.close
        journal._segment = self

    @property
    def filled(self) -> int:
        return self._segment.filled

    def commit(self, bodies: list[bytes]) -> None:
        self.commits.append(len(bodies))
        self.before()
        self._segment.commit(bodies)
