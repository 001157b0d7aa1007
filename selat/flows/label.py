"""label: a document's label is raised by anyone who may, and lowered by a named officer who says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selat.core.caller import Caller
from selat.core.errors import Forbidden, Misused, NotFound
from selat.core.label import Label
from selat.knowledge import NO_DOCUMENT, Library

OFFICER = "officer"
REASON_LEAST, REASON_MOST = 10, 500

Record = Callable[[str, dict[str, object], str], str]
"""Books a change: kind, facts, tenant; the receipt id."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is."""

    tenant: str
    collection: str
    document: str


@dataclass(frozen=True, slots=True)
class Relabelled:
    old: Label
    new: Label
    receipt: str


def raise_label(library: Library, place: Place, label: Label, record: Record) -> Relabelled:
    """Join `label` to the document's own: it can only become stricter. Raises: NotFound, Misused."""
    old = library.label(place.tenant, place.collection, place.document)
    new = old.join(label)
    if new == old:
        raise Misused(f"the label is {old} already; nothing to raise")
    library.relabel(place.tenant, place.collection, place.document, new)
    return Relabelled(old, new, record("label.raised", _facts(place, old, new), place.tenant))


def lower_label(
    library: Library, place: Place, label: Label, by: tuple[Caller, str], record: Record
) -> Relabelled:
    """Give the document a label that is lower on some axis. `by` is the officer and the reason.

    The entry is durable before the label changes: no document is ever lower than the book says. The reason is
    an officer's official statement and stands in the entry.
    Raises: Forbidden for one who is no officer; NotFound, also for a document above the officer's clearance or
    of another tenant; Misused.
    """
    officer, _ = by
    stated = officers_reason(by)
    if officer.tenant != place.tenant:
        raise NotFound(NO_DOCUMENT)
    old = library.label(place.tenant, place.collection, place.document)
    if not old.within(officer.clearance):
        raise NotFound(NO_DOCUMENT)
    if old.within(label) and old.jurisdictions <= label.jurisdictions:
        raise Misused(f"the label is {old}; {label} is not lower. To raise it: selat label raise")
    facts = {**_facts(place, old, label), "officer": officer.key, "reason": stated}
    receipt = record("label.lowered", facts, place.tenant)
    library.relabel(place.tenant, place.collection, place.document, label)
    return Relabelled(old, label, receipt)


def officers_reason(by: tuple[Caller, str]) -> str:
    """Why an officer lowers a label, as it will stand in the book. Raises: Forbidden for anyone else; Misused."""
    officer, reason = by
    if OFFICER not in officer.roles:
        raise Forbidden("only an officer lowers a label; use the API key of one: selat key create --role officer")
    if not REASON_LEAST <= len(reason.strip()) <= REASON_MOST:
        raise Misused(f"reason: say why, in {REASON_LEAST} to {REASON_MOST} characters, without personal data")
    return reason.strip()


def relabel(library: Library, place: Place, label: Label, by: tuple[Caller, str], record: Record) -> Relabelled:
    """Give the document this label: raised by anyone who may change it, lowered by an officer with a reason.

    Raises: as `raise_label` and `lower_label` do.
    """
    old = library.label(place.tenant, place.collection, place.document)
    if old.join(label) == label:
        return raise_label(library, place, label, record)
    return lower_label(library, place, label, by, record)


def _facts(place: Place, old: Label, new: Label) -> dict[str, object]:
    return {
        "collection": place.collection,
        "document": place.document,
        "from": old.to_json(),
        "to": new.to_json(),
    }
