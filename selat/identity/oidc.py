"""OpenID Connect: a provider's signed token becomes a Caller; its keys are fetched, cached and rotated."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from selat.core.caller import ROLES, Caller, is_group
from selat.core.errors import HomeBroken, Unauthenticated, Unavailable
from selat.core.label import LOWEST, Label
from selat.identity.keys import NOT_ACCEPTED
from selat.identity.tenants import Tenant, caller_in

log = logging.getLogger("selat.identity")

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")  # no HMAC: its key would be shared with the provider
SKEW_S = 60.0
LONGEST_S = 24 * 3600.0
KEYS_FRESH_S = 600.0
FETCH_AGAIN_S = 10.0
FETCH_TIMEOUT_S = 5.0
TOKEN_BYTES, ANSWER_BYTES = 8192, 1 << 20
CACHE_LIMIT = 16384

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who may sign for a tenant. `issuer` and `audience` must be in the token, exactly.

    `roles` maps the words in the token's `roles_claim` to roles of Selat; a word not in it gives nothing.
    `groups_claim` names the claim that holds the caller's groups, taken as they are; without it there are none.
    `clearance` is that of every caller from here. `client_id` and `client_secret` are the console's.
    """

    issuer: str
    audience: str
    tenant: str
    roles_claim: str = "roles"
    roles: Mapping[str, str] = field(default_factory=dict)
    default_roles: frozenset[str] = frozenset({"member"})
    clearance: Label = LOWEST
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    groups_claim: str = ""

    def __post_init__(self) -> None:
        if not (secure(self.issuer) and self.audience and self.tenant):
            raise HomeBroken("oidc: give issuer (https, or http on this machine), audience and tenant")
        if not set(self.roles.values()) | self.default_roles <= set(ROLES):
            raise HomeBroken(f"oidc: a role is not known; known: {', '.join(ROLES)}")


@dataclass(slots=True)
class _Keys:
    """A provider's metadata and signing keys, as fetched at `at` (monotonic seconds)."""

    metadata: dict[str, Any]
    keys: KeySet
    at: float


class Tokens:
    """Verifies tokens of the providers. Verified ones are remembered until they expire.

    Keys are fetched in the background and kept for ten minutes; a token signed by a key not seen yet makes
    them be fetched at once, at most every ten seconds.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        tenant_of: Callable[[str], Tenant],
        pseudonym_key: bytes,
        fetch: Fetch | None = None,
    ) -> None:
        """`pseudonym_key` turns a subject, often an e-mail address, into the key id that entries carry."""
        self._providers = {provider.issuer: provider for provider in providers}
        if len(self._providers) != len(providers):
            raise HomeBroken("oidc: two providers have the same issuer")
        self._tenant_of = tenant_of
        self._pseudonym_key = pseudonym_key
        self._fetch = fetch or get
        self._keys: dict[str, _Keys] = {}
        self._tried: dict[str, float] = {}
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._fetching: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Fetch every provider's keys in the background, so that the first caller need not wait."""
        for issuer in self._providers:
            self._refresh_soon(issuer)

    def identify(self, token: str) -> Caller:
        """Who this token speaks for. Never waits for the network.

        Raises: Unauthenticated, the same for every flaw; Unavailable, while a provider's keys are fetched.
        """
        if len(token) > TOKEN_BYTES or token.count(".") != 2:
            raise Unauthenticated(NOT_ACCEPTED)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > time.time():
            return known[0]
        provider = self._providers.get(unverified_issuer(token))
        if provider is None:
            raise Unauthenticated(NOT_ACCEPTED)
        claims = self._verified(token, provider)
        caller = self._caller(provider, claims)
        if len(self._known) >= CACHE_LIMIT:
            self._known.clear()
        # Forgotten with the keys, so that a key that was withdrawn stops its tokens within ten minutes.
        self._known[digest] = (caller, min(claims["exp"] + SKEW_S, time.time() + KEYS_FRESH_S))
        return caller

    def claims(self, token: str, issuer: str, audience: str) -> dict[str, Any]:
        """The verified claims of a token from `issuer` for `audience`; as the console needs them of an ID token.

        Raises: Unauthenticated; Unavailable.
        """
        provider = self._providers[issuer]
        return self._verified(token, provider, audience)

    def caller(self, issuer: str, claims: dict[str, Any]) -> Caller:
        """The Caller of verified claims. Raises: Unauthenticated, for a claim of the wrong shape."""
        return self._caller(self._providers[issuer], claims)

    @property
    def providers(self) -> list[Provider]:
        return list(self._providers.values())

    def provider(self, issuer: str) -> Provider:
        return self._providers[issuer]

    def metadata(self, issuer: str) -> dict[str, Any]:
        """A provider's discovery document, fetched now if need be. Raises: Unavailable."""
        known = self._keys.get(issuer)
        if known is None:
            self.refresh(issuer)
            known = self._keys.get(issuer)
        if known is None:
            raise Unavailable(f"oidc: the provider {issuer} cannot be reached; try again")
        return known.metadata

    def refresh(self, issuer: str) -> None:
        """Fetch a provider's metadata and keys. A failure keeps those that are there, and is logged."""
        try:
            metadata = json.loads(self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
            if metadata["issuer"] != issuer or not secure(metadata["jwks_uri"]):
                raise ValueError("its discovery document names another issuer, or keys without https")
            keys = KeySet.import_key_set(json.loads(self._fetch(metadata["jwks_uri"])))
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            log.error("the keys of %s could not be fetched (%s)", issuer, type(error).__name__)
            return
        fresh = _Keys(metadata, keys, time.monotonic())
        with self._lock:
            changed = issuer in self._keys and _kids(self._keys[issuer].keys) != _kids(keys)
            self._keys[issuer] = fresh
            if changed:
                self._known.clear()

    def _verified(self, token: str, provider: Provider, audience: str = "") -> dict[str, Any]:
        known = self._keys.get(provider.issuer)
        if known is None or time.monotonic() - known.at > KEYS_FRESH_S:
            self._refresh_soon(provider.issuer)
        if known is None:
            raise Unavailable(f"oidc: the keys of {provider.issuer} are being fetched; try again")
        try:
            found = jwt.decode(token, known.keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            if _names_new_key(token, known.keys) and (
                self._refresh_soon(provider.issuer) or provider.issuer in self._fetching
            ):
                raise Unavailable(f"oidc: the keys of {provider.issuer} are being fetched; try again") from error
            raise Unauthenticated(NOT_ACCEPTED) from None
        claims = dict(found.claims)
        if not _right(claims, provider.issuer, audience or provider.audience, time.time()):
            raise Unauthenticated(NOT_ACCEPTED)
        return claims

    def _refresh_soon(self, issuer: str) -> bool:
        """Fetch in the background, unless it was tried within ten seconds; whether it is now under way."""
        now = time.monotonic()
        with self._lock:
            if now - self._tried.get(issuer, -FETCH_AGAIN_S) < FETCH_AGAIN_S:
                return False
            self._tried[issuer] = now
            self._fetching.add(issuer)
        threading.Thread(target=self._fetch_now, args=(issuer,), name="selat-oidc-keys", daemon=True).start()
        return True

    def _fetch_now(self, issuer: str) -> None:
        try:
            self.refresh(issuer)
        finally:
            self._fetching.discard(issuer)

    def _caller(self, provider: Provider, claims: dict[str, Any]) -> Caller:
        words = claims.get(provider.roles_claim, [])
        words = words.split() if isinstance(words, str) else words
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise Unauthenticated(NOT_ACCEPTED)
        roles = frozenset(provider.roles[word] for word in words if word in provider.roles)
        tenant = self._tenant_of(provider.tenant)
        subject = f"{provider.issuer}\n{claims['sub']}".encode("utf-8", "surrogatepass")
        name = "sub_" + hmac.digest(self._pseudonym_key, subject, hashlib.sha256).hex()[:20]
        found = caller_in(tenant, name, roles or provider.default_roles, provider.clearance)
        words = claims.get(provider.groups_claim, []) if provider.groups_claim else []
        return replace(found, groups=_groups(words))


def _groups(words: object) -> frozenset[str]:
    """The groups a token names; what cannot be a group's name here gives nothing."""
    words = words.split() if isinstance(words, str) else words
    found = words if isinstance(words, list) else []
    return frozenset(word for word in found if isinstance(word, str) and is_group(word))


def _right(claims: dict[str, Any], issuer: str, audience: str, now: float) -> bool:
    """Issuer, audience, subject and times as they must be. Source: RFC 7519 section 4.1, RFC 9068 section 4."""
    meant = claims.get("aud")
    if claims.get("iss") != issuer or audience not in (meant if isinstance(meant, list) else [meant]):
        return False
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        return False
    expires, begins, issued = claims.get("exp"), claims.get("nbf", 0), claims.get("iat", now)
    if not (_moment(expires) and _moment(begins) and _moment(issued)):
        return False
    assert isinstance(expires, int | float)
    alive = begins - SKEW_S <= now < expires + SKEW_S
    return bool(alive and issued - SKEW_S <= now and expires - issued <= LONGEST_S)


def _moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def unverified_issuer(token: str) -> str:
    """The issuer that a token claims, to find who should have signed it; "" where it cannot be read."""
    return str(_part(token, 1).get("iss", ""))


def _names_new_key(token: str, keys: KeySet) -> bool:
    """Whether a token, otherwise well formed, says it was signed by a key that we do not have."""
    head = _part(token, 0)
    return head.get("alg") in ALGORITHMS and isinstance(head.get("kid"), str) and head["kid"] not in _kids(keys)


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    try:
        value = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _kids(keys: KeySet) -> set[str]:
    return {str(key.kid) for key in keys.keys}


def secure(url: str) -> bool:
    """Whether a URL is https, or http to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A provider's documents are where it says they are: following elsewhere would trust another."""

    def redirect_request(self, *args: object, **more: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def get(url: str) -> bytes:
    """The body at a URL, at most a mebibyte, within five seconds. Raises: OSError; ValueError when too long."""
    with _opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
        return _read(answer)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body of the answer to a form. Raises: as `get`."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - checked by secure()
    with _opener.open(request, timeout=FETCH_TIMEOUT_S) as answer:
        return _read(answer)


def _read(answer: Any) -> bytes:
    body: bytes = answer.read(ANSWER_BYTES + 1)
    if len(body) > ANSWER_BYTES:
        raise ValueError("the answer is longer than a mebibyte")
    return body
