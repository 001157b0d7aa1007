"""The facts that leaves say of themselves, read without their content: a few for checking, all for the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What every leaf says of itself; empty where a leaf does not say it."""

    id: str = ""
    kind: str = ""
    tenant: str = ""
    time: str = ""


# Fields stand as canonical JSON has them, by name: the decoder then finds each where it looks first.


class _Usage(msgspec.Struct, frozen=True, gc=False):
    completion: int = 0
    prompt: int = 0


class Details(msgspec.Struct, frozen=True, gc=False):
    """Facts, and what an `opened`, `refused` or `closed` entry says besides; label and decision as written.

    Most entries of a busy hour say the same of these two: `manner` reads them, and is asked once for each.
    """

    api: str = ""
    caller: str = ""
    decision: msgspec.Raw = msgspec.Raw()
    duration_ms: int = 0
    engine: str = ""
    id: str = ""
    kind: str = ""
    label: msgspec.Raw = msgspec.Raw()
    language: str = ""
    model: str = ""
    outcome: str = ""
    purpose: str = ""
    status: int = 0
    tenant: str = ""
    time: str = ""
    usage: _Usage = _Usage()


class Manner(NamedTuple):
    """What many requests have in common: all that is said of them but their id, times, counts and outcome."""

    kind: str
    tenant: str
    caller: str
    purpose: str
    api: str
    model: str
    engine: str
    official: str
    cloud: str
    personal: str
    jurisdictions: str
    effect: str
    rules: str
    language: str


class _Label(msgspec.Struct, frozen=True):
    official: str = ""
    cloud: str = ""
    personal: str = ""
    jurisdictions: list[str] = []


class _Decision(msgspec.Struct, frozen=True):
    effect: str = ""
    rules: list[str] = []


class _Policied(msgspec.Struct, frozen=True):
    policy: dict[str, str] = {}


_policied = msgspec.json.Decoder(_Policied).decode
_facts, _details = msgspec.json.Decoder(Facts).decode, msgspec.json.Decoder(Details).decode
_label, _decision = msgspec.json.Decoder(_Label).decode, msgspec.json.Decoder(_Decision).decode


def facts(leaf: bytes) -> Facts:
    """The plain facts of a leaf; empty ones for a leaf that is not JSON of ours, which is still an entry."""
    try:
        return _facts(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Facts()


def all_details(leaves: Sequence[bytes]) -> list[Details]:
    """`details` of each."""
    try:
        return list(map(_details, leaves))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return list(map(details, leaves))


def details(leaf: bytes) -> Details:
    """All that a leaf says that can be asked for; where its shape is another, the plain facts alone."""
    try:
        return _details(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError):
        plain = facts(leaf)
        return Details(id=plain.id, kind=plain.kind, tenant=plain.tenant, time=plain.time)


def manner(said: Details) -> Manner:
    """What an entry has in common with others; a label or decision of another shape counts as none."""
    label, decision = _Label(), _Decision()
    try:
        label = _label(said.label) if bytes(said.label) else label
        decision = _decision(said.decision) if bytes(said.decision) else decision
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return Manner(
        said.kind,
        said.tenant,
        said.caller,
        said.purpose,
        said.api,
        said.model,
        said.engine,
        label.official,
        label.cloud,
        label.personal,
        "+".join(label.jurisdictions),
        decision.effect,
        " ".join(decision.rules),
        said.language,
    )


def policy_of(leaf: bytes) -> dict[str, str]:
    """The digests in an entry's `policy`; empty where it names none."""
    try:
        return _policied(leaf).policy
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
