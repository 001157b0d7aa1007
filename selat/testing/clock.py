"""A clock that moves only when told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class FixedClock:
    """Call it for the time (aware, UTC); `seconds()` is the same moment as a float since the epoch."""

    now: datetime = datetime(2026, 8, 31, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
