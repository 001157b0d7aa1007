"""What policy decided, as a value with its rules and reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Basis:
    """The policy set a decision rests on: hex SHA-256 of its text and of its schema.

    `proof` is the hex SHA-256 of the invariants that were proved of this very set, or "" when none were.
    """

    set_hash: str
    schema_hash: str
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """Send as it is. `rules` are the ids of the policies that determined it."""

    rules: tuple[str, ...]
    reason: str
    basis: Basis
    effect: str = field(default="permit", init=False)


@dataclass(frozen=True, slots=True)
class Redact:
    """Send with every finding masked: as it is the request would be denied (`reason`), masked it is permitted."""

    rules: tuple[str, ...]
    reason: str
    basis: Basis
    effect: str = field(default="redact", init=False)


@dataclass(frozen=True, slots=True)
class Deny:
    """Do not send. An empty `rules` means that no policy permitted it, or that evaluation failed."""

    rules: tuple[str, ...]
    reason: str
    basis: Basis
    effect: str = field(default="deny", init=False)


Decision = Permit | Redact | Deny
EFFECTS = ("permit", "redact", "deny")
