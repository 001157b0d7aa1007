"""Passages are ordered anew by an engine, on the chat road: decided under the join of their labels, booked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from selat.core.caller import Caller
from selat.core.errors import CallerError, EngineError, EngineGarbage
from selat.core.label import Label
from selat.flows.aside import Aside
from selat.flows.chat import Desk, Whole, chat
from selat.wire import APIS, Ask, read_ask

log = logging.getLogger("selat.rerank")

PURPOSE = "chat"
RERANK = APIS["/v1/rerank"]


@dataclass(frozen=True, slots=True)
class Ranker:
    """An engine's model that ranks, empty for none, and the longest wait for it."""

    model: str = ""
    timeout_s: float = 5.0


NO_RANKER = Ranker()


async def rerank(desk: Desk, ask: Ask, timeout_s: float) -> list[float] | None:
    """A score for each document of a reranking ask, higher is better; None where there is no order to be had:
    policy keeps the texts from the model, or it fails, is not there, or takes longer than `timeout_s`.

    Raises: LedgerUnavailable.
    """
    documents = ask.document["documents"]
    assert isinstance(documents, list)
    try:
        async with asyncio.timeout(timeout_s):
            return _scores(await chat(desk, ask), len(documents))
    except (EngineError, CallerError, TimeoutError) as error:
        # The name alone: a message may repeat what an engine said.
        log.warning("reranking model: %s; passages stay in the order of their scores", type(error).__name__)
        return None


def _scores(reply: object, count: int) -> list[float]:
    if not isinstance(reply, Whole) or reply.status != 200:
        raise EngineGarbage("the engine gave no order; see selat engine list")
    try:
        told: dict[str, Any] = msgspec.json.decode(reply.body)
        found = {int(row["index"]): float(row["relevance_score"]) for row in told["results"]}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise EngineGarbage("the engine's order is not as vLLM and Jina write it") from error
    if found.keys() != set(range(count)):
        raise EngineGarbage(f"the engine ranked {len(found)} of {count} texts")
    return [found[index] for index in range(count)]


def _body(model: str, question: str, texts: Sequence[str]) -> bytes:
    told = {"model": model, "query": question, "documents": list(texts), "top_n": len(texts)}
    return msgspec.json.encode({**told, "return_documents": False})


class CallersReranker:
    """Ranks for one ask, in its caller's own name, on the event loop that serves it. Call it in another thread."""

    def __init__(self, desk: Desk, ask: Ask, ranker: Ranker) -> None:
        self._desk, self._ask, self._ranker = desk, ask, ranker
        self._loop = asyncio.get_running_loop()

    def scores(self, question: str, texts: Sequence[str], label: Label, tenant: str) -> list[float] | None:
        body = _body(self._ranker.model, question, texts)
        wish = read_ask(RERANK, self._ask.caller, body, self._ask.purpose, self._ask.label.join(label))
        wish = wish._replace(background=self._ask.background)
        return asyncio.run_coroutine_threadsafe(
            rerank(self._desk, wish, self._ranker.timeout_s), self._loop
        ).result()

    def close(self) -> None:
        """Nothing is held."""


class EngineReranker:
    """Ranks for whoever works at the machine itself: a search that no caller's ask stands behind."""

    def __init__(self, desk: Callable[[], Desk], caller: Callable[[str], Caller], ranker: Ranker) -> None:
        self._aside, self._caller, self._ranker = Aside(desk, "selat-rerank"), caller, ranker

    def scores(self, question: str, texts: Sequence[str], label: Label, tenant: str) -> list[float] | None:
        caller = self._caller(tenant)
        body = _body(self._ranker.model, question, texts)
        wish = read_ask(RERANK, caller, body, PURPOSE, label.join(caller.prompt_label))
        return self._aside.run(lambda desk: rerank(desk, wish, self._ranker.timeout_s))

    def close(self) -> None:
        """Let go of the thread and its connections."""
        self._aside.close()
