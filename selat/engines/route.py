"""Which engine gets a call: by weight and load, the same conversation to the same engine, none that is failing.

Routing only orders the engines that policy has already allowed; it never adds one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from selat.engines.breaker import Breaker, BreakerRule, RetryBudget, State
from selat.engines.engine import Engine

OVERLOAD = 1.25
"""An engine over this many times its fair share of the load gives its conversations to the next."""

_KEY_CHARS = 2048

E = TypeVar("E", bound=Engine)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine as routing sees it. `weight` 0 is a last resort; `in_flight` are calls not yet ended."""

    name: str
    weight: int = 1
    in_flight: int = 0

    @property
    def load(self) -> float:
        return self.in_flight / self.weight if self.weight else float(self.in_flight)


class Route(NamedTuple):
    """The engine chosen and why: `only`, `affinity`, `overflow`, `least-load` or `last-resort`.

    `then` are the others in the order to try them, before a first byte and within the retry budget.
    """

    engine: str
    why: str
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker for metrics: its state, failures and calls in this window, how often it opened, seconds to go."""

    state: State
    failed: int
    total: int
    trips: int
    wait_s: float


def choose(
    candidates: Sequence[Candidate], breakers: Mapping[str, Breaker], key: bytes, now: float, turn: int = 0
) -> Route | None:
    """The Route among `candidates`; None when there is none or every breaker is open.

    With a `key` (see `affinity_key`) a conversation keeps to one engine, by rendezvous hashing: taking an
    engine away moves only that engine's conversations. Without one, the least loaded for its weight; `turn`,
    a running number, spreads calls by weight while loads are equal.
    """
    open_to = [one for one in candidates if one.name not in breakers or breakers[one.name].allows(now)]
    if not open_to:
        return None
    regular = [one for one in open_to if one.weight]
    last = sorted((one for one in open_to if not one.weight), key=lambda one: one.in_flight)
    if not regular:
        return Route(last[0].name, "last-resort", tuple(one.name for one in last[1:]))
    if len(regular) == 1:
        return Route(regular[0].name, "only", tuple(one.name for one in last))
    ranked = _ranked(regular, key or turn.to_bytes(8, "big"))
    by_load = sorted(ranked, key=lambda one: one.load)  # stable: rank breaks ties
    first, why = by_load[0], "least-load"
    if key:
        fair = OVERLOAD * (sum(one.in_flight for one in regular) + 1) / sum(one.weight for one in regular)
        first = next((one for one in ranked if one.in_flight < max(1.0, fair * one.weight)), by_load[0])
        why = "affinity" if first is ranked[0] else "overflow"
    return Route(first.name, why, tuple(one.name for one in [*by_load, *last] if one is not first))


def _ranked(candidates: Iterable[Candidate], key: bytes) -> list[Candidate]:
    """Highest weighted rendezvous score first. Each is first for a share of keys equal to its weight's."""

    def score(one: Candidate) -> float:
        digest = blake2b(one.name.encode(), key=key[:64], digest_size=8).digest()
        even = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)  # in (0, 1)
        return -one.weight / math.log(even)

    return sorted(candidates, key=score, reverse=True)


def affinity_key(tenant: str, texts: Iterable[str]) -> bytes:
    """The key of a conversation: its tenant and its first two texts (system prompt and first question).

    Later turns begin with the same texts, so they meet the engine whose cache holds them. Two thousand
    characters of each are enough to tell conversations apart.
    """
    digest = blake2b(tenant.encode(), digest_size=16)
    for _, text in zip(range(2), texts, strict=False):
        digest.update(b"\0")
        digest.update(text[:_KEY_CHARS].encode("utf-8", "surrogatepass"))
    return digest.digest()


@dataclass(slots=True)
class Router:
    """What one process knows of its engines: a breaker each, a retry budget, whose turn it is.

    `weight` gives an engine's weight, `clock` monotonic seconds. Use: `route`, then for each try `begin`, and
    whatever happens `end`; before a second try ask `may_retry`.
    """

    weight: Callable[[Engine], int]
    clock: Callable[[], float]
    rule: BreakerRule = field(default_factory=BreakerRule)
    budget: RetryBudget = field(default_factory=RetryBudget)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _turn: int = 0

    def order(self, engines: Sequence[E], key: bytes = b"") -> tuple[Route | None, list[E]]:
        """The Route and the engines in its order."""
        if len(engines) == 1:
            return (Route(engines[0].name, "only"), list(engines)) if self.takes(engines[0]) else (None, [])
        now = self.clock()
        self._turn += 1
        candidates = [Candidate(one.name, self.weight(one), one.in_flight) for one in engines]
        route = choose(candidates, self._breakers, key, now, self._turn)
        if route is None:
            return None, []
        named = {one.name: one for one in engines}
        return route, [named[name] for name in (route.engine, *route.then)]

    def takes(self, engine: Engine) -> bool:
        """Whether the only engine there is may have the call: what `order` costs without a choice to make."""
        breaker = self._breakers.get(engine.name)
        return breaker is None or breaker.opens_until is None or breaker.allows(self.clock())

    def may_retry(self) -> bool:
        return self.budget.spend()

    def begin(self, engine: str, first: bool = True) -> None:
        """A call goes out. The first of an ask earns a share of a second one."""
        if first and self.budget.saved < self.budget.most:
            self.budget.earn()
        breaker = self._breakers.get(engine)
        if breaker is None:
            self._breakers[engine] = Breaker(self.rule)
        elif breaker.opens_until is not None:
            breaker.begin(self.clock())

    def end(self, engine: str, ok: bool | None) -> None:
        """`ok` is False for what is the engine's failing (an EngineError, 5xx, 429), None when the caller left."""
        breaker = self._breakers.get(engine)
        if breaker is not None:
            breaker.record(ok, self.clock())

    def heal(self, engine: str) -> None:
        """A health probe went well: see `Breaker.heal`."""
        breaker = self._breakers.get(engine)
        if breaker is not None:
            breaker.heal(self.clock())

    def failing(self) -> frozenset[str]:
        """The engines whose breaker is open: those worth a health probe."""
        now = self.clock()
        return frozenset(name for name, one in self._breakers.items() if one.state(now) is State.OPEN)

    def wait_s(self, engines: Sequence[Engine]) -> float:
        """Seconds until the first of `engines` may be tried: what Retry-After says when `order` finds none."""
        now = self.clock()
        return min(
            (self._breakers[one.name].wait_s(now) for one in engines if one.name in self._breakers), default=0.0
        )

    def states(self) -> dict[str, BreakerView]:
        now = self.clock()
        return {
            name: BreakerView(one.state(now), one.failed, one.total, one.trips, one.wait_s(now))
            for name, one in self._breakers.items()
        }
