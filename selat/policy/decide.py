"""Decides requests by a policy set: permit, permit once masked, or deny; every error is a denial."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import cedarpy

from selat.core.decision import Decision, Deny, Permit, Redact
from selat.core.errors import PolicyBroken
from selat.policy.request import UNREGISTERED, AuthorizationRequest, attributes, entities
from selat.policy.sets import PolicySet

log = logging.getLogger("selat.policy")

CACHE_LIMIT = 8192
NO_PERMIT = "no policy permits this"
FAILED = "a policy could not be evaluated, and what cannot be evaluated is denied"

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Cedar said: `allowed` only when it decided Allow and no policy erred."""

    allowed: bool
    rules: tuple[str, ...]
    erred: bool


@dataclass(slots=True)
class _State:
    """A set with the decisions made by it, so that both are replaced in one assignment."""

    policies: PolicySet
    decided: dict[Key, Decision] = field(default_factory=dict)


class Decider:
    """Decides by the set it was given last. Decisions are remembered by every attribute that policies see."""

    def __init__(self, policies: PolicySet) -> None:
        self._state = _State(policies)

    @property
    def policies(self) -> PolicySet:
        return self._state.policies

    def use(self, policies: PolicySet) -> None:
        """Decide by another set from the next request on; what was decided by the old one is forgotten."""
        self._state = _State(policies)

    def decide(self, request: AuthorizationRequest) -> Decision:
        """Permit, Redact (denied as it is, permitted with every finding masked) or Deny. Never raises."""
        state = self._state
        key = _key(request)
        decision = state.decided.get(key)
        if decision is None:
            decision = decide(state.policies, request)
            if len(state.decided) >= CACHE_LIMIT:
                state.decided.clear()
            state.decided[key] = decision
        return decision


def decide(policies: PolicySet, request: AuthorizationRequest) -> Decision:
    """The decision itself, not remembered."""
    plain = evaluate(policies, request, masked=False)
    if plain.allowed:
        return Permit(plain.rules, policies.reasons(plain.rules), policies.basis)
    reason = FAILED if plain.erred else policies.reasons(plain.rules) or NO_PERMIT
    if request.scan.findings and not plain.erred:
        masked = evaluate(policies, request, masked=True)
        if masked.allowed:
            return Redact(plain.rules, reason, policies.basis)
        if masked.rules and not masked.erred:
            return Deny(masked.rules, policies.reasons(masked.rules), policies.basis)
    return Deny(plain.rules, reason, policies.basis)


def evaluate(policies: PolicySet, request: AuthorizationRequest, *, masked: bool) -> Verdict:
    return ask_cedar(policies, cedar_request(request, masked=masked), entities(request))


def cedar_request(request: AuthorizationRequest, *, masked: bool) -> dict[str, object]:
    return {
        "principal": {"type": "Caller", "id": request.caller.tenant},
        "action": {"type": "Action", "id": request.action},
        "resource": {"type": "Engine", "id": request.engine},
        "context": attributes(request, masked=masked),
    }


def ask_cedar(policies: PolicySet, request: dict[str, object], about: list[dict[str, object]]) -> Verdict:
    """What Cedar decides, always with the schema.

    Cedar skips a policy that errs, a forbid too, so that one missing attribute could turn a denial into a
    permission: here any error at all, of a policy or of the request's own shape, is a denial.
    """
    try:
        answer = cedarpy.is_authorized(request, policies.cedar, about, policies.schema)
    except (ValueError, TypeError) as error:
        log.error("policy request refused by the engine: %s", type(error).__name__)
        return Verdict(False, (), True)
    diagnostics = answer.diagnostics
    if diagnostics.errors:
        log.error("policy evaluation erred; the request is denied (%d errors)", len(diagnostics.errors))
        return Verdict(False, (), True)
    return Verdict(
        answer.decision is cedarpy.Decision.Allow,
        tuple(sorted(diagnostics.reasons)),
        answer.decision is cedarpy.Decision.NoDecision,
    )


def check_fit(policies: PolicySet, probe: AuthorizationRequest) -> None:
    """That the schema takes the requests Selat sends. Raises: PolicyBroken; a set that fails would deny all."""
    if evaluate(policies, probe, masked=False).erred:
        raise PolicyBroken(
            "schema.cedarschema: does not fit the requests that Selat sends, so that all would be denied; "
            "add attributes to policies, not to the schema, or put it back with: selat policy restore"
        )


def _key(request: AuthorizationRequest) -> Key:
    caller, site, label, scan = request.caller, request.site, request.label, request.scan
    registered = request.purpose in caller.purposes
    return (
        request.action,
        request.engine,
        site.jurisdiction,
        site.operator,
        site.operator_jurisdiction,
        site.hardware,
        caller.tenant,
        caller.roles,
        request.purpose if registered else UNREGISTERED,
        registered,
        label.official._value_,
        label.cloud._value_,
        label.personal._value_,
        label.jurisdictions,
        scan.ok,
        frozenset([finding.kind for finding in scan.findings]) if scan.findings else None,
        scan.flags,
        request.tenant,
        request.passport,
        request.passport_needed,
        request.ground,
        request.ground_in_force,
    )
