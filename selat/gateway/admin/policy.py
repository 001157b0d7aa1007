"""What policy decides and why, the set in force, and what was proved of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from selat.core.decision import Decision
from selat.gateway.admin.route import PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, LabelText, Role, Text, Title, Told
from selat.policy import read_invariants, read_request
from selat.policy.explain import explain

Words = Annotated[tuple[Title, ...], Meta(max_length=100)]


class PolicyCard(Told):
    """A policy: its id, effect, place and reason."""

    id: str
    effect: str
    file: str
    line: int
    reasons: dict[str, str]


class InvariantCard(Told):
    """What must never be permitted; `zh` and `ta` are "" where the file has none."""

    id: str
    ms: str
    en: str
    zh: str
    ta: str


class SetCard(Told):
    """The set in force. `proved`: no request that it permits meets an invariant. Hashes are hex SHA-256."""

    set: str
    schema: str
    proof: str
    proved: bool
    invariants: list[InvariantCard]
    policies: list[PolicyCard]


class AskedCaller(Asked):
    """Whose request it would be."""

    tenant: Title = "default"
    roles: Annotated[tuple[Role, ...], Meta(max_length=5)] = ()
    purposes: Words = ("chat",)


class AskedSite(Asked):
    """Where the engine would run."""

    jurisdiction: Title = "MY"
    operator: Title = "self"
    operator_jurisdiction: Text = ""
    hardware: Title = "unknown"


class AskedScan(Asked):
    """What would be found, by kind: there is no text."""

    findings: Words = ()
    flags: Words = ()
    ok: bool = True


class AskedRequest(Asked):
    """A request to decide, as `selat policy check` reads it. Nothing is sent anywhere."""

    caller: AskedCaller = msgspec.field(default_factory=AskedCaller)
    action: Text = "infer"
    engine: Title = "engine"
    site: AskedSite = msgspec.field(default_factory=AskedSite)
    purpose: Title = "chat"
    label: LabelText = "terbuka"
    scan: AskedScan = msgspec.field(default_factory=AskedScan)
    tenant: Text = ""
    passport: bool = False
    passport_needed: bool = False
    ground: Text = ""
    ground_in_force: bool = False


class PolicyHashes(Told):
    """The set and schema that decided."""

    set: str
    schema: str


class DecisionCard(Told):
    """What is decided."""

    effect: str
    rules: list[str]
    reason: str
    policy: PolicyHashes


class RuleInPlay(Told):
    """A policy that determined the decision."""

    id: str
    effect: str
    file: str
    line: int
    reasons: dict[str, str]


class AdviceCard(Told):
    """Changes, made together, that would turn a denial into `effect`, each also by its name."""

    ms: str
    en: str
    effect: str
    changes: list[str]


class ExplanationCard(Told):
    """Why, in Malay and English, and what would change it."""

    effect: str
    rules: list[RuleInPlay]
    ms: str
    en: str
    advice: list[AdviceCard]


def show(visit: Visit) -> object:
    loaded = visit.platform.decider.policies
    invariants = read_invariants(visit.platform.home.policy, loaded.cedar.schema)
    # The file may have changed since; those that were proved are known by their hash.
    proved = bool(loaded.basis.proof) and invariants.hash == loaded.basis.proof
    return {
        "set": loaded.basis.set_hash,
        "schema": loaded.basis.schema_hash,
        "proof": loaded.basis.proof,
        "proved": proved,
        "invariants": [
            {"id": one.id, "ms": one.ms, "en": one.en, "zh": one.zh, "ta": one.ta} for one in invariants.all
        ],
        "policies": [
            {"id": one.id, "effect": one.effect, "file": one.file, "line": one.line, "reasons": dict(one.reasons)}
            for one in loaded.policies.values()
        ],
    }


def decision_json(decision: Decision) -> dict[str, object]:
    return {
        "effect": decision.effect,
        "rules": list(decision.rules),
        "reason": decision.reason,
        "policy": {"set": decision.basis.set_hash, "schema": decision.basis.schema_hash},
    }


def check(visit: Visit) -> object:
    return decision_json(visit.platform.decider.decide(read_request(msgspec.to_builtins(visit.body))))


def explain_(visit: Visit) -> object:
    found = explain(visit.platform.decider.policies, read_request(msgspec.to_builtins(visit.body)))
    rules = [
        {"id": one.id, "effect": one.effect, "file": one.file, "line": one.line, "reasons": dict(one.reasons)}
        for one in found.policies
    ]
    return {**found.to_json(), "rules": rules}


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/policy", READERS, "The policies in force and what was proved.", show, SetCard),
    Route(
        *("POST", f"{PREFIX}/policy/check", READERS, "What policy decides of a request.", check, DecisionCard),
        body=AskedRequest,
    ),
    Route(
        *("POST", f"{PREFIX}/policy/explain", READERS),
        *("Why a request is permitted, redacted or denied.", explain_, ExplanationCard),
        body=AskedRequest,
    ),
)
