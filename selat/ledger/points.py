"""The points at which a crash must lose nothing: each is named here, reached in the code and walked by a test."""

from __future__ import annotations

from collections.abc import Callable

POINTS = (
    "journal.segment-made",
    "journal.room-made",
    "journal.written",
    "journal.synced",
    "plan.temp-written",
    "plan.renamed",
    "vault.written",
    "tile.temp-written",
    "tile.renamed",
    "tiles.synced",
    "checkpoint.signed",
    "checkpoint.temp-written",
    "checkpoint.renamed",
    "index.written",
    "segment.unlinked",
    "partials.removed",
)


def _nothing(point: str) -> None:
    """What happens at a point outside the crash tests."""


reached: Callable[[str], None] = _nothing


def on_reaching(action: Callable[[str], None]) -> None:
    """Run `action(point)` at every point from now on, in this process: for the crash tests."""
    global reached
    reached = action
