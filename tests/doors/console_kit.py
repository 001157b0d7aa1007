"""The console in a real browser: a Selat of its own, people of every kind, pages watched for what must not be."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from doors_kit import Running
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize
from waiting import CEILING_S

from selat.app import Platform
from selat.core.label import Label, parse_label
from selat.home import Home
from selat.identity.people import PersonWish

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
NO_BROWSER = "no Chromium on this machine; on Debian: apt-get install chromium"
PASSWORD = "kucing biru lompat pagar"
PICTURES = Path(__file__).parents[2] / ".make" / "screenshots"
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
TOO_WIDE = """() => [...document.querySelectorAll("main *")].filter((one) => !one.closest(".table-wrap, .tabs")
  && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 90)).slice(0, 5)"""
HIDDEN_TABS = (
    """() => [...document.querySelectorAll(".tabs")].some((tabs) => tabs.scrollWidth > tabs.clientWidth)"""
)
HIGH = parse_label("rahsia/confidential/sensitive")


def _to_the_end(click: Callable[..., None]) -> Callable[..., None]:
    """A click by itself waits until the page that it leads to has begun: half of it may be there to be counted."""

    def click_and_wait(self: Any, *words: Any, **options: Any) -> None:
        click(self, *words, **options)
        (self if isinstance(self, Page) else self.page).wait_for_load_state()

    return click_and_wait


for _kind in (Page, Locator):
    _kind.click = _to_the_end(_kind.click)  # type: ignore[method-assign]


@dataclass
class Console:
    """A running Selat with a browser before it."""

    selat: Running
    browser: Browser
    made: dict[str, str] = field(default_factory=dict)
    friends: tuple[str, ...] = ()
    """Where a page may go besides: an identity provider."""

    @property
    def address(self) -> str:
        return self.selat.address

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """The house itself, as the commands see it."""
        platform = Platform(Home(self.selat.home), "test")
        try:
            yield platform
        finally:
            platform.close()

    def person(self, login: str, *roles: str, clearance: Label = HIGH) -> str:
        """The login of somebody with these roles, made now if need be."""
        if login not in self.made:
            with self.platform() as platform:
                wish = PersonWish(login, login.title(), frozenset(roles or ("member",)), clearance)
                person = platform.changes().add_person("default", wish)
                platform.people.set_password("default", person.id, PASSWORD)
                self.made[login] = person.id
        return login

    @contextmanager
    def visit(self, **options: Any) -> Iterator[Page]:
        """A fresh browser profile. It fails the test for script errors and for requests to anywhere else."""
        context = self.browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(CEILING_S * 1000)  # of every page of it, and of requests beside them
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda sent: wrong.append(f"outside: {sent.url}") if self._outside(sent.url) else None)
        try:
            yield page
        finally:
            close(context)
        assert not wrong, wrong

    def _outside(self, url: str) -> bool:
        return not url.startswith((self.address, *self.friends, "data:", "blob:"))

    def enter(self, page: Page, login: str, language: str = "ms") -> None:
        """Sign in without the form, which other tests look at: by a session made beside it."""
        with self.platform() as platform:
            caller = platform.people.caller("default", self.made[login])
            token = platform.sessions.begin(caller, login.title()).token
            platform.people.prefer(caller.key, language, "")
        page.context.add_cookies([{"name": "selat", "value": token, "url": self.address}])

    @contextmanager
    def signed_in(self, login: str, *roles: str, language: str = "ms", **options: Any) -> Iterator[Page]:
        """A page of somebody who has signed in, where that leads."""
        self.person(login, *roles)
        with self.visit(**options) as page:
            self.enter(page, login, language)
            page.goto("/")
            yield page


def close(context: BrowserContext) -> None:
    context.close()


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.fill("#login", login)
    page.fill("#password", password)
    page.click("main button.primary")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def looked_over(console: Console, name: str, login: str, reach: Callable[[Page], object]) -> list[str]:
    """What axe finds wrong on a page, by WCAG 2.0 to 2.2, levels A and AA: in Malay and light and wide, in English
    and dark and narrow. Either must fit both widths. Who signs in is `login`, if that is not empty.
    """
    wrong: list[str] = []
    with console.visit() as page:
        for scheme, language, audited in (("light", "ms", WIDE), ("dark", "en", NARROW)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size(WIDE)
            if login:
                console.enter(page, login, language)
            reach(page)
            for size in (WIDE, NARROW):
                page.set_viewport_size(size)
                drawn(page)
                fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert fits, (size, page.evaluate(TOO_WIDE))
                assert not page.evaluate(HIDDEN_TABS), (size, "a tab is out of sight")
                picture(page, f"{name}-{language}-{size['width']}")
                if size is audited:
                    found = Axe().run(page, options=RULES).response["violations"]
                    wrong += [f"{scheme} {one['id']}: {one['nodes'][0]['html'][:160]}" for one in found]
    return wrong


def drawn(page: Page) -> None:
    """Wait until the page is drawn as it now is."""
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, for a person who asked by SELAT_PICTURES=1 to look at; not committed."""
    if not os.environ.get("SELAT_PICTURES"):
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def entry(
    console: Console, kind: str, holds: Callable[[dict[str, Any]], bool] = lambda leaf: True
) -> dict[str, Any]:
    """The last entry of that kind of which that holds, once it is sealed and can be found."""
    deadline = time.monotonic() + CEILING_S
    while time.monotonic() < deadline:
        found = [leaf for leaf in console.selat.leaves() if leaf["kind"] == kind and holds(leaf)]
        if found:
            return console.selat.leaves_of(found[-1]["id"], kind)
        time.sleep(0.2)
    raise AssertionError(f"no entry {kind}")


def until(page: Page, holds: Callable[[], bool], within_s: float = CEILING_S) -> None:
    """Wait for something by looking; the pages' policy lets no text be run as a script."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        page.wait_for_timeout(100)


def end_session(console: Console, page: Page) -> None:
    """As when a session lies too long, or was ended elsewhere."""
    with console.platform() as platform:
        token = next(one["value"] for one in page.context.cookies() if one["name"] == "selat")
        platform.sessions.end(token)
