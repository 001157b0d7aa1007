"""Puts one question to Cedar, always with the schema; any error at all is a denial."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import cedarpy

from selat.core.caller import Caller, Site
from selat.core.finding import CLEAN
from selat.core.label import LOWEST
from selat.policy.request import AuthorizationRequest, attributes, entities

log = logging.getLogger("selat.policy")

PROBE = AuthorizationRequest(Caller("probe", "probe"), "infer", "probe", Site("MY"), "chat", LOWEST, CLEAN)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Cedar said: `allowed` only when it decided Allow and no policy erred."""

    allowed: bool
    rules: tuple[str, ...]
    erred: bool


@dataclass(frozen=True, slots=True)
class Cedar:
    """A parsed set and schema, ready to be asked."""

    policies: cedarpy.PolicySet
    schema: cedarpy.Schema

    def ask(self, request: AuthorizationRequest, *, masked: bool) -> Verdict:
        return self.ask_raw(cedar_request(request, masked=masked), entities(request))

    def ask_raw(self, request: Mapping[str, object], about: list[dict[str, object]]) -> Verdict:
        """What Cedar decides of a request and entities in its own JSON form.

        Cedar skips a policy that errs, a forbid too, so that one missing attribute could turn a denial into
        a permission: here any error, of a policy or of the request's own shape, is a denial.
        """
        try:
            answer = cedarpy.is_authorized(dict(request), self.policies, about, self.schema)
        except (ValueError, TypeError) as error:
            log.error("a request could not be put to policy, so it is denied (%s)", type(error).__name__)
            return Verdict(False, (), True)
        diagnostics = answer.diagnostics
        if diagnostics.errors:
            log.error("policy evaluation erred, so the request is denied (%d errors)", len(diagnostics.errors))
            return Verdict(False, (), True)
        decision = answer.decision
        return Verdict(
            decision is cedarpy.Decision.Allow,
            tuple(sorted(diagnostics.reasons)),
            decision is cedarpy.Decision.NoDecision,
        )

    def fits(self) -> bool:
        """Whether the schema takes the requests that Selat sends; if not, every one would be denied."""
        return not self.ask(PROBE, masked=False).erred


def cedar_request(request: AuthorizationRequest, *, masked: bool) -> dict[str, object]:
    return {
        "principal": {"type": "Caller", "id": request.caller.tenant},
        "action": {"type": "Action", "id": request.action},
        "resource": {"type": "Engine", "id": request.engine},
        "context": attributes(request, masked=masked),
    }
