"""The tables of what policy keeps by name and version, known without loading what makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.database import Room

if TYPE_CHECKING:
    from selat.tables import Tables


def _load() -> Tables:
    from selat.policy.store import TABLES

    return TABLES


ROOM = Room(
    "policy",
    2,
    "policy_state",
    frozenset(
        "instruments incidents incident_steps quota_limits quota_used quota_state policy_state"  # noqa: SIM905
        " answer_labels".split()
    ),
    _load,
)
