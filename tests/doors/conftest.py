"""A whole Selat in real processes, with real upstreams behind it, for everything that comes in by a door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors_kit import Running, engines_toml, start

from selat.testing import Upstream


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="session")
def selat(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One Selat for all door tests that do not break it."""
    folder = tmp_path_factory.mktemp("selat")
    home = folder / "home"
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    (home / "engines.toml").write_text(engines_toml(upstream))
    (home / "selat.toml").write_text("head_timeout_s = 2.0\nbody_timeout_s = 2.0\n")
    running = start(home, upstream, folder / "log")
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def fresh(upstream: Upstream, tmp_path: Path) -> Iterator[Any]:
    """Starts a Selat of the test's own, to be killed or starved."""
    running: list[Running] = []

    def begin(*options: str) -> Running:
        home = tmp_path / "home"
        if not (home / "engines.toml").exists():
            home.mkdir(exist_ok=True)
            (home / "home.toml").write_text("version = 1\n")
            (home / "engines.toml").write_text(engines_toml(upstream))
        running.append(start(home, upstream, tmp_path / "log", *options))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.stop()
        one.ended()
