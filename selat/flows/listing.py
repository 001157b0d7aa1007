"""listing: a page of the documents that a caller may know of, however many there are."""

from __future__ import annotations

from dataclasses import dataclass

from selat.core.caller import Caller
from selat.core.errors import NotFound
from selat.core.label import parse_label
from selat.flows.documents import Card, may_know_parcel, may_know_record, seen
from selat.knowledge import Library
from selat.knowledge.listing import ANY, Filter, Listing, Sort, Spot


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a list. `total` counts all that the caller may know of, `wanted` those that the filter leaves.

    `before` and `after` are where the pages beside it begin, None where there is none.
    """

    cards: tuple[Card, ...]
    total: int
    wanted: int
    collections: tuple[str, ...]
    folders: tuple[str, ...]
    before: Spot | None
    after: Spot | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a page begins: after a spot, or before one; at the first document without either."""

    after: Spot | None = None
    before: Spot | None = None
    most: int = 50


def leaf(library: Library, caller: Caller, wanted: Filter, turn: Turn) -> Leaf:
    """A page by keyset: it costs the same wherever it begins, and a document that comes does not shift it."""
    listing = Listing(library.store, caller.tenant)
    sorts = _known(library, caller, listing)
    if turn.before is not None:
        spots = listing.before(sorts, wanted, turn.before, turn.most + 1)
        earlier, spots = len(spots) > turn.most, spots[-turn.most :]
        later = True
    else:
        spots = listing.after(sorts, wanted, turn.after, turn.most + 1)
        later, spots = len(spots) > turn.most, spots[: turn.most]
        earlier = turn.after is not None
    return Leaf(
        tuple(_cards(library, caller, spots)),
        listing.count(sorts, ANY),
        listing.count(sorts, wanted),
        tuple(sorted({one.collection for one in sorts})),
        tuple(sorted({one.folder for one in sorts if one.folder})),
        spots[0] if spots and earlier else None,
        spots[-1] if spots and later else None,
    )


def readable(library: Library, caller: Caller) -> tuple[int, tuple[str, ...]]:
    """How many documents the caller may ask about now, and in which collections."""
    listing = Listing(library.store, caller.tenant)
    ready = [one for one in _known(library, caller, listing) if one.held and one.status == "ready"]
    return sum(one.number for one in ready), tuple(sorted({one.collection for one in ready}))


def _known(library: Library, caller: Caller, listing: Listing) -> list[Sort]:
    return [one for one in listing.sorts() if _may_know(library, caller, one)]


def _may_know(library: Library, caller: Caller, sort: Sort) -> bool:
    if sort.held:
        return may_know_record(caller, parse_label(sort.label), sort.readers)
    place = (caller.tenant, sort.collection, sort.folder)
    return may_know_parcel(library, caller, place, sort.sender, sort.label)


def _cards(library: Library, caller: Caller, spots: list[Spot]) -> list[Card]:
    found = []
    for spot in spots:
        try:
            found.append(seen(library, caller, spot.collection, spot.document))
        except NotFound:
            continue  # gone, or kept to others, since the list was read
    return found
