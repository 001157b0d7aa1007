"""The leaves of the ledger: what is written about a request, holding commitments and counts, never content."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from selat.core.caller import Site
from selat.core.canonical import canonical
from selat.core.decision import Basis, Decision
from selat.core.finding import Scan
from selat.core.label import Label

VERSION = 1
SALT_BYTES = 32


def commitment(salt: bytes, data: bytes) -> str:
    """Unpadded base64url HMAC-SHA-256 of `data` keyed by a fresh 32-byte salt kept outside the ledger.

    A bare hash of an identity number can be found by trying them all; without the salt this cannot.
    """
    return _text(hmac.digest(salt, data, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class Commitment:
    """A salted commitment to `size_bytes` bytes. The salt travels beside the leaf, never in it."""

    value: str
    size_bytes: int
    salt: bytes = field(repr=False)

    @classmethod
    def to(cls, data: bytes, salt: bytes) -> Commitment:
        return cls(commitment(salt, data), len(data), salt)

    def to_json(self) -> dict[str, object]:
        return {"c": self.value, "bytes": self.size_bytes}


class Committer:
    """A Commitment to bytes that arrive piece by piece, as a stream's do."""

    __slots__ = ("_mac", "_salt", "_size_bytes")

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._mac = hmac.new(salt, digestmod=hashlib.sha256)
        self._size_bytes = 0

    def update(self, data: bytes) -> None:
        self._mac.update(data)
        self._size_bytes += len(data)

    def commitment(self) -> Commitment:
        return Commitment(_text(self._mac.digest()), self._size_bytes, self._salt)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in and out; `source` is who counted: `engine`, `estimate` (characters / 4) or `none`."""

    prompt: int = 0
    completion: int = 0
    source: str = "none"

    def to_json(self) -> dict[str, object]:
        return {"prompt": self.prompt, "completion": self.completion, "source": self.source}


@dataclass(frozen=True, slots=True)
class Opening:
    """The decision on a request, written before its prompt may leave: kind `opened`, or `refused` for a Deny.

    `model` and `engine` are registered names, empty when the caller named an unknown one (the caller's own
    words never enter a leaf); `purpose` likewise is `unregistered` for one outside the tenant's register.
    `packs` is the hex SHA-256 that stands for the rule packs in force for the tenant.
    """

    id: str
    time: str
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
    prompt: Commitment
    packs: str = ""

    @property
    def kind(self) -> str:
        return "refused" if self.decision.effect == "deny" else "opened"

    def to_json(self) -> dict[str, object]:
        return {
            "v": VERSION,
            "kind": self.kind,
            "id": self.id,
            "time": self.time,
            "tenant": self.tenant,
            "caller": self.caller,
            "purpose": self.purpose,
            "api": self.api,
            "model": self.model,
            "engine": self.engine,
            "site": self.site.to_json() if self.site else None,
            "label": self.label.to_json(),
            "scan": scan_json(self.scan),
            "decision": decision_json(self.decision),
            "policy": basis_json(self.decision.basis) | {"packs": self.packs or "none"},
            "prompt": self.prompt.to_json(),
        }

    def leaf(self) -> bytes:
        return canonical(self.to_json())


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


@dataclass(frozen=True, slots=True)
class Closing:
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
            "scan": scan_json(self.scan),
            "usage": self.usage.to_json(),
            "answer": self.answer.to_json(),
            "duration_ms": self.duration_ms,
            "first_ms": self.first_ms,
        }

    def leaf(self) -> bytes:
        return canonical(self.to_json())


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


def scan_json(scan: Scan) -> dict[str, object]:
    return {"ok": scan.ok, "findings": scan.counts(), "flags": sorted(scan.flags)}


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
