"""What the handlers of the gateway work with, handed in by the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from selat.app import Platform
from selat.core.caller import Caller
from selat.core.finding import Scan
from selat.flows.chat import Start, Streamed, Whole
from selat.gateway.logs import Access
from selat.gateway.metrics import Metrics
from selat.wire import Ask

if TYPE_CHECKING:
    from selat.gateway.spans import Spans


class Identify(Protocol):
    """The Caller of an API key. Raises: Unauthenticated."""

    def __call__(self, secret: str, /) -> Caller: ...


Answer = Callable[[Ask], Awaitable[Whole | Streamed]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take: size of a body and of an upload, and seconds for them and the head to arrive."""

    body_bytes: int
    body_s: float
    head_s: float
    upload_bytes: int
    upload_s: float


@dataclass(frozen=True, slots=True)
class Door:
    """What the handlers work with. `answer` leads every ask to the chat flow, documents models through `answer`;
    `start` does so by plain calls, as far as it can.

    `receipt(id, tenant)` gives a receipt as JSON-able values or None; `ready()` lists what is not in order.
    `scan_is_slow`: other makers' detectors take part, so even short texts are scanned in a thread.
    `passage(caller, document, n)` opens one passage, NotFound for one that the caller may not see.
    `spans` makes OpenTelemetry spans, where they are wanted.
    `uploaded()` is told that a document waits to be read.
    `house` is what the admin API shows and changes; no other handler touches it.
    """

    identify: Identify
    answer: Answer
    start: Start
    scan: Callable[[str], Scan]
    scan_is_slow: bool
    models: Callable[[], list[dict[str, object]]]
    receipt: Callable[[str, str], dict[str, object] | None]
    passage: Callable[[Caller, str, int], dict[str, object]]
    uploaded: Callable[[], None]
    ready: Callable[[], list[str]]
    metrics: Metrics
    access: Access
    spans: Spans | None
    render_metrics: Callable[[], bytes]
    limits: Limits
    house: Platform
