"""One guard for all tests of the room: its database takes seconds to compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.guard import Guard
from selat.guard.prefilter import Re2Prefilter
from selat.guard.scanner import triggers


@pytest.fixture(scope="session")
def guard_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guard")


@pytest.fixture(scope="session")
def guard(guard_cache: Path) -> Guard:
    return Guard.load(guard_cache)


@pytest.fixture(scope="session")
def re2_guard() -> Guard:
    return Guard(Re2Prefilter(triggers()))
