"""One guard for all tests of the room: its database takes seconds to compile."""

from __future__ import annotations

import pytest
from compiled import compiled

from selat.guard import Guard
from selat.guard.prefilter import Re2Prefilter
from selat.guard.scanner import triggers


@pytest.fixture(scope="session")
def guard() -> Guard:
    return compiled()


@pytest.fixture(scope="session")
def re2_guard() -> Guard:
    return Guard(Re2Prefilter(triggers()))
