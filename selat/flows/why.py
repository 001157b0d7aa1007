"""why: a decision in the book becomes the request that it was about again, and is explained without its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selat.core.caller import Caller, Site
from selat.core.finding import Finding, Scan
from selat.core.label import label_from
from selat.policy import UNREGISTERED, AuthorizationRequest, Explanation, PolicySet, counted
from selat.policy.explain import explain

PASSPORT_RULE = "passport-where-needed"
EMBEDDING = ("embeddings", "rerank")


@dataclass(frozen=True, slots=True)
class Case:
    """A decision as it was booked (`set` is a hex SHA-256), and what today's set says of the same request.

    `counted` are the attributes that the deciding policies look at; `limit` is the id of a full limit, where that
    and no policy was the reason; `unknown` are rules that today's set does not have.
    """

    request: AuthorizationRequest
    effect: str
    rules: tuple[str, ...]
    set: str
    today: Explanation
    counted: frozenset[str]
    limit: str
    unknown: tuple[str, ...]

    @property
    def same_set(self) -> bool:
        return self.set == self.today.decision.basis.set_hash


def why(leaf: Mapping[str, Any], policies: PolicySet, roles: frozenset[str]) -> Case:
    """The case of an `opened` or `refused` entry. `roles` are the caller's as they are now: entries hold none."""
    request = request_of(leaf, roles)
    rules = tuple(leaf["decision"]["rules"])
    known = [policies.policies[rule] for rule in rules if rule in policies.policies]
    limit = next((rule for rule in rules if rule.startswith("quota:")), "")
    return Case(
        request,
        leaf["decision"]["effect"],
        rules,
        leaf["policy"]["set"],
        explain(policies, request),
        counted(known),
        limit,
        tuple(rule for rule in rules if rule not in policies.policies and rule != limit),
    )


def request_of(leaf: Mapping[str, Any], roles: frozenset[str]) -> AuthorizationRequest:
    """What policy was asked, from an entry that holds kinds and counts and no words."""
    scan = leaf["scan"]
    findings = tuple(Finding(0, 0, kind) for kind in sorted(scan["findings"]))
    purpose = leaf["purpose"]
    registered = frozenset() if purpose == UNREGISTERED else frozenset({purpose})
    return AuthorizationRequest(
        caller=Caller(leaf["tenant"], leaf["caller"], roles, purposes=registered),
        action="embed" if leaf["api"] in EMBEDDING else "infer",
        engine=leaf["engine"],
        site=Site(**leaf["site"]),
        purpose=purpose,
        label=label_from(leaf["label"]),
        scan=Scan(findings, frozenset(scan["flags"]), scan["ok"]),
        passport_needed=PASSPORT_RULE in leaf["decision"]["rules"],
    )
