"""What the chat flow joins: the rooms, and the few plain functions it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from selat.core.entry import Closing, Opening
from selat.core.timing import Timing
from selat.engines import Engine, Router
from selat.flows.meter import Settle, free
from selat.guard import Guard
from selat.ledger import Journal
from selat.policy import Decider
from selat.wire import Ask

if TYPE_CHECKING:
    from selat.flows.chat.lane import Lane


DOCUMENTS: Final = "docs"
"""The model that answers from documents, by any engine: it is on no shelf, and anybody may name it in a chat."""


class Shelf(Protocol):
    """The engines that run a model, best first; and the names of all models."""

    def lookup(self, model: str) -> tuple[Engine, ...]: ...
    def models(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the flow joins. `now` gives RFC 3339 UTC text, `stamp` a fresh id and that text, `entropy` that many
    fresh random bytes.

    `durable_first`: the opening entry is on disk before the prompt is sent; else before the answer's first byte.
    `router` orders the engines that policy allows, and keeps their breakers. `count` is told of each opening
    and closing, for metrics; `timed` of the Timing of each ask that ended (without a Closing: it was refused),
    and `gaps` of the seconds between a stream's pieces. `passported` tells whether a model was promoted for
    the ask's purpose. `hedge_after_s`, where it is not 0, is how long an engine may take to begin before another
    is asked too. `reserve` sets aside what an Ask may spend at an engine, or raises TooMany. `packs` is, by
    profile, the digest of the rule packs in force. `mask_answers` are the kinds of personal data that an answer
    must not bring to a caller who did not send them. `lanes` are what earlier asks met.
    """

    guard: Guard
    decider: Decider
    shelf: Shelf
    journal: Journal
    now: Callable[[], str]
    entropy: Callable[[int], bytes]
    stamp: Callable[[], tuple[str, str]]
    count: Callable[[Opening | Closing], None]
    router: Router
    timed: Callable[[Timing, Opening, Closing | None], None] = lambda timing, opening, closing: None
    gaps: Callable[[Sequence[float]], None] = lambda seconds: None
    passported: Callable[[Ask, Engine], bool] = lambda ask, engine: False
    reserve: Callable[[Ask, str], Settle] = lambda ask, engine: free
    durable_first: bool = True
    hedge_after_s: float = 0.0
    packs: Mapping[str, str] = field(default_factory=dict)
    mask_answers: frozenset[str] = frozenset()
    lanes: dict[tuple[str, str, str, str, str], Lane] = field(default_factory=dict)
