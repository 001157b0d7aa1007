"""What the console's screens cost browser and gateway, for `bench/console.py`: each beside a plain peer, in turns.

The peer is a small static page with a style sheet, served by Python's http.server, in the same browser. First
contentful paint is by the browser's own clock, its processor slowed four times, in a fresh profile each time. The
longest frame is the longest time between two animation frames: 16.7 ms where nothing holds one up.
"""

from __future__ import annotations

import http.client
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway import cpu_s, free_port, running, until_open
from stand import LOAD_CORE, Selat, selat

from selat.core.label import parse_label
from selat.core.passage import Passage, Source
from selat.home import Home
from selat.knowledge import Library
from selat.knowledge.store import Record

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATHS = ("/sign-in", "/ask", "/ledger", "/documents", "/models", "/models/origin", "/usage")
SLOWER = 4
DOCUMENTS, PAGES = 5000, 40
LABEL = "terhad/internal/none/MY"
STREAM = "paced:1:2000"
PLAIN = """<!doctype html>
<html lang="ms"><meta charset="utf-8"><title>Biasa</title>
<link rel="stylesheet" href="plain.css">
<h1>Halaman biasa</h1><p>Beberapa perkataan.</p><p id="grows"></p><table>"""
STYLE = "body { font: 16px sans-serif; margin: 2rem; } td { padding: .5rem; border-bottom: 1px solid; }"
PAINTED = """() => new Promise((done) => {
  const look = () => {
    const found = performance.getEntriesByName("first-contentful-paint")[0];
    if (found) done(found.startTime); else setTimeout(look, 20);
  };
  look();
})"""
BEAT = """() => {
  let before = performance.now();
  window.longest = 0;
  const beat = () => {
    const now = performance.now();
    [window.longest, before] = [Math.max(window.longest, now - before), now];
    requestAnimationFrame(beat);
  };
  requestAnimationFrame(beat);
}"""
SCROLL = """async () => {
  const end = document.documentElement.scrollHeight;
  for (let place = 0; place < end; place += 40) {
    scrollTo(0, place);
    await new Promise((next) => requestAnimationFrame(next));
  }
}"""
GROW = """async () => {
  for (let words = 0; words < 120; words += 1) {
    document.querySelector("#grows").append(" kata");
    await new Promise((next) => requestAnimationFrame(next));
  }
}"""
WORD = """(question) => new Promise((done) => {
  const turns = document.querySelectorAll(".turn").length;
  const box = document.querySelector("#question");
  box.value = question;
  const began = performance.now();
  box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  const look = () => {
    const all = document.querySelectorAll(".turn");
    const last = all[all.length - 1];
    if (all.length < turns + 2 || !last.querySelector(".said").textContent) return requestAnimationFrame(look);
    const seen = performance.now() - began;
    const ended = () => last.querySelector(".meta .retry") ? done(seen) : setTimeout(ended, 20);
    ended();
  };
  look();
})"""
"""The milliseconds from the key that asks to the first word on the screen, once the answer has ended."""


class Row(NamedTuple):
    """What was measured, of Selat and of its peer: medians in one unit."""

    what: str
    selat: float
    peer: float

    def __str__(self) -> str:
        return f"| {self.what} | {self.selat:.1f} ms | {self.peer:.1f} ms | {self.selat / self.peer:.2f} |"


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """A browser; None where there is none."""
    found = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if not found:
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def plain(folder: Path) -> Iterator[str]:
    """The address of the peer's page, of fifty rows."""
    folder.mkdir()
    row = "<tr>" + "<td>beberapa perkataan</td>" * 7 + "</tr>\n"
    (folder / "index.html").write_text(PLAIN + row * 50 + "</table></html>")
    (folder / "plain.css").write_text(STYLE)
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(folder), str(port)]
    with running(command, LOAD_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until_open(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def opened(browser: Browser, address: str, session: str = "", slower: int = 1) -> Iterator[Page]:
    """A page of a fresh profile, not yet anywhere, of who has this session."""
    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
    if session:
        context.add_cookies([{"name": "selat", "value": session, "url": address}])
    page = context.new_page()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    yield page
    context.close()


def painted_ms(browser: Browser, address: str, path: str, session: str = "") -> float:
    """First contentful paint."""
    with opened(browser, address, session, SLOWER) as page:
        page.goto(path)
        return float(page.evaluate(PAINTED))


def longest_ms(page: Page, does: Callable[[], object]) -> float:
    """The longest frame while something is done."""
    page.evaluate(BEAT)
    does()
    return float(page.evaluate("window.longest"))


def beside(what: str, mine: Callable[[], float], peer: Callable[[], float], rounds: int) -> Row:
    both = [(mine(), peer()) for _ in range(rounds)]
    return Row(what, *(statistics.median(column) for column in zip(*both, strict=True)))


def first_word_ms(browser: Browser, one: Selat, session: str, question: str, rounds: int) -> float:
    """The median from the key to the first word on the screen."""
    with opened(browser, _address(one), session) as page:
        page.goto("/ask")
        page.select_option("#purpose", "chat")
        page.select_option("#model", "m")
        return statistics.median(page.evaluate(WORD, question) for _ in range(rounds))


def first_visit(browser: Browser, home: Path, peer: str, rounds: int) -> Row:
    """Paint of the first page after a start, whose console is not loaded yet; each time of another start."""

    def started() -> float:
        with selat(home) as one:
            return painted_ms(browser, _address(one), "/sign-in")

    plainly = partial(painted_ms, browser, peer, "/")
    return beside("first paint of the very first visit after a start", started, plainly, rounds)


def screens(browser: Browser, one: Selat, session: str, peer: str, rounds: int) -> list[Row]:
    """Paint of every page, and the longest frames of a list that scrolls and of an answer that streams."""
    address = _address(one)
    peers_paint = partial(painted_ms, browser, peer, "/")

    def paint(path: str) -> float:
        return painted_ms(browser, address, path, "" if path == "/sign-in" else session)

    def scrolled(where: str, path: str) -> float:
        with opened(browser, where, session if where == address else "") as page:
            page.goto(path)
            return longest_ms(page, lambda: page.evaluate(SCROLL))

    plainly = partial(scrolled, peer, "/")

    def answered() -> float:
        with opened(browser, address, session) as page:
            page.goto("/ask")
            page.select_option("#purpose", "chat")
            page.select_option("#model", STREAM)
            return longest_ms(page, lambda: page.evaluate(WORD, "banyak"))

    def grown() -> float:
        with opened(browser, peer) as page:
            page.goto("/")
            return longest_ms(page, lambda: page.evaluate(GROW))

    return [
        *(beside(f"first paint of {path}", partial(paint, path), peers_paint, rounds) for path in PATHS),
        *(
            beside(f"longest frame, {path} scrolled", partial(scrolled, address, path), plainly, rounds)
            for path in ("/ledger", "/documents")
        ),
        beside("longest frame, an answer of 2000 pieces in 2 s", answered, grown, rounds),
    ]


def lists(one: Selat, session: str, requests: int) -> list[Row]:
    """CPU of the gateway for the last page of a long list; its peer is the first page."""

    def cost_ms(path: str) -> float:
        get(one, path, session)
        before = cpu_s(one.worker)
        for _ in range(PAGES):
            get(one, path, session)
        return 1000 * (cpu_s(one.worker) - before) / PAGES

    ends = {
        f"/ledger of {requests}": ("/ledger", "/ledger?before=120"),
        f"/documents of {DOCUMENTS}": ("/documents", f"/documents?after=documents:surat-{DOCUMENTS - 60:05}.txt"),
    }
    return [
        beside(f"CPU of {name}: last page, and first", partial(cost_ms, last), partial(cost_ms, first), 3)
        for name, (first, last) in ends.items()
    ]


def get(one: Selat, path: str, session: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
    connection.request("GET", path, headers={"cookie": f"selat={session}"})
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {page[:300]}")
    return page


def fill_library(home: Path) -> None:
    """Documents as they are kept once they were read; nobody searches them here."""
    held = Library(Home(home).knowledge)
    with held.store.connection():
        for number in range(DOCUMENTS):
            name = f"surat-{number:05}.txt"
            told = ("", f"{number:064x}", "ready", "", f"Surat {number}", "failkan", "2026-01-01", "ms", LABEL, 1)
            record = Record("default", "documents", name, *told, folder=f"jabatan/{number % 20}")
            held.store.put(record, [Passage(Source(name, name), 1, 0, 5, "Surat", parse_label(LABEL))])
    held.close()


def _address(one: Selat) -> str:
    return f"http://127.0.0.1:{one.port}"
