"""Lets an answer run into a sink: within the call that brings a piece where the engine is reached over HTTP."""

from __future__ import annotations

from selat.engines.engine import Answer, Sink
from selat.engines.http1 import HttpAnswer


async def pour(answer: Answer, sink: Sink) -> None:
    """Give every piece to `sink`, waiting where it asks for that. Raises: as the answer does, and the sink."""
    if isinstance(answer, HttpAnswer):
        await answer.pour(sink)
        return
    async for piece in answer.chunks():
        held = sink(piece)
        if held is not None:
            await held
