"""What makes pages quick, counted: what a first visit loads, what a page asks of the store, and what it needs
before it is painted. How soon a page is seen is measured by `bench/console.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from console_inside import Work, asked_by, work_of
from console_kit import HIGH, Console

from selat.app import open_platform
from selat.home import create_home
from selat.house import furnish

ALL = ("operator", "builder", "officer", "auditor", "member")
PATHS = ("/sign-in", "/ask", "/ledger", "/documents", "/models", "/models/origin", "/usage")
MODULES = 450
"""Those of the first visit, the frameworks' own included."""
TEN_PACKETS_BYTES = 14_600
"""What a server may send before it hears from the browser. Source: RFC 6928."""
REQUESTS, WIRE_BYTES = 14, 40_000
STATEMENTS = 150
"""Two for each of the fifty documents of a page, and some."""
UNSHOWN = (
    *("numpy", "segno", "lxml", "tantivy", "z3", "pypdf", "argon2", "babel.messages", "selat.evals"),
    *("selat.models.fetch", "selat.console.pages.model_shelf", "selat.console.pages.model_evals"),
)
LOADED = """() => {
  const told = (one) => ({ url: one.name, blocks: one.renderBlockingStatus === "blocking",
    wire: one.encodedBodySize, whole: one.decodedBodySize });
  const [page] = performance.getEntriesByType("navigation");
  return {
    page: { ...told(page), blocks: true }, redirects: page.redirectCount,
    rest: performance.getEntriesByType("resource").map(told),
    holding: [...document.querySelectorAll("script[src]:not([type=module], [defer], [async])")]
      .map((one) => one.src),
  };
}"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> list[Work]:
    """The very first visit after a start, and the one after it."""
    home = create_home(tmp_path_factory.mktemp("first") / "home")
    furnish(home)
    with open_platform(home.path, "up") as platform:
        assert platform.guard
    return work_of(home.path, "/sign-in", "/sign-in")


def test_the_very_first_visit_loads_what_it_shows_and_no_more(first: list[Work]) -> None:
    work = first[0]
    assert work.status == 200
    assert work.compiled == ["sign-in.html", "gate.html", "html.html", "ui.html"]
    assert [name for name in work.read if name.endswith(".po")] == [], "Malay needs no catalogue"
    assert len(work.modules) <= MODULES
    assert [name for name in work.modules if name.startswith(UNSHOWN)] == []


def test_the_first_visit_loads_in_a_thread_so_that_no_caller_of_the_api_waits_for_it(first: list[Work]) -> None:
    assert len(first[0].modules) > 100, "else nothing was looked at"
    assert [name for name in first[0].held_up if not name.startswith("encodings.")] == []


def test_a_later_visit_loads_reads_and_compiles_nothing(first: list[Work]) -> None:
    assert first[1] == Work(200)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_needs_little_before_it_is_painted_and_asks_nobody_else(console: Console, path: str) -> None:
    """That it asks nobody else is looked at by every visit."""
    console.person("cepat", *ALL, clearance=HIGH)
    with console.visit() as page:
        if path != "/sign-in":
            console.enter(page, "cepat")
        page.goto(path)
        found: dict[str, Any] = page.evaluate(LOADED)
    everything = [found["page"], *found["rest"]]
    awaited = [one for one in everything if one["blocks"]]
    assert found["redirects"] == 0
    assert found["holding"] == [], "a script is run once the page is there"
    assert [one for one in awaited[1:] if not one["url"].endswith(".css")] == []
    assert len(awaited) <= 4
    assert sum(one["wire"] for one in awaited) <= TEN_PACKETS_BYTES
    assert len(everything) <= REQUESTS
    assert sum(one["wire"] for one in everything) <= WIRE_BYTES
    assert [one for one in everything if one["whole"] >= 1024 and one["wire"] > one["whole"] * 0.7] == [], "packed"


def test_a_page_asks_a_bounded_number_of_things_of_the_store(console: Console) -> None:
    console.person("cepat", *ALL, clearance=HIGH)
    with console.visit() as page:
        console.enter(page, "cepat")
        session = next(one["value"] for one in page.context.cookies() if one["name"] == "selat")
    asked = dict(zip(PATHS[1:], asked_by(console.selat.home, session, [*PATHS[1:]]), strict=True))
    assert {path: one.statements for path, one in asked.items() if one.statements > STATEMENTS} == {}
