"""What tests of flows share."""

from __future__ import annotations

import pytest
from compiled import compiled

from selat.guard import Guard


@pytest.fixture(scope="session")
def guard() -> Guard:
    return compiled()
