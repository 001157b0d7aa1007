"""What a journal owes while its disk refuses: entries that stay true, to be written once there is room."""

from __future__ import annotations

from typing import Final, NamedTuple

from selat.ledger.facts import facts
from selat.ledger.record import Records

OWED_BYTES: Final = 16 * 2**20
"""The most that is taken on while the disk refuses: as much as a segment holds, the closings of 20,000 requests.

New requests are refused meanwhile: these are of requests that were under way, and no more come.
"""
ALTERED: Final = "ledger.journal-altered"
_CLOSING: Final = "closed"
_TRUE: Final = frozenset({"opened", "refused", _CLOSING, ALTERED})
"""Kinds that say what happened, durable in time or not. Not so a rerouting, which is not done before it is
durable, nor a change to the house, which is then not made, and perhaps tried again."""


class Kept(NamedTuple):
    """What is owed of a batch; `whole` says that it is all of it, and that nobody was to act on it."""

    bodies: list[bytes]
    whole: bool


def kept(bodies: list[bytes]) -> Kept:
    """What of a batch that is in no journal is owed."""
    kinds = [facts(leaf).kind for leaf in Records.of(bodies).leaves]
    owed = [body for body, kind in zip(bodies, kinds, strict=True) if kind in _TRUE]
    return Kept(owed, all(kind in (_CLOSING, ALTERED) for kind in kinds))


def closes(leaf: bytes) -> bool:
    """Whether a leaf is a closing: its answer has gone, whatever becomes of the entry."""
    return facts(leaf).kind == _CLOSING
