"""What a search of the index asks for and whose passages it may meet; the index itself is loaded when needed."""

from __future__ import annotations

from dataclasses import dataclass

from selat.core.label import Label

VERSION = 4


@dataclass(frozen=True, slots=True)
class Clause:
    """What one concept of a question may look like in a text: alternatives, each some stems and a weight."""

    alternatives: tuple[tuple[tuple[str, ...], float], ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose passages are searched. An empty `collection` means all of the tenant's.

    `groups` are the caller's: passages kept to groups are met only through one of them.
    """

    tenant: str
    collection: str
    clearance: Label
    whole: bool = False
    groups: frozenset[str] = frozenset()

    @property
    def terms(self) -> list[str]:
        """A passage is in scope when it holds one of these."""
        readers = ["", *sorted(self.groups)]
        which = bool(self.collection)
        return [scope_terms(self.tenant, self.collection, self.whole, one)[which] for one in readers]


def scope_terms(tenant: str, collection: str, whole: bool, readers: str = "") -> tuple[str, str]:
    """The terms of a tenant and of its collection, for passages or whole documents, kept to a group or to none.

    No name can forge another's: the parts are joined by control characters that are taken out of names.
    """
    kind, *names = (_plain(part) for part in ("document" if whole else "passage", tenant, collection, readers))
    kept = f"\x1e{names[2]}" if names[2] else ""
    return f"{kind}\x1f{names[0]}{kept}", f"{kind}\x1f{names[0]}\x1f{names[1]}{kept}"


def _plain(name: str) -> str:
    return name.replace("\x1f", " ").replace("\x1e", " ")
