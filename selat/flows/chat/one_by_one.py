"""A stream's events one by one, for a door that must await between them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from selat.core.errors import EngineError, GuardFailed
from selat.flows.chat.outcome import outcome_of
from selat.flows.chat.streamed import Streamed


async def one_by_one(stream: Streamed) -> AsyncIterator[bytes]:
    """What `Streamed.pour` gives its sink. Raises: EngineError, when the engine breaks off."""
    given: list[bytes] = []
    stream.open(given.append)
    try:
        async for chunk in stream.answer.chunks():
            stream.pass_on(chunk)
            if given:
                yield given.pop()
        stream.finish()
        if given:
            yield given.pop()
    except (EngineError, GuardFailed) as error:
        stream.end(outcome_of(error), error.status)
        raise
    stream.end("complete", 200)
