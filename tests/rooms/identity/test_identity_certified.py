"""OpenID Connect against panva's oidc-provider, which is OpenID Certified; skipped where it is not there."""

from __future__ import annotations

import base64
import http.cookiejar
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from oidc_kit import eventually, provider_at, tokens_of

from selat.core.errors import Unauthenticated, Unavailable
from selat.core.label import parse_label
from selat.identity import Tenant
from selat.identity import oidc as oidc_module
from selat.identity.keys import NOT_ACCEPTED
from selat.identity.login import Login
from selat.identity.oidc import Tokens

ROOT = Path(__file__).parents[3]
MODULES = ROOT / ".make" / "oidc"
REDIRECT = "http://127.0.0.1/callback"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not on this machine"),
    pytest.mark.skipif(
        not (MODULES / "node_modules" / "oidc-provider").is_dir(),
        reason="oidc-provider is not in .make/oidc; make .make/tools fetches it",
    ),
]


@dataclass
class Certified:
    """The provider's process. It answers on stdout; a line on stdin makes it change its key."""

    process: subprocess.Popen[str]
    issuer: str

    def rotate(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("rotate\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().startswith("k")

    def token(self, audience: str = "selat") -> str:
        """An access token, signed by the provider, by client credentials (RFC 6749 section 4.4, RFC 8707)."""
        form = {"grant_type": "client_credentials", "resource": f"urn:{audience}", "scope": "infer"}
        basic = base64.b64encode(b"service:service-secret").decode()
        request = urllib.request.Request(
            f"{self.issuer}/token", urlencode(form).encode(), {"authorization": f"Basic {basic}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.loads(answer.read())["access_token"])


@pytest.fixture
def certified() -> Iterator[Certified]:
    assert NODE
    command = [NODE, str(ROOT / "tests" / "oidc_provider.mjs"), str(MODULES)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), "the provider did not start"
        yield Certified(process, issuer)
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def tokens(certified: Certified) -> Tokens:
    return tokens_of(provider_at(certified.issuer))


def refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.identify(token)
    assert str(caught.value) == NOT_ACCEPTED


def test_its_access_tokens_identify_a_caller(certified: Certified, tokens: Tokens) -> None:
    caller = tokens.identify(certified.token())
    assert (caller.tenant, caller.roles, caller.clearance) == ("default", {"builder"}, parse_label("terhad"))
    assert caller.key.startswith("sub_")
    assert "service" not in repr(caller)


def test_another_audience_or_issuer_is_refused(certified: Certified, tokens: Tokens) -> None:
    refused(tokens, certified.token("elsewhere"))
    assert tokens.identify(certified.token())
    other = Tokens([provider_at("http://127.0.0.1:1")], lambda name: Tenant(name), b"k" * 32)
    refused(other, certified.token())


def test_a_minute_of_skew_is_allowed_and_no_more(
    certified: Certified, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock stays; ours goes wrong, before and after the token's five minutes."""
    token = certified.token()
    now = time.time()
    for offset_s, good in ((-50, True), (-90, False), (300 + 50, True), (300 + 90, False)):
        fresh = Tokens([provider_at(certified.issuer)], lambda name: Tenant(name), b"k" * 32)
        fresh.refresh(certified.issuer)
        with monkeypatch.context() as patched:
            patched.setattr(oidc_module.time, "time", lambda offset_s=offset_s: now + offset_s)
            if good:
                assert fresh.identify(token)
            else:
                refused(fresh, token)


def test_a_rotated_key_is_fetched_and_the_old_one_ends(certified: Certified, tokens: Tokens) -> None:
    before = certified.token()
    assert tokens.identify(before)
    certified.rotate()
    after = certified.token()
    with pytest.raises(Unavailable, match="being fetched"):
        tokens.identify(after)
    assert eventually(tokens, after).roles == {"builder"}
    refused(tokens, before)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def browse(url: str) -> dict[str, str]:
    """Follow the provider as a browser does, cookies and all, until it sends us back to the console."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(_Stay, jar)
    for _ in range(10):
        with pytest.raises(urllib.error.HTTPError) as caught:
            browser.open(url, timeout=60)
        location = caught.value.headers["location"]
        caught.value.close()
        assert caught.value.code in (302, 303), caught.value.code
        if location.startswith(REDIRECT):
            return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        parts = urlsplit(url)
        url = location if "://" in location else f"{parts.scheme}://{parts.netloc}{location}"
    raise AssertionError("the provider sends the browser round in circles")


def test_a_person_logs_in_with_code_and_pkce(certified: Certified, tokens: Tokens) -> None:
    login = Login(tokens)
    url, pending = login.begin(certified.issuer, REDIRECT)
    back = browse(url)
    assert back["iss"] == certified.issuer
    caller = login.finish(pending, back["state"], back["code"])
    assert caller.roles == {"officer"}
    assert "aminah" not in repr(caller)
    with pytest.raises(Unauthenticated):
        login.finish(pending, back["state"], back["code"])


def test_without_pkce_or_with_another_verifier_there_is_no_login(certified: Certified, tokens: Tokens) -> None:
    login = Login(tokens)
    url, pending = login.begin(certified.issuer, REDIRECT)
    back = browse(url)
    with pytest.raises(Unauthenticated):
        login.finish(replace(pending, verifier="x" * 64), back["state"], back["code"])
    bare = "&".join(part for part in url.split("&") if "code_challenge" not in part)
    assert "error" in browse(bare)
