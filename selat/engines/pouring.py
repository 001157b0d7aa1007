"""Takes an answer without a task where it can: poured into a sink as it comes, or whole where it has come."""

from __future__ import annotations

from selat.engines.answer import HttpAnswer, Over
from selat.engines.engine import Answer, Leave, Sink


async def pour(answer: Answer, sink: Sink) -> None:
    """Give every piece to `sink`, waiting where it asks for that. Raises: as the answer does, and the sink."""
    if isinstance(answer, HttpAnswer):
        await answer.pour(sink)
        return
    async for piece in answer.chunks():
        held = sink(piece)
        if held is not None:
            await held


def flows(answer: Answer) -> bool:
    """Whether `flow` can pour an answer."""
    return isinstance(answer, HttpAnswer)


def flow(answer: Answer, sink: Sink, over: Over) -> Leave:
    """`pour` by plain calls, of an answer that `flows`. `over` is called once at the end, perhaps in this very
    call, with the error where there was one. The Leave ends it before, and then nothing is told."""
    assert isinstance(answer, HttpAnswer)
    answer.flow(sink, over)
    return answer.halt


def at_hand(answer: Answer) -> bytes | None:
    """An answer's whole body, where it has come already and need not be waited for."""
    if not isinstance(answer, HttpAnswer):
        return None
    whole, answer.whole = answer.whole, None
    return whole


def retry_after(answer: Answer) -> str:
    """When an engine that was asked too much may be asked again: seconds or an HTTP-date; "" if it did not say."""
    return answer.retry_after if isinstance(answer, HttpAnswer) else ""
