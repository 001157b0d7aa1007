"""OpenID Connect against a real provider: tokens, key rotation, clock skew, and the log-in with PKCE."""

from __future__ import annotations

import base64
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from oidc_kit import eventually, provider_at, tokens_of
from oidc_server import REDIRECT, OpenIDProvider, running

from selat.core.errors import HomeBroken, Unauthenticated, Unavailable
from selat.core.label import parse_label
from selat.identity import Tenant, oidc
from selat.identity.keys import NOT_ACCEPTED
from selat.identity.login import Login, Pending
from selat.identity.oidc import Tokens
from selat.identity.providers import read_providers

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the provider's own rule: http, on loopback here


@pytest.fixture
def provider() -> Iterator[OpenIDProvider]:
    with running() as provider:
        yield provider


@pytest.fixture
def tokens(provider: OpenIDProvider) -> Tokens:
    return tokens_of(provider_at(provider.issuer))


def test_a_token_identifies_its_caller_without_naming_the_person(provider: OpenIDProvider, tokens: Tokens) -> None:
    caller = tokens.identify(provider.sign())
    assert (caller.tenant, caller.roles) == ("default", frozenset({"officer"}))
    assert caller.purposes == {"chat", "docs", "eval"}
    assert caller.clearance == parse_label("terhad")
    assert caller.key.startswith("sub_")
    assert "aminah" not in repr(caller)
    assert tokens.identify(provider.sign(sub="other@example.my")).key != caller.key
    assert tokens.identify(provider.sign(jti="2")).key == caller.key
    other = Tokens([provider_at(provider.issuer)], lambda name: Tenant(name), b"j" * 32)
    other.refresh(provider.issuer)
    assert other.identify(provider.sign()).key != caller.key


def test_roles_are_those_mapped_and_no_others(provider: OpenIDProvider, tokens: Tokens) -> None:
    assert tokens.identify(provider.sign(roles=["operator", "admin"])).roles == {"member"}
    assert tokens.identify(provider.sign(roles="selat-builder x")).roles == {"builder"}
    assert tokens.identify(provider.sign(roles=None)).roles == {"member"}


def hmac_signed(provider: OpenIDProvider, body: str) -> str:
    """A token signed with the provider's public key as if that were a shared secret."""
    head = json.dumps({"alg": "HS256", "kid": provider.key.kid}).encode()
    signed = f"{base64.urlsafe_b64encode(head).rstrip(b'=').decode()}.{body}"
    mac = hmac.digest(provider.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_every_flaw_is_refused_alike(provider: OpenIDProvider, tokens: Tokens) -> None:
    now = int(time.time())
    good = provider.sign()
    head, body, signature = good.split(".")
    stranger = RSAKey.generate_key(2048, {"kid": provider.key.kid})
    flawed = [
        provider.sign(iss="https://elsewhere.example"),
        provider.sign(aud="another"),
        provider.sign(aud=["another", "selat2"]),
        provider.sign(exp=now - 61),
        provider.sign(nbf=now + 120),
        provider.sign(iat=now + 120),
        provider.sign(exp=now + 90_000),
        provider.sign(exp=None),
        provider.sign(exp="tomorrow"),
        provider.sign(exp=True),
        provider.sign(sub=None),
        provider.sign(sub=""),
        provider.sign(sub=7),
        provider.sign(roles=7),
        provider.sign(roles=[{"a": 1}]),
        provider.sign(stranger),
        hmac_signed(provider, body),
        f"{head}.{body}.",
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body[:-2]}.{signature}",
        "a.b.c",
        "..",
        "\ud800.\ud800.\ud800",
        good + "." + good,
        "x" * 9000,
        "",
    ]
    for token in flawed:
        with pytest.raises(Unauthenticated) as caught:
            tokens.identify(token)
        assert str(caught.value) == NOT_ACCEPTED
    assert tokens.identify(good)


def test_a_minute_of_skew_is_allowed(provider: OpenIDProvider, tokens: Tokens) -> None:
    now = int(time.time())
    assert tokens.identify(provider.sign(exp=now - 30, iat=now - 300))
    assert tokens.identify(provider.sign(nbf=now + 30, iat=now + 30))


def test_a_rotated_key_is_fetched_once_and_old_tokens_end(
    provider: OpenIDProvider, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "FETCH_AGAIN_S", 3600.0)  # however long the keys and tokens here take to make
    before = provider.sign()
    assert tokens.identify(before)
    provider.rotate()
    after = provider.sign(jti="new")
    with pytest.raises(Unavailable, match="being fetched"):
        tokens.identify(after)
    assert eventually(tokens, after).roles == {"officer"}
    with pytest.raises(Unauthenticated):
        tokens.identify(before)
    fetched = provider.fetched
    provider.rotate()
    for number in range(20):
        with pytest.raises(Unauthenticated):
            tokens.identify(provider.sign(jti=str(number)))
    assert provider.fetched == fetched, "unknown keys must not make us hammer the provider"


def test_a_provider_that_is_down_keeps_known_keys_working(provider: OpenIDProvider, tokens: Tokens) -> None:
    provider.down = True
    tokens.refresh(provider.issuer)
    assert tokens.identify(provider.sign())
    fresh = Tokens([provider_at(provider.issuer)], lambda name: Tenant(name), b"k" * 32)
    with pytest.raises(Unavailable):
        fresh.identify(provider.sign())
    with pytest.raises(Unavailable, match="cannot be reached"):
        fresh.metadata(provider.issuer)


def test_a_token_is_read_and_verified_once(
    provider: OpenIDProvider, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its signature costs what a hundred asks do: `bench/policy.py` measures both."""
    verify, read, done = oidc.jwt.decode, oidc._part, list[str]()

    def verifying(*told: Any, **more: Any) -> Any:
        done.append("verified")
        return verify(*told, **more)

    def reading(token: str, number: int) -> dict[str, Any]:
        done.append("read")
        return read(token, number)

    monkeypatch.setattr(oidc.jwt, "decode", verifying)
    monkeypatch.setattr(oidc, "_part", reading)
    token = provider.sign()
    first = tokens.identify(token)
    assert done == ["read", "verified"]
    assert [tokens.identify(token) is first for _ in range(100)] == [True] * 100
    assert done == ["read", "verified"]
    tokens.identify(provider.sign(jti="2"))
    assert done == ["read", "verified"] * 2


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def browse(url: str) -> dict[str, str]:
    """What the provider gives the browser to bring back."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(_Stay).open(url, timeout=60)
    assert caught.value.code == 302
    location = caught.value.headers["location"]
    caught.value.close()
    assert location.startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_a_person_logs_in_with_code_and_pkce(provider: OpenIDProvider, tokens: Tokens) -> None:
    login = Login(tokens)
    url, pending = login.begin(provider.issuer, REDIRECT)
    assert pending.verifier not in url + repr(pending)
    back = browse(url)
    caller = login.finish(pending, back["state"], back["code"])
    assert caller.roles == {"officer"}
    assert caller == tokens.identify(provider.sign())
    with pytest.raises(Unauthenticated):
        login.finish(pending, back["state"], back["code"])


@pytest.mark.parametrize(
    "spoil",
    [
        {"state": "x" * 43},
        {"verifier": "x" * 64},
        {"nonce": "x" * 43},
        {"begun": 1.0},
        {"redirect_uri": "http://127.0.0.1/elsewhere"},
    ],
)
def test_a_login_that_was_meddled_with_is_refused(
    provider: OpenIDProvider, tokens: Tokens, spoil: dict[str, Any]
) -> None:
    login = Login(tokens)
    url, pending = login.begin(provider.issuer, REDIRECT)
    back = browse(url)
    spoilt: Pending = replace(pending, **spoil)
    with pytest.raises(Unauthenticated):
        login.finish(spoilt, back["state"], back["code"])


GOOD = """
[[provider]]
issuer = "https://id.example"
audience = "selat"
tenant = "default"
roles = { "selat-officer" = "officer" }
clearance = "terhad"
client_id = "console"
client_secret_env = "CONSOLE_SECRET"
"""


def test_providers_are_read_or_refused_by_number(tmp_path: Path) -> None:
    path = tmp_path / "oidc.toml"
    assert read_providers(path) == []
    path.write_text(GOOD)
    (one,) = read_providers(path, {"CONSOLE_SECRET": "s"})
    assert (one.issuer, one.client_secret) == ("https://id.example", "s")
    assert "'s'" not in repr(one)
    for old, new, said in (
        ("https:", "http:", "give issuer"),
        ('"officer" }', '"king" }', "a role is not known"),
        ('tenant = "default"', "", "provider 1: lacks tenant"),
        ("client_id", "clientid", "unknown clientid"),
        ('"terhad"', '"purple"', "provider 1: label"),
        ('_env = "CONSOLE_SECRET"', '_env = "NOT_SET"', "NOT_SET is not set"),
        ("[[provider]]", "[[provider", "cannot be read as TOML"),
    ):
        path.write_text(GOOD.replace(old, new))
        with pytest.raises(HomeBroken, match=said):
            read_providers(path, {"CONSOLE_SECRET": "s"})
