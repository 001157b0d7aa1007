"""An OpenID provider as Selat is told of it, and tokens as it reads them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from oidc_server import CLIENT, SECRET

from selat.core.caller import Caller
from selat.core.errors import Unavailable
from selat.core.label import parse_label
from selat.identity import Tenant
from selat.identity.oidc import Provider, Tokens


def provider_at(issuer: str, **changes: Any) -> Provider:
    one = Provider(
        issuer,
        "selat",
        "default",
        roles={"selat-officer": "officer", "selat-builder": "builder"},
        clearance=parse_label("terhad"),
        client_id=CLIENT,
        client_secret=SECRET,
    )
    return replace(one, **changes)


def tokens_of(provider: Provider) -> Tokens:
    """Tokens of that provider, whose keys were read."""
    tokens = Tokens([provider], lambda name: Tenant(name), b"k" * 32)
    tokens.refresh(provider.issuer)
    return tokens


def eventually(tokens: Tokens, token: str) -> Caller:
    """The token's caller, once the provider's new keys have been read."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return tokens.identify(token)
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.02)
