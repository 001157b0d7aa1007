"""Hedging, off unless a setting says after how long: a second engine is asked while the first has not begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from selat.engines import Answer

Send = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Hedge:
    """When to ask a second engine: after so long, where `may` allows it; `good` tells an answer from a failure."""

    after_s: float
    may: Callable[[], bool]
    good: Callable[[Answer], bool]


async def race(first: Send, second: Send, hedge: Hedge) -> tuple[Answer, bool]:
    """The good answer that began first, and whether it is the second's.

    When one fails the other is waited for. The one that comes too late is hung up on, so that its engine stops.
    Raises: EngineError, the first's, when all that were asked failed.
    """
    tries = [asyncio.ensure_future(first())]
    won = tries[0]
    try:
        await asyncio.wait(tries, timeout=hedge.after_s)
        if not won.done() and hedge.may():
            tries.append(asyncio.ensure_future(second()))
        waiting = set(tries)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            good = [one for one in tries if one in done and one.exception() is None and hedge.good(one.result())]
            if good:
                won = good[0]
                break
        else:
            # None is good: an answer that says so is better than none.
            won = next((one for one in tries if one.exception() is None), won)
        return await won, won is not tries[0]
    finally:
        for one in tries:
            if one is not won or not won.done():
                one.add_done_callback(_hang_up)
                one.cancel()


def _hang_up(late: asyncio.Future[Answer]) -> None:
    """End an answer that nobody waits for; an error of it is taken note of."""
    if not late.cancelled() and late.exception() is None:
        closing = asyncio.ensure_future(late.result().close())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
