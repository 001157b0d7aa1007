"""Signing in through an OpenID provider, in a real browser: the mapped role; plain words where it goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from console_kit import Console
from doors_kit import a_home, start
from oidc_server import CLIENT, SECRET, OpenIDProvider
from oidc_server import running as openid

from selat.testing import Upstream

BUTTON = "text=/Log masuk dengan 127/"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIDProvider]:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider's own rule: http, on loopback here
    with openid() as provider:
        yield provider


@pytest.fixture(scope="module")
def console_selat(
    upstream: Upstream, provider: OpenIDProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, dict[str, str]]]:
    """A Selat whose people come through the provider."""
    folder = tmp_path_factory.mktemp("oidc")
    home = a_home(folder, upstream)
    (home / "oidc.toml").write_text(
        f'[[provider]]\nissuer = "{provider.issuer}"\naudience = "selat"\ntenant = "default"\n'
        f'client_id = "{CLIENT}"\nclient_secret_env = "TEST_OIDC_SECRET"\nclearance = "terhad"\n'
        'roles = { "selat-officer" = "officer" }\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_OIDC_SECRET", SECRET)
        running = start(home, upstream, folder / "log")
    provider.redirects.add(f"{running.address}/oidc/back")
    yield running, {}
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def visited(console: Console, provider: OpenIDProvider) -> Console:
    console.friends = (provider.issuer,)
    provider.says_issuer, provider.down, provider.bend = "", False, str
    provider.claims = {"sub": "aminah@example.my", "roles": ["selat-officer"]}
    return console


def changed(where: str, fields: dict[str, str]) -> str:
    """An address with other fields in its query."""
    url = urlsplit(where)
    now = {name: values[0] for name, values in parse_qs(url.query).items()} | fields
    return url._replace(query=urlencode(now)).geturl()


def wrong(page: Any) -> str:
    return str(page.locator("main .notice.bad").inner_text())


def test_a_person_comes_through_the_provider_with_the_mapped_role_to_where_they_wanted_to_go(
    visited: Console, provider: OpenIDProvider
) -> None:
    with visited.visit() as page:
        page.goto("/policy/clocks")
        page.click(BUTTON)
        page.wait_for_url(f"{visited.address}/policy/clocks")
        assert page.locator("h1").inner_text() == "Tarikh akhir"
        menu = page.locator(".menu").inner_text()
        assert "Dasar" in menu
        page.goto("/me")
        assert "Pegawai" in page.inner_text("main")
        answer = page.goto("/documents")
        assert answer is not None
        assert answer.status == 200
    provider.claims = {"sub": "badrul@example.my", "roles": ["something-else"]}
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_url("**/ask")
        refused = page.goto("/policy/clocks")
        assert refused is not None
        assert refused.status == 403


def test_the_subject_of_the_provider_stands_nowhere_in_the_ledger_or_the_log(visited: Console) -> None:
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_url("**/ask")
        page.fill("#question", "Bila DPO wajib dilantik?")
        page.keyboard.press("Enter")
        page.wait_for_selector(".meta")
    told = "".join(map(str, visited.selat.leaves())) + visited.selat.log.read_text()
    assert "aminah" not in told


def test_an_id_token_of_another_issuer_is_not_believed(visited: Console, provider: OpenIDProvider) -> None:
    provider.says_issuer = "https://jahat.example"
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_url("**/oidc/back**")
        assert "tidak mengesahkan anda" in wrong(page)
        assert page.locator(BUTTON).is_visible()
        page.goto("/ask")
        assert "/sign-in" in page.url


def test_a_code_works_once_and_a_replayed_answer_is_told_to_begin_again(
    visited: Console, provider: OpenIDProvider
) -> None:
    with visited.visit() as page:
        backs: list[str] = []
        page.on("request", lambda sent: backs.append(sent.url) if "/oidc/back" in sent.url else None)
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_url("**/ask")
        replayed = backs[0]
        page.context.clear_cookies()
        page.goto(replayed)
        assert "bermula semula" in wrong(page)
    spent = parse_qs(urlsplit(replayed).query)["code"][0]
    provider.bend = lambda where: changed(where, {"code": spent})
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_url("**/oidc/back**")
        assert "tidak mengesahkan anda" in wrong(page)
        page.goto("/ask")
        assert "/sign-in" in page.url


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "x" * 43}, "bermula semula"),
        ({"iss": "https://jahat.example"}, "tidak mengesahkan anda"),
        ({"code": ""}, "tidak mengesahkan anda"),
    ],
    ids=["state", "issuer", "code"],
)
def test_an_answer_that_was_not_asked_for_is_refused_in_plain_words(
    visited: Console, provider: OpenIDProvider, change: dict[str, str], said: str
) -> None:
    provider.bend = lambda where: changed(where, change)
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_selector("main .notice.bad")
        assert said in wrong(page)
        assert page.locator(BUTTON).is_visible()


def test_a_provider_that_is_down_is_told_so(visited: Console, provider: OpenIDProvider) -> None:
    def fall(where: str) -> str:
        provider.down = True
        return where

    provider.bend = fall
    with visited.visit() as page:
        page.goto("/sign-in")
        page.click(BUTTON)
        page.wait_for_selector("main .notice.bad")
        assert "pembekal identiti" in wrong(page).lower()
