"""What the console holds to, browser or not: headers, cookies, form tokens, roles, weight, and no way out."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from doors_kit import Running, a_home, start

from selat.app import Platform
from selat.console import PLACES, is_for_people
from selat.console.assets import FOLDER
from selat.console.pages import PAGES
from selat.core.caller import ROLES
from selat.core.label import HIGHEST
from selat.gateway.app import ROUTES
from selat.home import Home
from selat.identity import Tenant
from selat.identity.people import PersonWish
from selat.testing import Upstream

PASSWORD = "kucing biru lompat pagar"
FIRST_PAGE_BYTES, SCRIPT_BYTES = 150_000, 100_000


@dataclass
class Visitor:
    """Somebody with a cookie jar, without a browser."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def go(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        if answer.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, data.decode("utf-8", "replace")

    def token(self, path: str = "/sign-in") -> str:
        found = re.search(r'name="selat-token" content="([^"]+)"', self.go("GET", path)[2])
        assert found
        return found[1]

    def sign_in(self, login: str) -> Visitor:
        form = {"login": login, "password": PASSWORD, "token": self.token()}
        status, headers, _ = self.go("POST", "/sign-in", form)
        assert (status, headers["location"]) == (303, "/")
        return self


@pytest.fixture(scope="module")
def site(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("site")
    home = a_home(folder, upstream)
    running = start(home, upstream, folder / "log")
    platform = Platform(Home(home), "test")
    platform.changes().create_tenant(Tenant("lain"))
    for role in ROLES:
        for tenant in ("default", "lain"):
            made = platform.changes().add_person(tenant, PersonWish(role, role, frozenset({role}), HIGHEST))
            platform.people.set_password(tenant, made.id, PASSWORD)
    platform.close()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def visitor(site: Running) -> Visitor:
    return Visitor(site.port)


def test_the_console_answers_where_the_api_does_not() -> None:
    for page in PAGES:
        for at in page.paths:
            assert is_for_people(at.path), f"{at.path}: add its first piece to selat.console.PLACES"
    for path in ROUTES:
        assert not is_for_people(path)
    assert not is_for_people("/v1/anything")
    assert "v1" not in PLACES
    assert "admin" not in PLACES


def test_every_response_forbids_scripts_and_styles_that_are_not_ours(visitor: Visitor) -> None:
    for path in ("/sign-in", "/nowhere-at-all", "/ledger", "/assets/x/app.css", "/welcome?link=x"):
        status, headers, body = visitor.go("GET", path)
        if path == "/nowhere-at-all":
            assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")
            continue
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_no_page_holds_inline_script_style_or_an_address_elsewhere() -> None:
    for path in [*FOLDER.iterdir(), *(FOLDER.parent / "templates").iterdir()]:
        text = path.read_text("utf-8")
        known = ("http://www.w3.org/2000/svg", "http://127.0.0.1:8000/v1")
        outside = [one for one in re.findall(r"https?://[^\s\"'<]+", text) if not one.startswith(known)]
        assert not outside, f"{path.name}: {outside}"
        if path.suffix == ".html":
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text), path.name
            scripts = re.findall(r"<script(?![^>]*(?:src=|type=\"application/json\"))", text)
            assert not scripts, path.name


def test_a_form_without_the_token_of_its_session_is_refused(visitor: Visitor) -> None:
    form = {"login": "member", "password": PASSWORD}
    assert visitor.go("POST", "/sign-in", form)[0] == 403
    stranger = Visitor(visitor.port)
    assert visitor.go("POST", "/sign-in", {**form, "token": stranger.token()})[0] == 403
    token = visitor.token()
    assert visitor.go("POST", "/sign-in", {**form, "token": token}, origin="https://jahat.example")[0] == 403
    assert visitor.go("POST", "/sign-in", {**form, "token": token[:-4] + "AAAA"})[0] == 403
    assert visitor.go("POST", "/sign-in", {**form, "token": token})[0] == 303
    assert visitor.go("POST", "/sign-out", {"token": token})[0] == 403, "a token of before the sign-in"


def test_form_tokens_differ_each_time_and_the_session_cookie_is_kept_from_scripts(visitor: Visitor) -> None:
    assert visitor.token() != visitor.token()
    form = {"login": "member", "password": PASSWORD, "token": visitor.token()}
    _, headers, _ = visitor.go("POST", "/sign-in", form)
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie, "over plain HTTP a Secure cookie would not come back"


def test_signing_in_always_gives_a_fresh_session(visitor: Visitor) -> None:
    visitor.cookies["selat"] = "ditanam-oleh-penyerang"
    visitor.sign_in("member")
    first = visitor.cookies["selat"]
    assert first != "ditanam-oleh-penyerang"
    token = visitor.token("/me")
    other = Visitor(visitor.port, {"selat": first})
    assert other.go("GET", "/me")[0] == 200
    assert visitor.go("POST", "/sign-out", {"token": token})[0] == 303
    assert other.go("GET", "/me")[0] == 303


@pytest.mark.parametrize("then", ["https://jahat.example", "//jahat.example", "/\\jahat.example", "javascript:x"])
def test_after_sign_in_nobody_is_sent_elsewhere(visitor: Visitor, then: str) -> None:
    form = {"login": "member", "password": PASSWORD, "token": visitor.token(), "next": then}
    assert visitor.go("POST", "/sign-in", form)[1]["location"] == "/"


def test_too_many_wrong_passwords_are_told_how_long_to_wait(site: Running) -> None:
    visitor = Visitor(site.port)
    form = {"login": "tiada-orang", "password": "salah salah salah"}
    said = [visitor.go("POST", "/sign-in", {**form, "token": visitor.token()}) for _ in range(6)]
    assert [status for status, _, _ in said] == [401] * 5 + [429]
    assert "Terlalu banyak cubaan" in said[-1][2]


@pytest.mark.parametrize("role", ROLES)
def test_a_page_opens_for_its_roles_and_for_nobody_else(site: Running, role: str) -> None:
    visitor = Visitor(site.port).sign_in(role)
    for page in PAGES:
        for at in page.paths:
            if at.open or at.method != "GET" or "{" in at.path:
                continue
            allowed = role in (page.roles if at.roles is None else at.roles)
            status, _, body = visitor.go("GET", at.path)
            if not allowed:
                assert status == 403, at.path
                assert "Halaman ini bukan untuk peranan anda" in body
            else:
                assert status in (200, 303, 400, 404), f"{at.path}: {status}"


def test_nothing_opens_without_signing_in(visitor: Visitor) -> None:
    for page in PAGES:
        for at in page.paths:
            if at.open:
                continue
            path = at.path.replace("{id}", "x")
            if at.method == "GET":
                status, headers, _ = visitor.go("GET", path)
                assert (status, headers["location"][:8]) == (303, "/sign-in")
            else:
                status, _, _ = visitor.go("POST", path, {"token": visitor.token()})
                assert status == 401, path


def test_another_tenants_receipts_and_documents_are_not_there(site: Running) -> None:
    receipt = site.said["receipt"]
    ours, theirs = Visitor(site.port).sign_in("officer"), Visitor(site.port)
    form = {"login": "lain/officer", "password": PASSWORD, "token": theirs.token()}
    assert theirs.go("POST", "/sign-in", form)[0] == 303
    places = [
        *(f"/ledger/{kind}/{receipt}" for kind in ("entry", "receipt", "bundle")),
        "/documents/view?collection=documents&id=ms%2Fe-invoice-basics.md",
        "/ask/passage?document=ms%2Fe-invoice-basics.md&n=1",
        f"/ask/receipt/{receipt}",
        f"/policy/why?receipt={receipt}",
    ]
    for path in places:
        assert ours.go("GET", path)[0] == 200, path
        missing = re.sub(r"e-invoice-basics|[0-9a-f]{32}", "tiada", path)
        found, absent = theirs.go("GET", path), theirs.go("GET", missing)
        assert found[0] == absent[0] == 404, path
        same = (
            re.sub(r"e-invoice-basics|[0-9a-f]{32}", "tiada", _without_tokens(page[2])) for page in (found, absent)
        )
        assert len(set(same)) == 1, path
    for path in ("/ledger", "/documents", "/ledger/changes"):
        assert receipt not in theirs.go("GET", path)[2]
        assert "e-invoice-basics" not in theirs.go("GET", path)[2]


def _without_tokens(page: str) -> str:
    text = re.sub(r'(name="selat-token" content|name="token" value)="[^"]+"', r"\1", page)
    return re.sub(r'name="next" value="[^"]*"', "", text)


def test_the_first_page_and_all_scripts_are_light(site: Running) -> None:
    for login, path in (
        ("", "/sign-in"),
        ("member", "/ask"),
        ("officer", "/ledger"),
        ("builder", "/documents"),
        ("operator", "/models/origin"),
    ):
        visitor = Visitor(site.port)
        if login:
            visitor.sign_in(login)
        page, scripts = _weight(visitor, path)
        assert page <= FIRST_PAGE_BYTES, f"{path}: {page} bytes"
        assert scripts <= SCRIPT_BYTES, f"{path}: {scripts} bytes of script"


def _weight(visitor: Visitor, path: str) -> tuple[int, int]:
    """Bytes on the wire for a page with all that it loads, and of these its scripts."""

    def size(place: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        connection.request("GET", place, headers={"accept-encoding": "gzip", "cookie": cookies})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.status == 200, place
        told = gzip.decompress(data) if answer.headers.get("content-encoding") == "gzip" else data
        return len(data), told.decode()

    total, html = size(path)
    scripts, seen = 0, set()
    queue = re.findall(r'(?:src|href)="(/assets/[^"#]+)', html)
    while queue:
        place = queue.pop()
        if place in seen:
            continue
        seen.add(place)
        weight, text = size(place)
        total += weight
        if place.endswith(".js"):
            scripts += weight
            folder = place.rsplit("/", 1)[0]
            queue += [f"{folder}/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
    return total, scripts


def test_assets_are_kept_for_ever_under_the_hash_of_their_build(visitor: Visitor) -> None:
    page = visitor.go("GET", "/sign-in")[2]
    found = re.search(r"/assets/[0-9a-f]{12}/app\.css", page)
    assert found
    assert "immutable" in visitor.go("GET", found[0])[1]["cache-control"]
    assert visitor.go("GET", "/assets/lama/app.css")[1]["cache-control"] == "no-cache"
    assert visitor.go("GET", "/assets/lama/..%2fsite.py")[0] == 404


def test_pages_are_never_kept_by_a_cache(visitor: Visitor) -> None:
    visitor.sign_in("member")
    for path in ("/ask", "/ledger", "/documents", "/me"):
        assert visitor.go("GET", path)[1]["cache-control"] == "no-store"


def test_the_api_gains_nothing_by_the_cookie(visitor: Visitor) -> None:
    visitor.sign_in("operator")
    for path in ("/v1/models", "/admin/v1/me", "/v1/documents"):
        status, _, body = visitor.go("GET", path)
        assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")


def test_a_session_and_a_visit_leave_no_trace_of_words_in_the_log(site: Running, tmp_path: Path) -> None:
    visitor = Visitor(site.port).sign_in("member")
    token = visitor.token("/ask")
    asked: dict[str, Any] = {
        "model": "echo",
        "purpose": "chat",
        "messages": [{"role": "user", "content": "RAHSIA-77"}],
    }
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"cookie": cookies, "x-selat-token": token, "content-type": "application/json"}
    connection.request("POST", "/ask/stream", json.dumps(asked), headers)
    answer = connection.getresponse()
    assert b"RAHSIA-77" in answer.read()
    assert answer.headers["selat-receipt"]
    connection.close()
    log = site.log.read_text()
    assert "RAHSIA-77" not in log
    assert visitor.cookies["selat"] not in log
    assert site.leaves_of(answer.headers["selat-receipt"], "closed")["outcome"] == "complete"
