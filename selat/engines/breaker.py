"""Circuit breakers and the retry budget: when to leave an engine alone, and when to stop trying again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a breaker opens: within a window, at least `failures` calls failed and were at least `share` of all.

    It stays open `pause_s`, then lets one call through: if that fails the pause doubles, up to `max_pause_s`.
    """

    failures: int = 5
    share: float = 0.5
    window_s: float = 10.0
    pause_s: float = 5.0
    max_pause_s: float = 60.0


@dataclass(slots=True)
class Breaker:
    """One engine's. Times are given, never taken: seconds of one monotonic clock.

    `opens_until` is None while it is closed, and calls then need not ask it.
    """

    rule: BreakerRule = field(default_factory=BreakerRule)
    failed: int = 0
    total: int = 0
    trips: int = 0
    opens_until: float | None = None
    _window_ends: float = 0.0
    _pause_s: float = 0.0
    _trying: bool = False

    def state(self, now: float) -> State:
        if self.opens_until is None:
            return State.CLOSED
        return State.OPEN if now < self.opens_until else State.HALF_OPEN

    def allows(self, now: float) -> bool:
        """Whether a call may go: always when closed, one at a time when half open."""
        return self.opens_until is None or (now >= self.opens_until and not self._trying)

    def begin(self, now: float) -> None:
        """A call goes out."""
        if self.state(now) is State.HALF_OPEN:
            self._trying = True

    def record(self, ok: bool | None, now: float) -> None:
        """A call ended well, badly, or (None) by the caller's own leaving, which says nothing of the engine."""
        if self.opens_until is not None:
            if not self._trying:
                return  # began before the breaker opened
            self._trying = False
            if ok:
                self._close()
            elif ok is False:
                self._open(now)
            return
        if ok is None:
            return
        if now >= self._window_ends:
            self.failed = self.total = 0
            self._window_ends = now + self.rule.window_s
        self.total += 1
        if ok:
            return  # it lowers the share that failed
        self.failed += 1
        if self.failed >= self.rule.failures and self.failed >= self.rule.share * self.total:
            self._open(now)

    def heal(self, now: float) -> None:
        """A probe found the engine well: let a call through now. Only a call that ends well closes the breaker."""
        if self.opens_until is not None:
            self.opens_until = min(self.opens_until, now)

    def wait_s(self, now: float) -> float:
        """How long until a call may be tried; 0 when one may now."""
        return 0.0 if self.opens_until is None else max(0.0, self.opens_until - now)

    def _open(self, now: float) -> None:
        self._pause_s = min(self._pause_s * 2, self.rule.max_pause_s) if self._pause_s else self.rule.pause_s
        self.opens_until = now + self._pause_s
        self.trips += 1

    def _close(self) -> None:
        self.opens_until = None
        self._pause_s = 0.0
        self.failed = self.total = 0
        self._window_ends = 0.0


@dataclass(slots=True)
class RetryBudget:
    """Second tries are paid from first ones: `share` of a try each, at most `most` saved up.

    When everything fails at once, retries add that share to the load instead of doubling it.
    """

    share: float = 0.1
    most: float = 10.0
    saved: float = 10.0

    def earn(self) -> None:
        self.saved = min(self.most, self.saved + self.share)

    def spend(self) -> bool:
        """Whether a second try may be made; it is then paid for."""
        if self.saved < 1.0:
            return False
        self.saved -= 1.0
        return True
