"""Who asks: an authenticated principal, and where things run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from selat.core.canonical import canonical_text
from selat.core.label import LOWEST, Label

EVERY_GROUP = "*"
"""In a caller's groups: it is in every one. Only whoever works at the machine itself is."""
GROUP_RULE = "write up to 63 small letters, digits, dots, _ and -, as in hr-utara"
_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
ROLES = ("operator", "builder", "officer", "auditor", "member")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal. `key` is the public id of the credential, never the credential.

    `clearance` bounds what the caller may be shown; `purposes` are those its tenant has registered;
    `prompt_label` is what the tenant takes an unlabelled prompt to be; `passport_purposes` are those of its
    purposes that only a model with a verified passport may serve; `profile` says which rule packs bind the tenant;
    `keeps_content` that it has its prompts and answers kept. `groups` are those whose documents it may know of,
    beside the ones that are kept to no group.
    """

    tenant: str
    key: str
    roles: frozenset[str] = frozenset()
    clearance: Label = LOWEST
    purposes: frozenset[str] = frozenset({"chat"})
    prompt_label: Label = LOWEST
    passport_purposes: frozenset[str] = frozenset()
    profile: str = "sme"
    keeps_content: bool = False
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Site:
    """Where something runs. Jurisdictions are ISO 3166-1 alpha-2; `operator` may answer to another law."""

    jurisdiction: str
    operator: str = "self"
    operator_jurisdiction: str = field(default="")
    hardware: str = "unknown"

    def __post_init__(self) -> None:
        if not self.operator_jurisdiction:
            object.__setattr__(self, "operator_jurisdiction", self.jurisdiction)

    def to_json(self) -> dict[str, object]:
        return {
            "jurisdiction": self.jurisdiction,
            "operator": self.operator,
            "operator_jurisdiction": self.operator_jurisdiction,
            "hardware": self.hardware,
        }

    @cached_property
    def leaf_text(self) -> str:
        return canonical_text(self.to_json())


def is_group(name: str) -> bool:
    """Whether this can be the name of a group."""
    return _GROUP.fullmatch(name) is not None
