"""A whole Selat in real processes, with real upstreams behind it, for everything that comes in by a door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from doors_kit import Running, a_home, engines_toml, start

from selat.testing import Upstream


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="session")
def selat(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One Selat for all door tests that do not break it."""
    folder = tmp_path_factory.mktemp("selat")
    home = a_home(folder, upstream)
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


@pytest.fixture(scope="session")
def console_selat(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, dict[str, str]]]:
    """A Selat of the console tests' own, and the people that they made in it."""
    folder = tmp_path_factory.mktemp("console")
    models = '"tells:0.05" = "tells:0.05"\n"tells:0.005" = "tells:0.005"\n"tells:0.0005" = "tells:0.0005"\n'
    teller = f'[[engine]]\nname = "pencerita"\nkind = "openai"\nurl = "{upstream.url}"\n'
    teller += f'site = {{ jurisdiction = "MY" }}\n[engine.models]\n{models}'
    home = a_home(folder, upstream, engines=teller)
    running = start(home, upstream, folder / "log")
    yield running, {}
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="module")
def console(request: pytest.FixtureRequest) -> Iterator[Any]:
    """That Selat with a real browser before it; skipped where there is none.

    The browser is closed with its file: while it is open, its driver's event loop runs in this thread, and nothing
    else can run one.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: make test installs it"
    )
    from console_kit import Console

    with a_browser(sync_api) as browser:
        running, made = request.getfixturevalue("console_selat")
        yield Console(running, browser, made)


@contextmanager
def a_browser(sync_api: Any) -> Iterator[Any]:
    """Chromium, without a window; the test is skipped where there is none."""
    from console_kit import CHROMIUM, NO_BROWSER

    if not CHROMIUM:
        pytest.skip(NO_BROWSER)
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
