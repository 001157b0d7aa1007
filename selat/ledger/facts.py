"""The facts that leaves say of themselves, read without their content: a few for checking, all for the index."""

from __future__ import annotations

import msgspec


class Facts(msgspec.Struct, frozen=True):
    """What every leaf says of itself; empty where a leaf does not say it."""

    id: str = ""
    kind: str = ""
    tenant: str = ""
    time: str = ""


class _Label(msgspec.Struct, frozen=True):
    official: str = ""
    cloud: str = ""
    personal: str = ""
    jurisdictions: list[str] = []


class _Decision(msgspec.Struct, frozen=True):
    effect: str = ""
    rules: list[str] = []


class _Usage(msgspec.Struct, frozen=True):
    prompt: int = 0
    completion: int = 0


class Details(Facts, frozen=True):
    """Facts, and what an `opened`, `refused` or `closed` entry says besides."""

    caller: str = ""
    purpose: str = ""
    api: str = ""
    model: str = ""
    engine: str = ""
    language: str = ""
    label: _Label = _Label()
    decision: _Decision = _Decision()
    outcome: str = ""
    status: int = 0
    usage: _Usage = _Usage()
    duration_ms: int = 0


class _Policied(msgspec.Struct, frozen=True):
    policy: dict[str, str] = {}


_policied = msgspec.json.Decoder(_Policied).decode
_facts, _details = msgspec.json.Decoder(Facts).decode, msgspec.json.Decoder(Details).decode


def facts(leaf: bytes) -> Facts:
    """The plain facts of a leaf; empty ones for a leaf that is not JSON of ours, which is still an entry."""
    try:
        return _facts(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Facts()


def details(leaf: bytes) -> Details:
    """All that a leaf says that can be asked for; where its shape is another, the plain facts alone."""
    try:
        return _details(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError):
        plain = facts(leaf)
        return Details(plain.id, plain.kind, plain.tenant, plain.time)


def policy_of(leaf: bytes) -> dict[str, str]:
    """The digests in an entry's `policy`; empty where it names none."""
    try:
        return _policied(leaf).policy
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
