"""The leaves of the ledger: what is written about a request, holding commitments and counts, never content."""

from __future__ import annotations

import hashlib
import hmac
from binascii import b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from selat.core.caller import Site
from selat.core.canonical import canonical, canonical_text, quoted
from selat.core.decision import Basis, Decision
from selat.core.finding import Scan
from selat.core.label import Label

VERSION: Final = 1
SALT_BYTES: Final = 32
DIGESTED_BYTES = 32 * 1024
"""Pieces of a stream are digested when there are so many bytes of them: one call then does for all."""


# HMAC's two keys, from the digests alone (RFC 2104): `hmac.digest` takes twice as long over a small body, and lets
# another thread have the interpreter in the middle of it.
_sha256: Final = hashlib.sha256
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_URL: Final = bytes.maketrans(b"+/", b"-_")


def commitment(salt: bytes, data: bytes) -> str:
    """Unpadded base64url HMAC-SHA-256 of `data` keyed by a fresh 32-byte salt kept outside the ledger.

    A bare hash of an identity number can be found by trying them all; without the salt this cannot.
    """
    key = salt.ljust(_BLOCK_BYTES, b"\0")
    inner = _sha256(key.translate(_INNER))
    inner.update(data)
    return _text(_sha256(key.translate(_OUTER) + inner.digest()).digest())


def _text(digest: bytes) -> str:
    return b2a_base64(digest).translate(_URL, b"=\n").decode()


class Commitment(NamedTuple):
    """A salted commitment to `size_bytes` bytes. The salt travels beside the leaf, never in it."""

    value: str
    size_bytes: int
    salt: bytes

    def __repr__(self) -> str:
        return f"Commitment({self.value!r}, {self.size_bytes})"

    @classmethod
    def to(cls, data: bytes, salt: bytes) -> Commitment:
        return cls(commitment(salt, data), len(data), salt)

    def to_json(self) -> dict[str, object]:
        return {"c": self.value, "bytes": self.size_bytes}


class Committer:
    """A Commitment to bytes that arrive piece by piece, as a stream's do; small pieces are digested together."""

    __slots__ = ("_digested_bytes", "_due", "_mac", "_salt", "_undigested")

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._mac: hmac.HMAC | None = None
        self._undigested: list[bytes] = []
        self._digested_bytes = 0
        self._due = DIGESTED_BYTES

    def update(self, data: bytes) -> None:
        self._undigested.append(data)
        self._due -= len(data)
        if self._due < 0:
            self._digest()

    def commitment(self) -> Commitment:
        if self._mac is None:
            data = b"".join(self._undigested)
            return Commitment(commitment(self._salt, data), len(data), self._salt)
        self._digest()
        return Commitment(_text(self._mac.digest()), self._digested_bytes, self._salt)

    def _digest(self) -> None:
        if self._mac is None:
            self._mac = hmac.new(self._salt, digestmod=hashlib.sha256)
        data = b"".join(self._undigested)
        self._mac.update(data)
        self._undigested.clear()
        self._digested_bytes += len(data)
        self._due = DIGESTED_BYTES


class Usage(NamedTuple):
    """Tokens in and out; `source` is who counted: `engine`, `estimate` (characters / 4) or `none`."""

    prompt: int = 0
    completion: int = 0
    source: str = "none"

    def to_json(self) -> dict[str, object]:
        return {"prompt": self.prompt, "completion": self.completion, "source": self.source}


_END: Final = f',"v":{VERSION}}}'


class About(NamedTuple):
    """What many openings have alike.

    `model` and `engine` are registered names, empty when the caller named an unknown one (the caller's own
    words never enter a leaf); `purpose` likewise is `unregistered` for one outside the tenant's register.
    `packs` is the hex SHA-256 that stands for the rule packs in force for the tenant.
    """

    tenant: str
    caller: str
    purpose: str
    api: str
    model: str
    engine: str
    site: Site | None
    label: Label
    scan: Scan
    decision: Decision
    packs: str = ""

    @property
    def kind(self) -> str:
        return "refused" if self.decision.effect == "deny" else "opened"


class Opening(NamedTuple):
    """The decision on a request, written before its prompt may leave: kind `opened`, or `refused` for a Deny.

    `language` is the prompt's, coarsely: `ms`, `en`, `zh`, `ta`, or empty for any other.
    """

    id: str
    time: str
    about: About
    prompt: Commitment
    language: str = ""

    def to_json(self) -> dict[str, object]:
        about = self.about
        return {
            "v": VERSION,
            "kind": about.kind,
            "id": self.id,
            "time": self.time,
            "tenant": about.tenant,
            "caller": about.caller,
            "purpose": about.purpose,
            "api": about.api,
            "model": about.model,
            "engine": about.engine,
            "site": about.site.to_json() if about.site else None,
            "label": about.label.to_json(),
            "language": self.language,
            "scan": about.scan.to_json(),
            "decision": decision_json(about.decision),
            "policy": policy_json(about.decision.basis, about.packs),
            "prompt": self.prompt.to_json(),
        }

    def leaf(self) -> bytes:
        """The bytes of `to_json` in canonical form; a test holds the two."""
        return form_of(self.about).leaf(self)


class Form(NamedTuple):
    """The leaf of openings about the same: the text between their id, language, prompt and time."""

    before_id: str
    before_language: str
    before_prompt: str
    before_time: str

    def leaf(self, opening: Opening) -> bytes:
        id_, time, _, (value, size_bytes, _), language = opening
        before_id, before_language, before_prompt, before_time = self
        return (
            f"{before_id}{quoted(id_)}{before_language}{quoted(language)}"
            f'{before_prompt}{size_bytes},"c":"{value}"{before_time}{quoted(time)}{_END}'
        ).encode()


def form_of(about: About) -> Form:
    """The Form of openings about this."""
    tenant, caller, purpose, api, model, engine, site, label, scan, decision, packs = about
    return Form(
        f'{{"api":{quoted(api)},"caller":{quoted(caller)},'
        f'"decision":{canonical_text(decision_json(decision))},"engine":{quoted(engine)},"id":',
        f',"kind":"{about.kind}","label":{label.leaf_text},"language":',
        f',"model":{quoted(model)},"policy":{canonical_text(policy_json(decision.basis, packs))},'
        '"prompt":{"bytes":',
        f'}},"purpose":{quoted(purpose)},"scan":{scan.leaf_text},'
        f'"site":{site.leaf_text if site else "null"},"tenant":{quoted(tenant)},"time":',
    )


@dataclass(frozen=True, slots=True)
class Rerouting:
    """A further try at another engine, after one that failed before its first byte; durable before it goes."""

    id: str
    time: str
    tenant: str
    engine: str
    site: Site
    decision: Decision

    def to_json(self) -> dict[str, object]:
        return {
            "v": VERSION,
            "kind": "rerouted",
            "id": self.id,
            "time": self.time,
            "tenant": self.tenant,
            "engine": self.engine,
            "site": self.site.to_json(),
            "decision": decision_json(self.decision),
            "policy": basis_json(self.decision.basis),
        }

    def leaf(self) -> bytes:
        return canonical(self.to_json())


class Closing(NamedTuple):
    """How a request ended, written for whatever reason it ended.

    `outcome`: `complete`, `cancelled` (the caller hung up), `engine_error`, `engine_timeout` or `failed`.
    `label` is the answer's: the join of all that went in and what was found in it. Times in milliseconds.
    """

    id: str
    time: str
    tenant: str
    outcome: str
    status: int
    label: Label
    scan: Scan
    usage: Usage
    answer: Commitment
    duration_ms: int
    first_ms: int | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "v": VERSION,
            "kind": "closed",
            "id": self.id,
            "time": self.time,
            "tenant": self.tenant,
            "outcome": self.outcome,
            "status": self.status,
            "label": self.label.to_json(),
            "scan": self.scan.to_json(),
            "usage": self.usage.to_json(),
            "answer": self.answer.to_json(),
            "duration_ms": self.duration_ms,
            "first_ms": self.first_ms,
        }

    def leaf(self) -> bytes:
        """The bytes of `to_json` in canonical form, as an Opening writes its own."""
        value, size_bytes, _ = self.answer
        prompt, completion, source = self.usage
        first_ms = self.first_ms
        before_time, after_tokens = _closed(self[2:5], self.label.leaf_text, self.scan.leaf_text, source)
        return (
            f'{{"answer":{{"bytes":{size_bytes},"c":"{value}"}},"duration_ms":{self.duration_ms},'
            f'"first_ms":{"null" if first_ms is None else first_ms},"id":{quoted(self.id)}{before_time}'
            f'{quoted(self.time)},"usage":{{"completion":{completion},"prompt":{prompt}{after_tokens}'
        ).encode()


@lru_cache(maxsize=1024)
def _closed(ended: tuple[str, str, int], label: str, scan: str, source: str) -> tuple[str, str]:
    """What most closings have alike: the text before the time, and that after the tokens."""
    tenant, outcome, status = ended
    return (
        f',"kind":"closed","label":{label},"outcome":{quoted(outcome)},"scan":{scan},"status":{status},'
        f'"tenant":{quoted(tenant)},"time":',
        f',"source":{quoted(source)}}}{_END}',
    )


@dataclass(frozen=True, slots=True)
class Change:
    """A change to the house itself: a key made or revoked, a document ingested or removed, an engine added.

    `kind` is a dotted noun and verb (`key.created`, `document.ingested`); `facts` hold ids, digests,
    counts and labels in JSON's plain types, no content.
    """

    kind: str
    id: str
    time: str
    tenant: str
    caller: str
    facts: dict[str, object]

    def leaf(self) -> bytes:
        return canonical(
            {
                "v": VERSION,
                "kind": self.kind,
                "id": self.id,
                "time": self.time,
                "tenant": self.tenant,
                "caller": self.caller,
                "facts": self.facts,
            }
        )


def decision_json(decision: Decision) -> dict[str, object]:
    return {"effect": decision.effect, "rules": list(decision.rules)}


def basis_json(basis: Basis) -> dict[str, object]:
    return {"set": basis.set_hash, "schema": basis.schema_hash, "proof": basis.proof or "not proved"}


def policy_json(basis: Basis, packs: str) -> dict[str, object]:
    return basis_json(basis) | {"packs": packs or "none"}
