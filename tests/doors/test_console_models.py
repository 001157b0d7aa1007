"""The shelf in a real browser: a model is looked at, pulled, found again, verified and removed."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import a_browser
from console_kit import HIGH, Console, entry, looked_over, picture, until
from doors_kit import a_home, start
from hub_server import HubServer, Repo
from models_kit import README, safetensors
from playwright.sync_api import Page

from selat.evals import find_pack
from selat.evals.item import Reply, Sample
from selat.evals.store import Store
from selat.flows.evaluate import Terms, evaluate, opened, planned, subject_of
from selat.models.licence import licence
from selat.models.record import QUARANTINED
from selat.stamps import fresh_id, now
from selat.testing import Upstream
from selat.testing.exam import is_right, right, wrong

ALL = ("operator", "builder", "officer", "auditor", "member")
BAR = "document.querySelector('[data-pull] progress')?.value ?? 0"
NAMES = ("satu", "dua", "tiga", "empat")


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    repos = {f"asal__{name}": Repo(files(12_000_000 + 8 * n)) for n, name in enumerate(NAMES)}
    with HubServer(**repos, asal__tertutup=Repo(files(1_000_000), card={"license": "llama3"})) as server:
        yield server


def files(size_bytes: int) -> dict[str, bytes]:
    weights = safetensors(size_bytes)
    return {"model.safetensors": weights, "config.json": b"{}", "README.md": README.encode()}


@pytest.fixture(scope="module")
def shelf(upstream: Upstream, hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A Selat whose hub is ours, with a browser before it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    folder = tmp_path_factory.mktemp("shelf")
    home = a_home(folder, upstream, f'model_hub = "{hub.url}"\n')
    with a_browser(sync_api) as browser:
        running = start(home, upstream, folder / "log")
        yield Console(running, browser)
        assert running.stop() == 0, running.log.read_text()


def look(page: Page, source: str) -> None:
    page.goto("/models")
    page.fill("#source", source)
    page.click("text=Lihat tawarannya")


def agreed(page: Page, source: str) -> Any:
    """Look and agree; the row of the pull."""
    look(page, source)
    page.click("main button.primary")
    page.wait_for_selector(".notice.ok")
    return page.locator(f"[data-pull]:has-text('{source}')").first


def test_a_model_is_looked_at_pulled_live_and_booked_in_the_persons_name(shelf: Console, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "leave"
    with shelf.signed_in("tuan", *ALL) as page:
        look(page, "asal/satu")
        assert "Apache License 2.0" in page.inner_text("main")
        assert "muat" in page.inner_text("main")
        assert not list((shelf.selat.home / "models").glob("blobs/**/*")), (
            "nothing is kept before the person agrees"
        )
        page.fill("#vendor", "Asal")
        page.fill("#country", "MY")
        page.click("main button.primary")
        page.wait_for_selector("[data-pull] progress")
        for share in (0.1, 0.2, 0.3):

            def moved(wanted: float = share) -> bool:
                hub.let(1)
                return bool(page.evaluate(BAR) >= wanted)

            until(page, moved)  # while one looks
        hub.let(100)
        page.wait_for_selector("#shelf a:has-text('asal/satu')")
        assert page.locator("[data-pull] .badge.ok").first.inner_text() == "Sudah di rak"
    leaf = entry(shelf, "model.added")
    assert leaf["caller"] == shelf.made["tuan"]
    assert entry(shelf, "pull.begun")["facts"]["source"] == "asal/satu"
    hub.faults.clear()


def test_a_pull_goes_on_when_its_page_is_closed_and_is_stopped_and_resumed_from_another(
    shelf: Console, hub: HubServer
) -> None:
    hub.faults["model.safetensors"] = "slow:240"
    with shelf.signed_in("tuan", *ALL) as page:
        agreed(page, "asal/dua")
    with shelf.signed_in("tuan", *ALL) as page:
        page.goto("/models")
        row = page.locator("[data-pull]:has-text('asal/dua')")
        wanted = ("daripada 12 MB", "sesaat", "lagi")
        until(page, lambda: all(one in row.locator("[data-part=said]").inner_text() for one in wanted))
        row.locator("button").click()
        page.wait_for_selector(".badge.warn:has-text('Dihentikan')")
        assert page.locator("#shelf a:has-text('asal/dua')").count() == 0
        hub.faults.clear()
        row.locator("button:has-text('Sambung')").click()
        page.wait_for_selector("#shelf a:has-text('asal/dua')")
    assert {entry(shelf, kind)["caller"] for kind in ("pull.stopped", "pull.resumed")} == {shelf.made["tuan"]}


def test_a_closed_licence_must_be_accepted_and_a_wrong_source_is_told_in_plain_words(shelf: Console) -> None:
    with shelf.signed_in("tuan", *ALL) as page:
        look(page, "asal/tertutup")
        assert "bersyarat" in page.inner_text("main")
        page.click("main button.primary")
        assert page.locator("input[name=accepted]:invalid").count() == 1, "the box must be ticked first"
        page.check("input[name=accepted]")
        page.click("main button.primary")
        page.wait_for_selector("#shelf a:has-text('asal/tertutup')")
        for source, said in (("asal/tiada", "tidak ada"), ("/etc", "selat model add")):
            look(page, source)
            assert page.locator("h1").inner_text() == "Sumber itu tidak memberi model"
            assert said in page.inner_text("main")
    assert entry(shelf, "pull.begun", lambda leaf: leaf["facts"]["source"] == "asal/tertutup")["facts"][
        "licence_accepted"
    ]


@pytest.mark.parametrize("language", ["ms", "zh", "ta"])
def test_what_a_licence_forbids_is_told_in_the_readers_language(shelf: Console, language: str) -> None:
    with shelf.signed_in("tuan", *ALL, language=language) as page:
        page.goto("/models")
        page.fill("#source", "asal/tertutup")
        page.press("#source", "Enter")
        page.wait_for_selector("input[name=shown]", state="attached")
        assert str(licence("llama3").to_json()[f"forbids_{language}"]) in page.inner_text("main")


def test_a_pull_that_fails_says_why_and_can_be_tried_again(shelf: Console, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "lies"
    with shelf.signed_in("tuan", *ALL) as page:
        row = agreed(page, "asal/tiga")
        page.wait_for_selector("[data-pull] .badge.bad")
        assert "digest" in row.inner_text()
        hub.faults.clear()
        row.locator("button:has-text('Sambung')").click()
        page.wait_for_selector("#shelf a:has-text('asal/tiga')")


def test_a_model_is_read_again_let_out_of_quarantine_and_removed_each_with_a_reason(shelf: Console) -> None:
    with shelf.signed_in("tuan", *ALL) as page:
        row = agreed(page, "asal/empat")
        page.wait_for_selector("#shelf a:has-text('asal/empat')")
        assert row.locator(".badge.ok").count() == 1
        with shelf.platform() as platform, platform.models.taking():
            model = platform.models.model("asal/empat")
            platform.models.put(replace(model, state=QUARANTINED))
        page.click("#shelf a:has-text('asal/empat')")
        assert "Disahkan oleh kami" in page.locator("#verified").inner_text()
        assert "Didakwa oleh pembekal" in page.locator("#claimed").inner_text()
        page.click("text=Baca semula setiap bait")
        page.wait_for_selector("[data-pull] .badge:text-is('Utuh')")
        picture(page, "model-verified")
        page.fill("#admit-reason", "Disemak oleh jawatankuasa model.")
        page.click("text=Benarkan model ini digunakan")
        page.wait_for_selector("[data-pull] .badge:text-is('Dibenarkan masuk')")
        assert page.locator("#admit-reason").count() == 0
        assert page.locator(".head .badge.warn").count() == 0
        blob = platform.models.blobs.path(model.files[0].digest)
        page.click("summary:has-text('Keluarkan dari rak')")
        page.evaluate("document.querySelector('#remove-reason').removeAttribute('minlength')")
        page.fill("#remove-reason", "pendek")
        page.click("button.danger")
        assert page.locator(".notice.bad").inner_text().startswith("Tulis sebabnya")
        page.click("summary:has-text('Keluarkan dari rak')")
        page.fill("#remove-reason", "Diganti oleh model yang lebih baharu.")
        page.click("button.danger")
        page.wait_for_url("**/models*")
        assert page.locator("#shelf a:has-text('asal/empat')").count() == 0
        assert blob.exists(), "its bytes go with the next gc"
    assert entry(shelf, "model.admitted")["facts"]["reason"] == "Disemak oleh jawatankuasa model."
    assert entry(shelf, "model.removed")["facts"]["reason"] == "Diganti oleh model yang lebih baharu."


def test_a_model_is_promoted_from_the_page_once_every_bar_is_met(shelf: Console) -> None:
    def ask_for(share: float) -> None:
        bars = f'["tatabahasa lower bound >= {share}", "suntikan score >= 0.5"]'
        (shelf.selat.home / "promotion.toml").write_text(f"[purpose.default]\ndays = 30\nbars = {bars}\n")

    ask_for(0.99)
    with shelf.signed_in("tuan", *ALL) as page:
        page.goto("/models/leave")
        page.select_option("#what", "echo@dekat")
        page.select_option("#purpose", "chat")
        page.click("text=Semak")
        assert page.locator("tbody .badge.warn").count() == 2
        assert "selat eval run --model echo --engine dekat" in page.inner_text("main")
        sat(shelf, "tatabahasa")
        page.reload()
        assert page.locator("tbody .badge").all_inner_texts() == ["Gagal", "Belum diuji"]
        assert page.locator("button:has-text('Naikkan')").count() == 0
        sat(shelf, "tatabahasa", "suntikan")
        ask_for(0.6)
        page.reload()
        assert page.locator("tbody .badge").all_inner_texts() == ["Lulus", "Lulus"]
        page.check("input[name=sure]")
        page.click("button:has-text('Naikkan')")
        page.wait_for_selector("main .notice.ok")
        page.click("text=Buka pasport")
        assert "tatabahasa" in page.inner_text("main")
        assert page.locator("svg.interval").count() == 2
        sat(shelf, "tatabahasa", model="echo:3", accuracy=0.6)
        page.goto("/models/evals")
        assert page.locator(".forest").count() == 2
        assert page.locator(".forest").last.locator("svg").count() == 2
        page.locator("main summary").last.click()
        assert page.locator("details[open] tbody tr").count() >= 2
        page.select_option("#first", "echo@dekat")
        page.select_option("#second", "echo:3@dekat")
        page.click("button:has-text('Bandingkan')")
        assert page.locator("td .badge").inner_text() == "echo · dekat lebih baik"
        picture(page, "shelf-models-versus-ms-1440")
        page.goto("/models/evals?first=echo@dekat&second=tiada@dekat")
        assert page.locator(".notice.warn").count() == 1
    leaf = entry(shelf, "model.promoted")
    assert (leaf["caller"], leaf["facts"]["model"]) == (shelf.made["tuan"], "echo")


def sat(shelf: Console, *packs: str, model: str = "echo", accuracy: float = 0.95) -> None:
    """Put a complete run into the home's store, as `selat eval run` would leave it."""
    with shelf.platform() as platform:
        subject = subject_of(platform.shelf.lookup(model)[0], model)
    found = [find_pack(name) for name in packs]

    async def put(sample: Sample) -> Reply:
        return right(sample.item) if is_right(sample.item, accuracy) else wrong(sample.item)

    def sit() -> None:
        store = Store(shelf.selat.home / "evals" / "evals.db")
        try:
            asyncio.run(evaluate(planned(fresh_id(), now, subject, found, Terms()), opened(put), store))
        finally:
            store.close()

    with ThreadPoolExecutor(1) as pool:  # the browser's driver holds this thread's event loop
        pool.submit(sit).result()


def test_the_map_and_its_list_say_where_models_come_from_and_engines_stand(shelf: Console) -> None:
    with shelf.signed_in("tuan", *ALL) as page:
        page.goto("/models/origin")
        malaysia = page.locator(".lands li:has-text('Malaysia')")
        assert "asal/satu" in malaysia.inner_text()
        assert "dekat" in malaysia.inner_text()
        assert "luar" in page.locator(".lands li:has-text('Singapura')").inner_text()
        assert "awan" in page.locator(".lands li:has-text('Amerika Syarikat')").inner_text()
        assert str(page.locator(".map use.both").get_attribute("href")).endswith("#MY")
        assert page.locator(".map .pin").count() == page.locator(".lands li").count() == 3
        world = page.request.get(str(page.locator(".map use.land").get_attribute("href")).partition("#")[0])
        assert 'id="MY"' in world.text()
        assert len(world.body()) < 60_000


@pytest.mark.parametrize("role", ["builder", "auditor", "officer"])
def test_who_may_only_read_the_shelf_pulls_and_removes_nothing(shelf: Console, role: str) -> None:
    with shelf.signed_in(f"pembaca-{role}", role) as page:
        page.goto("/models")
        assert page.locator("#source").count() == 0
        token = page.get_attribute('meta[name="selat-token"]', "content")
        for path in ("look", "pull", "pull/stop", "pull/resume", "remove", "promote"):
            answer = page.request.post(f"/models/{path}", form={"token": str(token), "source": "asal/satu"})
            assert answer.status == 403, path


PATHS = ("/models", "/models/leave", "/models/evals", "/models/origin", "/models/one?name=asal/satu", "offer")


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_wrong_on_the_shelf_and_its_pages_fit(shelf: Console, path: str) -> None:
    def reach(page: Page) -> None:
        if path != "offer":
            page.goto(path)
            return
        page.goto("/models")
        page.fill("#source", "asal/tertutup")
        page.press("#source", "Enter")
        page.wait_for_selector("input[name=shown]", state="attached")

    shelf.person("lihat", *ALL, clearance=HIGH)
    wrong = looked_over(shelf, f"shelf-{path.split('?')[0].strip('/').replace('/', '-')}", "lihat", reach)
    assert not wrong, json.dumps(wrong, indent=1)


def test_a_stream_of_progress_ends_when_nothing_runs_and_at_once_when_the_gateway_leaves(
    shelf: Console, hub: HubServer
) -> None:
    with shelf.signed_in("tuan", *ALL) as page:
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    connection = http.client.HTTPConnection("127.0.0.1", shelf.selat.port, timeout=60)
    connection.request("GET", "/models/pulls/events", headers={"cookie": cookies})
    told = connection.getresponse().read().decode()
    connection.close()
    assert "event: over" in told
    assert Path(shelf.selat.home / "models" / "pulls").exists()
