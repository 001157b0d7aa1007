"""Uploads that cannot be taken, and pages that stay open while the gateway is away, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import a_browser
from console_kit import Console, end_session, picture, until
from doors_kit import a_home, start
from hub_server import HubServer, Repo
from models_kit import safetensors
from playwright.sync_api import Page

from selat.testing import Upstream

LIMIT_BYTES = 60_000_000


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    files = {"model.safetensors": safetensors(12_000_000), "config.json": b"{}"}
    with HubServer(asal__satu=Repo(files)) as server:
        yield server


@pytest.fixture(scope="module")
def small(upstream: Upstream, hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A Selat that takes files up to 60 MB and may be stopped, with a browser before it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    folder = tmp_path_factory.mktemp("small")
    home = a_home(folder, upstream, f'upload_limit_bytes = {LIMIT_BYTES}\nmodel_hub = "{hub.url}"\n')
    with a_browser(sync_api) as browser:
        console = Console(start(home, upstream, folder / "log"), browser)
        yield console
        assert console.selat.stop() == 0, console.selat.log.read_text()


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 MB that take no room."""
    path = tmp_path_factory.mktemp("huge") / "besar.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(100_000_000)
    return path


def refused(page: Page, path: Path) -> str:
    page.set_input_files("#files", path)
    page.wait_for_selector("#uploads .badge.bad")
    return page.locator("#uploads .why p").first.inner_text()


@pytest.mark.parametrize(
    ("language", "empty", "large"),
    [
        ("ms", "Fail ini kosong.", "Ini melebihi had 60 MB."),
        ("en", "This file is empty.", "This is over the limit of 60 MB."),
    ],
)
def test_an_empty_file_and_one_of_100_mb_are_refused_by_name_of_the_limit_before_they_are_sent(
    small: Console, huge: Path, tmp_path: Path, language: str, empty: str, large: str
) -> None:
    (tmp_path / "kosong.txt").touch()
    small.person("pembina", "builder")
    with small.visit() as page:
        small.enter(page, "pembina", language)
        page.goto("/documents")
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.url) if "upload" in one.url else None)
        assert refused(page, tmp_path / "kosong.txt").startswith(empty)
        page.reload()
        assert refused(page, huge).startswith(large)
        picture(page, f"upload-refused-{language}")
        assert not sent


def test_a_file_that_the_server_refuses_by_its_size_says_the_limit_too(small: Console, huge: Path) -> None:
    """The limit was lowered after the page was opened."""
    small.person("pembina", "builder")

    def forget(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(str(LIMIT_BYTES), "900000000"))

    with small.visit() as page:
        small.enter(page, "pembina")
        page.route("**/documents", forget)
        page.goto("/documents")
        said = refused(page, huge)
        picture(page, "upload-refused-by-server")
        assert said.startswith("Ini melebihi had 60 MB.")


@contextmanager
def away(console: Console) -> Iterator[None]:
    """The whole Selat is stopped for a while, then stands at its address again."""
    old = console.selat
    assert old.stop() == 0, old.log.read_text()
    yield
    console.selat = start(old.home, old.upstream, old.log, "--port", str(old.port))
    console.selat.said["key"] = old.key  # told at the first start alone


def test_the_feed_of_the_ledger_says_when_selat_is_away_and_goes_on_when_it_is_back(small: Console) -> None:
    with small.signed_in("juru", "auditor", "member") as page:
        page.goto("/ledger")
        page.wait_for_selector("#feed")
        with away(small):
            page.wait_for_selector("#feed-away")
            assert not page.locator("#feed").is_visible()
            picture(page, "ledger-away")
        page.wait_for_selector("#feed")
        asked = small.selat.client().chat.completions.create(
            model="echo", messages=[{"role": "user", "content": "hai"}], extra_headers={"selat-purpose": "chat"}
        )
        assert asked.choices
        page.wait_for_selector("#rows tr.fresh:has-text('echo')")
        for _ in range(2):
            with page.expect_response("**/ledger/live?**") as looked:
                pass
            assert looked.value.ok
        assert page.locator("#rows tr:has-text('echo')").count() == 1, "no row comes twice"
        end_session(small, page)
        page.wait_for_url("**/sign-in**")
        assert page.url.endswith("next=/ledger")


def test_the_progress_of_a_pull_goes_on_when_selat_was_away(small: Console, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "leave"
    with small.signed_in("tuan", "operator", "builder") as page:
        page.goto("/models")
        page.fill("#source", "asal/satu")
        page.click("text=Lihat tawarannya")
        page.click("main button.primary")
        hub.let(30)
        page.wait_for_selector("[data-pull] progress")
        with away(small), page.expect_event("requestfailed"):
            pass
        hub.let(1000)
        until(page, lambda: "Sedang diambil" not in page.locator("[data-part=state]").first.inner_text())
        picture(page, "pull-away")
        hub.faults.clear()
        said = page.locator("[data-part=state]").first.inner_text()
        if said == "Terputus":
            page.click("text=Sambung")
        page.wait_for_selector("#shelf a:has-text('asal/satu')")
