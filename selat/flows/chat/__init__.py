"""chat: a caller asks a model; Selat scans, decides, books, sends, watches the answer and books its end.

This is the only road to an engine, taken in two ways: `chat` is awaited, `start` goes by plain calls as far as it
can, and both call the same steps. No receipt, no answer: the opening entry is durable before the prompt leaves,
and the closing entry is written by a plain call for whatever reason the answer ends.
"""

from __future__ import annotations

import asyncio
from typing import Final

from selat.flows.chat.decide import scan_ask
from selat.flows.chat.desk import DOCUMENTS, Desk
from selat.flows.chat.one_by_one import one_by_one
from selat.flows.chat.opened import Refusal, enter, opened, refuse
from selat.flows.chat.sent import Sent, Shape, Whole
from selat.flows.chat.short import Leave, Reply, Short, Start, Told
from selat.flows.chat.streamed import Streamed
from selat.wire import Ask

__all__ = [
    "DOCUMENTS",
    "Desk",
    "Leave",
    "Reply",
    "Start",
    "Streamed",
    "Told",
    "Whole",
    "chat",
    "one_by_one",
    "start",
]

THREADED_BYTES: Final = 256 * 1024
"""A larger body is scanned in a thread, so that one caller does not hold up the others; so is every body where
detectors of other makers take part, which are slow."""


async def chat(desk: Desk, ask: Ask, shape: Shape | None = None) -> Whole | Streamed:
    """Ask a model: an answer, or a stream whose `close` the door must call.

    `shape` turns a whole answer's bytes into those the caller gets, before they are committed to.
    Raises: NotFound before anything is read; Forbidden, LedgerUnavailable and EngineError once it is booked.
    """
    engines = enter(desk, ask)
    if len(ask.body) > THREADED_BYTES or desk.guard.detectors:
        scanned = await asyncio.to_thread(scan_ask, desk.guard, ask)
    else:
        scanned = scan_ask(desk.guard, ask)
    sent = opened(Sent, desk, ask, engines, scanned)
    if isinstance(sent, Refusal):
        raise await refuse(desk, ask, sent)
    return await sent.go(shape)


def start(desk: Desk, ask: Ask, told: Told) -> Leave | None:
    """`chat` by plain calls: `told` is called once with its Reply, perhaps within this call, and not after Leave.

    None: nothing is done; take `chat`. Raises: NotFound, and LedgerUnavailable when nothing could be booked.
    """
    if len(ask.body) > THREADED_BYTES or desk.guard.detectors:
        return None
    sent = opened(Short, desk, ask, enter(desk, ask), scan_ask(desk.guard, ask))
    if isinstance(sent, Short):
        return sent.start(told)
    told(_refused(desk, ask, sent))
    return nothing


async def _refused(desk: Desk, ask: Ask, refusal: Refusal) -> Whole | Streamed:
    raise await refuse(desk, ask, refusal)


def nothing() -> None:
    """The Leave of what has been handed over already."""
