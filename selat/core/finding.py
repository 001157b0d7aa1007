"""What the guard found in a text: kinds and positions, never the words themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from selat.core.canonical import canonical_text
from selat.core.label import PersonalKind

SENSITIVE_FLAGS = frozenset({"HEALTH", "RELIGION", "POLITICS", "OFFENCE"})
BIOMETRIC_FLAG = "BIOMETRIC"
MEDIA_FLAG = "MEDIA"
"""Set where an image, a sound or a file goes with the text: no detector has read it."""
FIELDS_FLAG = "UNKNOWN_FIELDS"
"""Set where a request has fields beside those of its protocol, which go to the engine as they are."""
NOT_PERSONAL = frozenset({"SSM", "SECRET"})


class Finding(NamedTuple):
    """A piece of personal or secret data: characters `start` to `end` (exclusive) of the text as given.

    `confidence` is 0 < c <= 1. The text itself never leaves the guard. A tuple: it is made in the
    hottest loop.
    """

    start: int
    end: int
    kind: str
    confidence: float = 1.0


@dataclass(frozen=True)
class Scan:
    """The result of scanning one text. `ok` is False when a detector failed: policy then denies.

    What follows from it is worked out once: the guard gives the same Scan again for a text that it knows.
    """

    findings: tuple[Finding, ...] = ()
    flags: frozenset[str] = frozenset()
    ok: bool = True

    @cached_property
    def personal(self) -> PersonalKind:
        """The kind of personal data that findings and flags amount to. Source: PDPA 2010 ss 4, 40."""
        if BIOMETRIC_FLAG in self.flags:
            return PersonalKind.BIOMETRIC
        if self.flags & SENSITIVE_FLAGS:
            return PersonalKind.SENSITIVE
        if any(finding.kind not in NOT_PERSONAL for finding in self.findings):
            return PersonalKind.PERSONAL
        return PersonalKind.NONE

    def counts(self) -> dict[str, int]:
        """Number of findings of each kind, kinds sorted: all that a ledger entry may hold of them."""
        tally: dict[str, int] = {}
        for finding in self.findings:
            tally[finding.kind] = tally.get(finding.kind, 0) + 1
        return dict(sorted(tally.items()))

    @cached_property
    def kinds(self) -> frozenset[str]:
        return frozenset(finding.kind for finding in self.findings)

    def to_json(self) -> dict[str, object]:
        """What an entry tells of it."""
        return {"ok": self.ok, "findings": self.counts(), "flags": sorted(self.flags)}

    @cached_property
    def leaf_text(self) -> str:
        return canonical_text(self.to_json())


CLEAN = Scan()
