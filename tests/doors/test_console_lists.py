"""Long lists in a real browser: ten thousand entries and five thousand documents, paged, filtered, scrolled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import a_browser
from console_inside import asked_by
from console_kit import HIGH, Console, until
from doors_kit import start
from playwright.sync_api import Page

from selat.app import Platform
from selat.core.caller import Site
from selat.core.decision import Basis, Deny, Permit
from selat.core.entry import About, Closing, Commitment, Opening, Usage
from selat.core.finding import CLEAN
from selat.core.label import parse_label
from selat.core.passage import Passage, Source
from selat.home import create_home
from selat.house import furnish
from selat.knowledge import Library
from selat.knowledge.store import Record
from selat.stamps import fresh_id, now
from selat.testing import Upstream

ENTRIES, DOCUMENTS = 10_000, 5_000
ALL = ("operator", "builder", "officer", "auditor", "member")
LABEL = "terhad/internal/none/MY"
LISTENING = """
window.listened = [];
const listen = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (kind, ...rest) {
  window.listened.push(kind);
  return listen.call(this, kind, ...rest);
};
for (const name of ["IntersectionObserver", "ResizeObserver"]) {
  window[name] = class extends window[name] { constructor(each) { super(each); window.listened.push(name); } };
}
"""
SCROLLING = {"scroll", "scrollend", "wheel", "touchmove", "pointermove", "IntersectionObserver", "ResizeObserver"}
SCROLL = """async () => {
  let drawn = 0;
  const watch = new MutationObserver((found) => { drawn += found.length; });
  watch.observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
  let frames = 0;
  const end = document.documentElement.scrollHeight;
  for (let place = 0; place < end; place += 120, frames += 1) {
    scrollTo(0, place);
    await new Promise((next) => requestAnimationFrame(next));
  }
  const [page] = performance.getEntriesByType("navigation");
  return { drawn, frames, listened: window.listened, elements: document.querySelectorAll("*").length,
    bytes: page.decodedBodySize };
}"""


@pytest.fixture(scope="module")
def crowded(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A Selat that has been used for a while, with a browser before it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    folder = tmp_path_factory.mktemp("crowded")
    home = create_home(folder / "home")
    furnish(home)
    platform = Platform(home, "seed")
    try:
        fill_ledger(platform, ENTRIES * 51 // 100)
    finally:
        platform.close()
    fill_library(home.knowledge, DOCUMENTS)
    with a_browser(sync_api) as browser:
        running = start(home.path, upstream, folder / "log")
        console = Console(running, browser)
        console.person("ramai", *ALL, clearance=HIGH)
        yield console
        assert running.stop() == 0, running.log.read_text()


def fill_ledger(platform: Platform, requests: int) -> None:
    """Requests as the chat flow books them: an opening each, and a closing for what was sent."""
    chance = random.Random(11)
    ticket: Any = None
    for number in range(requests):
        opening = opened(platform, number, chance)
        ticket = platform.journal.append(opening.leaf())
        if opening.about.kind == "opened":
            ticket = platform.journal.append(closed(opening, chance).leaf())
    ticket.wait()


def fill_library(folder: Path, count: int) -> None:
    """Documents as they are kept once they were read; nobody searches them here."""
    held = Library(folder)
    with held.store.connection():
        for number in range(count):
            name, digest = f"surat-{number:05}.txt", f"{number:064x}"
            status = "failed" if number % 10 == 9 else "ready"
            told = ("", digest, status, "", f"Surat {number}", "failkan", "2026-01-01", "ms", LABEL, 1)
            record = Record("default", "documents", name, *told, folder=f"jabatan/{number % 20}")
            passage = Passage(Source(name, f"Surat {number}"), 1, 0, 5, "Surat", parse_label(LABEL))
            held.store.put(record, [passage])
    held.close()


def opened(platform: Platform, number: int, chance: random.Random) -> Opening:
    denied = number % 25 == 0
    basis = Basis("0" * 64, "1" * 64)
    effect = Deny(("tiada",), "not permitted", basis) if denied else Permit(("terhad",), "permitted", basis)
    prompt = Commitment.to(b"soalan", chance.randbytes(32))
    model, engine = ("docs", "extractive") if number % 2 else ("echo", "dekat")
    place = ("default", "key_seed", "chat", "chat.completions", model, engine)
    about = About(*place, Site("MY"), parse_label(LABEL), CLEAN, effect)
    return Opening(fresh_id(), now(), about, prompt)


def closed(opening: Opening, chance: random.Random) -> Closing:
    answer = Commitment.to(b"jawapan", chance.randbytes(32))
    told = ("complete", 200, opening.about.label, CLEAN, Usage(120, 80, "engine"), answer, 900, 40)
    return Closing(opening.id, now(), "default", *told)


def filled(page: Page, path: str, rows: str) -> None:
    """Wait until the list is there: the index follows the book."""

    def seen() -> bool:
        page.goto(path)
        return page.locator(rows).count() == 50 and page.locator("a[rel=next]").count() > 0

    until(page, seen)


@pytest.mark.parametrize(("path", "rows"), [("/ledger", "#rows tr"), ("/documents", ".documents tbody tr")])
def test_a_long_list_is_light_wherever_it_begins_and_scrolls_without_a_script(
    crowded: Console, path: str, rows: str
) -> None:
    with crowded.visit(viewport={"width": 1440, "height": 900}) as page:
        page.add_init_script(LISTENING)
        crowded.enter(page, "ramai")
        filled(page, path, rows)
        first = page.evaluate(SCROLL)
        for _ in range(10):
            page.click("a[rel=next]")
        assert page.locator(rows).count() == 50
        later = page.evaluate(SCROLL)
    for found in (first, later):
        assert found["elements"] < 1500
        assert found["frames"] > 10
        assert found["drawn"] == 0, "to scroll draws nothing anew"
        assert set(found["listened"]) & SCROLLING == set()
    assert later["bytes"] < first["bytes"] * 1.2


@pytest.mark.parametrize(
    ("path", "rows", "last", "most"),
    [
        ("/ledger", "#rows tr", f"before={ENTRIES // 50}", 10_000),
        ("/documents", ".documents tbody tr", f"after=documents:surat-0{DOCUMENTS - 60}.txt", 200 * DOCUMENTS),
    ],
    ids=["ledger", "documents"],
)
def test_the_last_page_of_a_long_list_asks_no_more_of_the_store_than_the_first(
    crowded: Console, path: str, rows: str, last: str, most: int
) -> None:
    """Documents are counted by sort for each page, so that a page looks at each of them."""
    with crowded.signed_in("ramai") as page:
        filled(page, path, rows)
        session = next(one["value"] for one in page.context.cookies() if one["name"] == "selat")
    at_first, at_last = asked_by(crowded.selat.home, session, [path, f"{path}?{last}"])
    assert at_last.body.count("<tr") == at_first.body.count("<tr") > 50
    assert 0 < at_first.steps <= most
    assert at_last.steps <= at_first.steps * 1.1
    assert at_last.statements <= at_first.statements + 5, "a session says now and then that it is used"


def test_filters_stay_in_the_address_and_back_leads_back(crowded: Console) -> None:
    with crowded.visit() as page:
        crowded.enter(page, "ramai")
        page.goto("/documents?status=failed&folder=jabatan")
        assert "500" in page.inner_text("main")
        first = page.locator(".documents .title").first.inner_text()
        page.click("a[rel=next]")
        page.wait_for_load_state()
        assert "status=failed" in page.url
        assert "folder=jabatan" in page.url
        second = page.locator(".documents .title").first.inner_text()
        assert second != first
        page.click("a[rel=prev]")
        page.wait_for_load_state()
        assert page.locator(".documents .title").first.inner_text() == first
        page.go_back()
        assert page.locator(".documents .title").first.inner_text() == second
        page.goto("/documents?q=surat-04999")
        assert page.locator(".documents tbody tr").count() == 1
        page.goto("/ledger?decision=deny")
        page.click("a[rel=next]")
        page.wait_for_load_state()
        assert "decision=deny" in page.url
        assert page.locator("#rows .badge.deny").count() == 50
