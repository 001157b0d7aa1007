"""Who holds a credential: an API key of ours or, where OpenID providers are named, one of their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.core.caller import Caller
from selat.identity.keys import Keys
from selat.identity.secret import PREFIX

if TYPE_CHECKING:
    from selat.identity.oidc import Tokens


class Identify:
    """Finds the Caller of an API key or, where providers are named, of their tokens."""

    def __init__(self, keys: Keys, tokens: Tokens | None) -> None:
        self._keys, self._tokens = keys, tokens

    def __call__(self, secret: str) -> Caller:
        if self._tokens is None or secret.startswith(PREFIX):
            return self._keys.identify(secret)
        return self._tokens.identify(secret)
