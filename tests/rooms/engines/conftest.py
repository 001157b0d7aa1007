"""A scripted upstream over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selat.testing import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server
