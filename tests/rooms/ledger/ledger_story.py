"""Tests of the journal that run on an event loop, and what its writer commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps

import pytest

from selat.ledger import Journal


def story(told: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """A test that runs on an event loop."""

    @wraps(told)
    def run(*given: object, **named: object) -> None:
        asyncio.run(told(*given, **named))

    return run


def commits(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of entries of each commit from now on to the journal's present segment."""
    segment, made = journal._segment, list[int]()
    assert segment is not None
    real = segment.commit

    def commit(bodies: list[bytes]) -> None:
        made.append(len(bodies))
        real(bodies)

    monkeypatch.setattr(segment, "commit", commit)
    return made
