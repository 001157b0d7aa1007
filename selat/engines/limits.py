"""How long and how much an engine may take before we give up on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_HEAD_BYTES: Final = 64 * 1024
"""Most bytes of head, trailers or chunk extensions taken without a byte of body between them."""

HIGH_WATER_BYTES = 256 * 1024
"""Reading pauses once this much of an answer waits unread; one more read (256 KiB at most) may follow."""

WRITE_SLICE_BYTES: Final = 64 * 1024
AT_ONCE_BYTES: Final = 4 * WRITE_SLICE_BYTES
"""Bodies above this are written a slice at a time, each drained before the next."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Longest waits of each phase, in seconds.

    `queue`: for a free connection. `connect`: name, TCP and TLS. `first_byte`: from the request written to
    the first byte of body, which for a reply not streamed is the whole generation. `between`: from one
    piece to the next while nothing waits unread. `total`: the whole exchange, whatever happens. `load`, of
    models that Selat runs itself: for the model to be loaded, and for others to make room for it.
    """

    queue_s: float = 30.0
    connect_s: float = 5.0
    first_byte_s: float = 300.0
    between_s: float = 60.0
    total_s: float = 900.0
    load_s: float = 600.0

    @property
    def tick_s(self) -> float:
        """How often waits are looked at: a tenth of the shortest, from 20 ms to half a second."""
        shortest = min(self.queue_s, self.first_byte_s, self.between_s, self.total_s)
        return min(0.5, max(0.02, shortest / 10))


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many calls at once (each holds one connection), how many may wait, how long idle ones are kept.

    vLLM and other uvicorn servers drop idle connections after 5 s: a kept one that turns out closed costs
    one retry on a fresh one, so `idle_s` may be longer.
    """

    max_connections: int = 256
    max_waiting: int = 1024
    idle_s: float = 30.0
