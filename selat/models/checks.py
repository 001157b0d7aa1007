"""Checks that somebody began: every byte of a model read again, to verify it or to let it out of quarantine."""

from __future__ import annotations

import msgspec

from selat.models.tasks import Task

VERIFY, ADMIT = "verify", "admit"


class Check(Task, frozen=True, kw_only=True):
    """One check. `does` is verify or admit; `why` is the officer's reason; `damaged` has a state by path.

    `label` is the model's: who is not cleared for it does not hear of its checks.
    """

    does: str
    why: str = ""
    label: str = ""
    damaged: dict[str, str] = msgspec.field(default_factory=dict)
