"""Proves that no request a set permits meets an invariant, or finds one that does; and how two sets differ."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy
import z3

from selat.core.errors import PolicyBroken
from selat.policy.example import Example, decided, find
from selat.policy.invariants import Invariant, Invariants
from selat.policy.proved import OutsideSubset
from selat.policy.request import ACTIONS
from selat.policy.sets import PolicySet
from selat.policy.terms import ProverFailed, Terms

LIMIT_MS = 10_000

# What holds of every request that Selat makes (`request.attributes`), whatever is asked; a property test
# keeps it so. The prover looks for counterexamples among such requests only.
ASSUMED = (
    "context.official >= 0 && context.official <= 4",
    "context.cloud >= 0 && context.cloud <= 3",
    "context.personal >= 0 && context.personal <= 3",
    "!context.masked || context.findings.isEmpty()",
    '["SSM", "SECRET"].containsAll(context.findings) || context.personal >= 1',
    '!context.flags.containsAny(["HEALTH", "RELIGION", "POLITICS", "OFFENCE"]) || context.personal >= 2',
    '!context.flags.contains("BIOMETRIC") || context.personal == 3',
    'context.purpose_registered || context.purpose == "unregistered"',
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of one invariant: proved, or `broken` by a request that `permitted_by` these policies permit."""

    invariant: Invariant
    milliseconds: float
    broken: Example | None = None
    permitted_by: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        found = self.broken
        return {
            "id": self.invariant.id,
            "proved": found is None,
            "ms": self.invariant.ms,
            "en": self.invariant.en,
            "milliseconds": round(self.milliseconds, 2),
            "request": dict(found.values) if found else None,
            "words": {"ms": found.words("ms"), "en": found.words("en")} if found else None,
            "permitted_by": list(self.permitted_by),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A request that the old set and the new one decide differently, with the policies that determined each."""

    example: Example
    now_permitted: bool
    old_rules: tuple[str, ...]
    new_rules: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "now_permitted": self.now_permitted,
            "request": dict(self.example.values),
            "words": {"ms": self.example.words("ms"), "en": self.example.words("en")},
            "old_rules": list(self.old_rules),
            "new_rules": list(self.new_rules),
        }


class Question:
    """A set as formulas: which policies match, and when it permits. Raises: OutsideSubset, naming the policy."""

    def __init__(self, policies: PolicySet, terms: Terms) -> None:
        self.policies = policies
        self.terms = terms
        self.matches: dict[str, Any] = {}
        for policy in policies.policies.values():
            try:
                self.matches[policy.id] = terms.policy(policy.tree)
            except OutsideSubset as error:
                raise OutsideSubset(
                    f"{policy.file}:{policy.line}: policy '{policy.id}': {error}; write it within the subset "
                    "(docs/formats/policy.md), or set policy_unproved = true to load it marked 'not proved'"
                ) from error
        self.permits = z3.And(z3.Or(self._of("permit")), z3.Not(z3.Or(self._of("forbid"))))

    def _of(self, effect: str) -> list[Any]:
        return [self.matches[one.id] for one in self.policies.policies.values() if one.effect == effect]

    def idle(self, solver: z3.Solver) -> Iterator[str]:
        """Policies that never matter: permits always forbidden, forbids of what nothing permits."""
        permitted, forbidden = z3.Or(self._of("permit")), z3.Or(self._of("forbid"))
        for policy in self.policies.policies.values():
            other = z3.Not(forbidden) if policy.effect == "permit" else permitted
            if not decided(solver.check(self.matches[policy.id], other)):
                yield policy.id


def assumed(terms: Terms) -> z3.Solver:
    """A solver that knows what holds of every request."""
    solver = z3.Solver()
    solver.set("timeout", LIMIT_MS)
    solver.add(z3.Or([terms.variables["action"] == terms.number(name) for name in ACTIONS]))
    for line in ASSUMED:
        solver.add(condition(terms, line))
    return solver


def condition(terms: Terms, text: str) -> Any:
    tree = json.loads(cedarpy.policies_to_json_str(f"forbid(principal, action, resource) when {{ {text} }};"))
    return terms.policy(tree["staticPolicies"]["policy0"])


def prove(policies: PolicySet, invariants: Invariants) -> list[Proof]:
    """Each invariant, proved or broken. Raises: as `proving`."""
    return list(proving(policies, invariants))


def proving(policies: PolicySet, invariants: Invariants) -> Iterator[Proof]:
    """Each invariant in turn, proved or broken by a request that Cedar itself was seen to permit.

    Raises: OutsideSubset, naming the policy; PolicyBroken for an invariant that no request could ever meet;
    ProverFailed when Z3 gives up or Cedar does not agree.
    """
    terms = Terms()
    question = Question(policies, terms)
    solver = assumed(terms)
    for invariant in invariants.all:
        yield _prove(question, solver, invariant)


def _prove(question: Question, solver: z3.Solver, invariant: Invariant) -> Proof:
    started = time.perf_counter()
    never = question.terms.policy(invariant.tree)
    solver.push()
    try:
        solver.add(never)
        if not decided(solver.check()):
            raise PolicyBroken(
                f"invariants.toml: invariant '{invariant.id}': no request could ever meet it, so that it "
                "proves nothing; look for a slip in its condition"
            )
        solver.add(question.permits)
        example = find(question.terms, solver)
    finally:
        solver.pop()
    spent = (time.perf_counter() - started) * 1000
    if example is None:
        return Proof(invariant, spent)
    verdict = question.policies.cedar.ask_raw(*example.cedar())
    if not verdict.allowed:
        raise ProverFailed(
            f"invariants.toml: invariant '{invariant.id}': the prover says that a request breaks it, and Cedar "
            "denies that request; nothing is proved. Please report this"
        )
    return Proof(invariant, spent, example, verdict.rules)


def idle(policies: PolicySet) -> list[str]:
    """The ids of policies that change no decision. Raises: OutsideSubset, ProverFailed."""
    terms = Terms()
    return list(Question(policies, terms).idle(assumed(terms)))


def differences(old: PolicySet, new: PolicySet, limit: int = 20) -> list[Difference]:
    """Requests that the sets decide differently, one for each combination of policies that match; at most `limit`.

    None means that the sets permit exactly the same. Raises: OutsideSubset, ProverFailed.
    """
    terms = Terms()
    before, after = Question(old, terms), Question(new, terms)
    solver = assumed(terms)
    solver.add(before.permits != after.permits)
    found: list[Difference] = []
    while len(found) < limit:
        example = find(terms, solver)
        if example is None:
            break
        request, about = example.cedar()
        was, now = old.cedar.ask_raw(request, about), new.cedar.ask_raw(request, about)
        if was.allowed == now.allowed:
            raise ProverFailed("the prover says that the sets differ on a request, and Cedar does not agree")
        found.append(Difference(example, now.allowed, was.rules, now.rules))
        solver.add(z3.Not(_like(before, was.rules, after, now.rules)))
    return found


def _like(before: Question, was: tuple[str, ...], after: Question, now: tuple[str, ...]) -> Any:
    """The formula of all requests that the same policies determine in both sets."""
    parts: list[Any] = []
    for question, rules in ((before, was), (after, now)):
        effects: Mapping[str, str] = {one.id: one.effect for one in question.policies.policies.values()}
        denied = any(effects[rule] == "forbid" for rule in rules)
        for name, match in question.matches.items():
            if effects[name] == "forbid" or not denied:
                parts.append(match if name in rules else z3.Not(match))
    return z3.And(parts)
