"""Decides whether data may go, where, and why: Cedar sets with a schema, loaded whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.core.later import later
from selat.policy.decide import Decider
from selat.policy.packs import Shelf as RulePacks
from selat.policy.packs import digest, load_packs
from selat.policy.proved import load_proved
from selat.policy.quota import Quota
from selat.policy.recall import Recall
from selat.policy.reload import Reload, lay_out
from selat.policy.request import UNREGISTERED, AuthorizationRequest, read_request
from selat.policy.sets import DEFAULT, Policy, PolicySet

if TYPE_CHECKING:
    from selat.policy.cases import Outcome, run_cases
    from selat.policy.explain import CHANGES, Explanation, counted
    from selat.policy.incidents import Incidents
    from selat.policy.instruments import Instruments
    from selat.policy.invariants import Invariant, Invariants, read_invariants
else:
    __getattr__ = later(
        __name__,
        {
            "cases": "Outcome run_cases",
            "explain": "CHANGES Explanation counted",
            "incidents": "Incidents",
            "instruments": "Instruments",
            "invariants": "Invariant Invariants read_invariants",
        },
    )

__all__ = [
    "CHANGES",
    "DEFAULT",
    "UNREGISTERED",
    "AuthorizationRequest",
    "Decider",
    "Explanation",
    "Incidents",
    "Instruments",
    "Invariant",
    "Invariants",
    "Outcome",
    "Policy",
    "PolicySet",
    "Quota",
    "Recall",
    "Reload",
    "RulePacks",
    "counted",
    "digest",
    "lay_out",
    "load_packs",
    "load_proved",
    "read_invariants",
    "read_request",
    "run_cases",
]
