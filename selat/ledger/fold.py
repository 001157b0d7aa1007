"""Builds the index from the log: all that it says is in the leaves."""

from __future__ import annotations

from pathlib import Path

from selat.core.errors import LedgerBroken
from selat.ledger.book import Book
from selat.ledger.facts import all_details
from selat.ledger.index import Index
from selat.ledger.lock import hold
from selat.ledger.place import Place, place_of
from selat.ledger.tiles import WIDTH, Tiles

_BUNDLES = 64


def catch_up(index: Index, tiles: Tiles) -> int:
    """Enter the leaves that the index lacks; how many. Raises: LedgerBroken, when it knows more than the log."""
    have, size = index.make(), tiles.size
    if have > size:
        raise LedgerBroken("the index knows more leaves than the log: the log was put back. selat ledger check")
    missing = size - have
    while have < size:
        leaves = tiles.leaves(have // WIDTH)[have % WIDTH :]
        for number in range(have // WIDTH + 1, min(have // WIDTH + _BUNDLES, -(-size // WIDTH))):
            leaves += tiles.leaves(number)
        lines = index.lines(have)
        lines.take(all_details(leaves))
        index.add(lines)
        have = lines.end
    return missing


def reindex(place: Path | Place) -> int:
    """Drop the index and fold the log anew; how many leaves. Stop `selat up` first.

    Raises: HomeBusy, while a sequencer is at work; LedgerBroken; OSError.
    """
    place = place_of(place)
    with hold(place.folder):
        index = Index(place.folder)
        index.drop()
        try:
            return catch_up(index, Tiles(place.log, Book(place).size))
        finally:
            index.close()
