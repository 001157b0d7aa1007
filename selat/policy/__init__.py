"""Decides whether data may go, where, and why: Cedar sets with a schema, loaded whole or not at all."""

from selat.policy.decide import Decider
from selat.policy.reload import Reload, lay_out
from selat.policy.request import UNREGISTERED, AuthorizationRequest, read_request
from selat.policy.sets import DEFAULT, Policy, PolicySet

__all__ = [
    "DEFAULT",
    "UNREGISTERED",
    "AuthorizationRequest",
    "Decider",
    "Policy",
    "PolicySet",
    "Reload",
    "lay_out",
    "read_request",
]
