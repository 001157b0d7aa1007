"""What stands now, beside what was counted: engines with their queues and breakers, the ledger, this process."""

from __future__ import annotations

import time

from selat.app import Platform
from selat.core.errors import LedgerBroken
from selat.gateway.metrics import of_process

STATES = ("closed", "open", "half_open")


def gauges(platform: Platform) -> dict[str, float]:
    """Samples of one worker's engines, journal and process."""
    found = {**of_process(), "selat_ledger_waiting": float(platform.journal.waiting)}
    for engine in platform.shelf.engines:
        named = f'{{engine="{engine.name}"}}'
        found[f"selat_engine_in_flight{named}"] = float(engine.in_flight)
        # An engine within this process has no connections to wait for.
        found[f"selat_engine_waiting{named}"] = float(getattr(engine, "waiting", 0))
    for name, view in platform.router.states().items():
        named = f'{{engine="{name}"}}'
        found[f"selat_engine_breaker_open{named}"] = float(view.state != "closed")
        found[f"selat_engine_breaker_trips_total{named}"] = float(view.trips)
        for state in STATES:
            labels = f'{{engine="{name}",state="{state}"}}'
            found[f"selat_engine_breaker_state{labels}"] = float(view.state == state)
    return found


class Lag:
    """How far the checkpoint is behind: one entry at a time is looked for until a checkpoint covers it."""

    def __init__(self, platform: Platform) -> None:
        self._book = platform.book
        self._id = self._sealed = ""
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """Age of the entry looked for; 0 when all that were looked for are covered."""
        return time.monotonic() - self._since if self._id else 0.0

    def look(self, last_id: str) -> None:
        """Look for the entry at hand, or take up `last_id`. It reads files: call it in a thread."""
        if self._id:
            try:
                covered = bool(self._book.find(self._id))
            except LedgerBroken:
                return
            if not covered:
                return
            self._sealed, self._id = self._id, ""
        if last_id != self._sealed:
            self._id, self._since = last_id, time.monotonic()
