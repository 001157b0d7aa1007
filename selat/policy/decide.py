"""Decides requests by a policy set: permit, permit once masked, or deny; every error is a denial."""

from __future__ import annotations

from dataclasses import dataclass, field

from selat.core.decision import Decision, Deny, Permit, Redact
from selat.policy.request import UNREGISTERED, AuthorizationRequest
from selat.policy.sets import PolicySet

CACHE_LIMIT = 8192
NO_PERMIT = "no policy permits this"
FAILED = "a policy could not be evaluated, and what cannot be evaluated is denied"

Key = tuple[object, ...]


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
    plain = policies.cedar.ask(request, masked=False)
    if plain.allowed:
        return Permit(plain.rules, policies.reasons(plain.rules), policies.basis)
    reason = FAILED if plain.erred else policies.reasons(plain.rules) or NO_PERMIT
    if request.scan.findings and not plain.erred:
        masked = policies.cedar.ask(request, masked=True)
        if masked.allowed:
            return Redact(plain.rules, reason, policies.basis)
        if masked.rules and not masked.erred:
            return Deny(masked.rules, policies.reasons(masked.rules), policies.basis)
    return Deny(plain.rules, reason, policies.basis)


def _key(request: AuthorizationRequest) -> Key:
    caller, site, label, scan = request.caller, request.site, request.label, request.scan
    registered = request.purpose in caller.purposes
    return (
        request.action,
        request.engine,
        site.leaf_text,
        caller.tenant,
        caller.roles,
        request.purpose if registered else UNREGISTERED,
        registered,
        label.text,
        scan.ok,
        scan.kinds,
        scan.flags,
        request.tenant,
        request.passport,
        request.passport_needed,
        request.ground,
        request.ground_in_force,
    )
