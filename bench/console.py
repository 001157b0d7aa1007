"""What the console costs: a first token beside the API's, its screens beside plain ones, the ends of long lists.

    python bench/console.py [--rounds 200] [--screens 5]

For a first token the same engine is asked in turns, over kept connections from one process. The median of the
differences of neighbours is what the console adds; a machine that is busy makes both slow, and the difference
little less true. With Chromium there, the time from the key that sends a question to the first word on the screen
is told too, browser's work and all, and `screens.py` tells how soon pages are seen and how smoothly they move.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from screens import chromium, fill_library, first_visit, first_word_ms, get, lists, plain, screens
from stand import Selat, cpu_s, make_home, mock, selat

from selat.app import Platform
from selat.core.caller import ROLES
from selat.core.label import HIGHEST
from selat.home import Home
from selat.identity.people import PersonWish

QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi kepada pesuruhjaya?"
WARM_UP, REQUESTS = 20, 3000


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


def person(home: Path, login: str, *roles: str) -> str:
    """The session of somebody with these roles."""
    platform = Platform(Home(home), "bench")
    try:
        made = platform.changes().add_person("default", PersonWish(login, "A", frozenset(roles), HIGHEST))
        return platform.sessions.begin(platform.people.caller("default", made.id), "A").token
    finally:
        platform.close()


def token_of(one: Selat, session: str) -> str:
    found = re.search(r'name="selat-token" content="([^"]+)"', get(one, "/ask", session))
    assert found, "no token in the page"
    return found[1]


def both(one: Selat, session: str) -> tuple[Asker, Asker]:
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"model": "m", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    api = Asker(one.port, "/v1/chat/completions", {"authorization": f"Bearer {one.key}"}, asked)
    headers = {"cookie": f"selat={session}", "x-selat-token": token_of(one, session)}
    page = Asker(one.port, "/ask/stream", headers, {"model": "m", "purpose": "chat", "messages": messages})
    return api, page


def first_tokens(one: Selat, session: str, rounds: int) -> None:
    api, page = both(one, session)
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
    api_ms, page_ms = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    added_ms = 1000 * statistics.median(second - first for first, second in pairs)
    print(
        "| first token over the API | over the console | added, median of pairs | CPU a request, API and console |"
    )
    print("|---|---|---|---|")
    cpu = [f"{1000 * one / rounds:.2f} ms" for one in used]
    print(f"| {api_ms:.2f} ms | {page_ms:.2f} ms | {added_ms:.2f} ms | {cpu[0]}, {cpu[1]} |", flush=True)


def fill_ledger(one: Selat) -> int:
    """Requests until the ledger is long, and their number."""
    asker = Asker(
        one.port,
        "/v1/chat/completions",
        {"authorization": f"Bearer {one.key}"},
        {"model": "m", "messages": [{"role": "user", "content": QUESTION}]},
    )
    for _ in range(REQUESTS):
        asker.first_token_s()
    return REQUESTS


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=200, help="first tokens")
    options.add_argument("--screens", type=int, default=5, help="times that each screen is seen")
    wanted = options.parse_args()
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(chromium())
        peer = stack.enter_context(plain(folder / "plain"))
        home = folder / "home"
        make_home(home, stack.enter_context(mock()))
        if browser is not None:
            rows.append(first_visit(browser, home, peer, wanted.screens))
        one = stack.enter_context(selat(home))
        session = person(home, "orang", *ROLES)
        first_tokens(one, session, wanted.rounds)
        if browser is not None:
            shown = first_word_ms(browser, one, session, QUESTION, 20)
            print(f"\nfrom the key to the first word on the screen: {shown:.0f} ms, the browser's work included")
        requests = fill_ledger(one)
        fill_library(home)
        if browser is not None:
            rows += screens(browser, one, session, peer, wanted.screens)
        rows += lists(one, session, requests)
    print("\n| median | Selat | peer | ratio |\n|---|---|---|---|")
    print("\n".join(map(str, rows)))


if __name__ == "__main__":
    main()
