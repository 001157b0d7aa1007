"""A person logs in at a provider: authorization code with PKCE, as a web page needs it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from selat.core.caller import Caller
from selat.core.errors import Misused, Unauthenticated, Unavailable
from selat.identity.keys import NOT_ACCEPTED
from selat.identity.oidc import Tokens, post, secure

log = logging.getLogger("selat.identity")

WAIT_S = 600.0


class LoginOver(Unauthenticated):
    """The browser came back for a login that was not begun in it, or too long ago; it may begin again."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that was begun; it stays with the person's browser session, server side or in a sealed cookie."""

    issuer: str
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun: float = 0.0


class Login:
    """Logs people in at the providers that `tokens` knows. Both calls use the network: run them in a thread."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def begin(self, issuer: str, redirect_uri: str) -> tuple[str, Pending]:
        """Where to send the browser, and what to keep until it comes back. Raises: Unavailable, Misused.

        Source: RFC 7636 section 4 (PKCE, S256); OpenID Connect Core 1.0 section 3.1.2.1.
        """
        provider = self._tokens.provider(issuer)
        if not provider.client_id:
            raise Misused("oidc: this provider has no client_id, so nobody can log in with it; add one")
        pending = Pending(
            issuer,
            redirect_uri,
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(48),
            time.time(),
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        where = self._endpoint(issuer, "authorization_endpoint")
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}", pending

    def finish(self, pending: Pending, state: str, code: str) -> Caller:
        """Who logged in, from what the browser brought back. Raises: LoginOver; Unauthenticated; Unavailable."""
        if not hmac.compare_digest(state.encode(), pending.state.encode()):
            raise LoginOver(NOT_ACCEPTED)
        if time.time() - pending.begun > WAIT_S:
            raise LoginOver(NOT_ACCEPTED)
        if not code:
            raise Unauthenticated(NOT_ACCEPTED)
        provider = self._tokens.provider(pending.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "client_id": provider.client_id,
            "code_verifier": pending.verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if provider.client_secret:
            pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        try:
            answer = post(self._endpoint(pending.issuer, "token_endpoint"), urlencode(form).encode(), headers)
            token = json.loads(answer)["id_token"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("a login at %s failed (%s)", pending.issuer, type(error).__name__)
            raise Unauthenticated(NOT_ACCEPTED) from error
        claims = self._tokens.claims(str(token), pending.issuer, provider.client_id)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), pending.nonce.encode()):
            raise Unauthenticated(NOT_ACCEPTED)
        return self._tokens.caller(pending.issuer, claims)

    def _endpoint(self, issuer: str, name: str) -> str:
        where = self._tokens.metadata(issuer).get(name)
        if not isinstance(where, str) or not secure(where):
            raise Unavailable(f"oidc: the provider {issuer} names no usable {name}")
        return where
