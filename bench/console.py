"""What the console's chat adds to the first token over the API: the same engine, asked in turns in one run.

    python bench/console.py [--rounds 200]

Both ask over kept connections from one process. The median of the differences of neighbours is what the console
adds; a machine that is busy makes both slow, and the difference little less true. With Chromium there,
the time from the key that sends a question to the first word on the screen is told too, browser's work and all.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from stand import Selat, cpu_s, make_home, mock, selat

from selat.app import Platform
from selat.core.label import HIGHEST
from selat.home import Home
from selat.identity.people import PersonWish

QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi kepada pesuruhjaya?"
WARM_UP = 20


class Asker:
    """Asks one place over a kept connection; the seconds until the first token."""

    def __init__(self, port: int, path: str, headers: dict[str, str], body: dict[str, object]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._path, self._headers = path, {"content-type": "application/json", **headers}
        self._body = json.dumps(body)

    def first_token_s(self) -> float:
        began = time.perf_counter()
        self._connection.request("POST", self._path, self._body, self._headers)
        answer = self._connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{self._path}: {answer.status} {answer.read(300)!r}")
        read = b""
        while b'"content":"' not in read and (piece := answer.read1(65536)):
            read += piece
        seconds = time.perf_counter() - began
        answer.read()
        return seconds


def person(home: Path) -> str:
    """The session of somebody who may ask."""
    platform = Platform(Home(home), "bench")
    try:
        made = platform.changes().add_person("default", PersonWish("orang", "A", frozenset({"member"}), HIGHEST))
        return platform.sessions.begin(platform.people.caller("default", made.id), "A").token
    finally:
        platform.close()


def token_of(port: int, cookie: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/ask", headers={"cookie": cookie})
    page = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r'name="selat-token" content="([^"]+)"', page)
    assert found, "no token in the page"
    return found[1]


def both(one: Selat) -> tuple[Asker, Asker, str]:
    session = person(one.home)
    cookie = f"selat={session}"
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"model": "m", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    api = Asker(one.port, "/v1/chat/completions", {"authorization": f"Bearer {one.key}"}, asked)
    headers = {"cookie": cookie, "x-selat-token": token_of(one.port, cookie)}
    page = Asker(one.port, "/ask/stream", headers, {"model": "m", "purpose": "chat", "messages": messages})
    return api, page, session


def painted_ms(one: Selat, session: str, rounds: int) -> float | None:
    """The median from the key to the first word on the screen; None without a browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if not chromium:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(base_url=f"http://127.0.0.1:{one.port}")
        page.context.add_cookies([{"name": "selat", "value": session, "url": f"http://127.0.0.1:{one.port}"}])
        page.goto("/ask")
        page.select_option("#purpose", "chat")
        page.select_option("#model", "m")
        times = [page.evaluate(PAINT, QUESTION) for _ in range(rounds)]
        browser.close()
    return statistics.median(times)


PAINT = """(question) => new Promise((done) => {
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=200)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, mock() as upstream:
        make_home(Path(name) / "home", upstream)
        with selat(Path(name) / "home") as one:
            api, page, session = both(one)
            for _ in range(WARM_UP):
                api.first_token_s(), page.first_token_s()
            pairs, used = [], [0.0, 0.0]
            for _ in range(rounds):
                pair = []
                for place, asker in enumerate((api, page)):
                    before = cpu_s(one.pid)
                    pair.append(asker.first_token_s())
                    used[place] += cpu_s(one.pid) - before
                pairs.append(pair)
            shown = painted_ms(one, session, 20)
    api_ms, page_ms = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    added_ms = 1000 * statistics.median(second - first for first, second in pairs)
    print(
        "| first token over the API | over the console | added, median of pairs | CPU a request, API and console |"
    )
    print("|---|---|---|---|")
    cpu = [f"{1000 * one / rounds:.2f} ms" for one in used]
    print(f"| {api_ms:.2f} ms | {page_ms:.2f} ms | {added_ms:.2f} ms | {cpu[0]}, {cpu[1]} |")
    if shown is not None:
        print(f"\nfrom the key to the first word on the screen: {shown:.0f} ms, the browser's work included")


if __name__ == "__main__":
    main()
