"""A scripted upstream over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import engines_kit
import pytest
import uvloop

from selat.testing import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines_kit.LOOP, "kind", request.param)
