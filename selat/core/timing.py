"""When each part of a request was done: what histograms and spans are made from; never booked, no content."""

from __future__ import annotations

from typing import Protocol

from selat.core.entry import Closing, Opening


class Trace(Protocol):
    """A request's spans, where tracing is on.

    `sending` begins the span of a try at an engine and gives the `traceparent` to send along; `failed` ends it
    before another is tried, with our error's code or the status that came. `ended` ends what is left, once booked.
    """

    def sending(self, engine: str, model: str) -> str: ...
    def failed(self, engine: str, reason: str) -> None: ...
    def ended(self, timing: Timing, opening: Opening, closing: Closing | None) -> None: ...


NO_TRACE: Trace | None = None
"""By name: a compiler takes a bare None in a class for no value at all."""


class Timing:
    """One request's. Moments are seconds of `time.monotonic`, spans of time seconds; 0.0 is what did not happen.

    `arrived`: its head was whole. `read`: caller known, body read. `begun`, `scanned`, `decided`, `booked`: the
    chat flow's steps (`decided` with its quota set aside, `booked` on disk where that is waited for). `first`:
    the first byte of the answer. `ended`: the closing was booked. `queued_s`, `connect_s`: waits for a free
    connection and for a fresh one. `engine` was asked last, with this `outcome` (as a Closing's); those `left`
    failed, or were too late, before a first byte.
    """

    # On the class, since a request is done with before most of these differ from it; no slots, for their sake.
    arrived: float = 0.0
    read: float = 0.0
    begun: float = 0.0
    scanned: float = 0.0
    decided: float = 0.0
    booked: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    queued_s: float = 0.0
    connect_s: float = 0.0
    engine: str = ""
    outcome: str = ""
    left: tuple[str, ...] = ()
    trace: Trace | None = NO_TRACE
