"""leading: every ask's way in; one of `docs` or `docs:COLLECTION` is answered from documents, any other as it is.

What documents need is loaded when the first ask of them comes: a worker that only passes asks on stays small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from selat.flows.chat import DOCUMENTS, Desk, Leave, Start, Streamed, Told, Whole, chat, start
from selat.wire import CHAT, Ask

MODEL = DOCUMENTS
EXTRACTIVE = "extractive"
_OURS: Final = (MODEL, EXTRACTIVE)
Grounding = Callable[[Ask, str], Awaitable[Whole | Streamed]]
"""Answers an ask from the documents of a collection, or of all where it is empty."""


def answering(load: Callable[[], Grounding], desk: Desk) -> Callable[[Ask], Awaitable[Whole | Streamed]]:
    """The way in. `load` is called once, in a thread, when the first ask of the documents comes."""
    found: list[Grounding] = []

    async def ground(ask: Ask, collection: str) -> Whole | Streamed:
        if not found:
            found.append(await asyncio.to_thread(load))
        return await found[0](ask, collection)

    def lead(ask: Ask) -> Awaitable[Whole | Streamed]:
        collection = collection_of(ask) if ask.model.startswith(_OURS) else None
        return chat(desk, ask) if collection is None else ground(ask, collection)

    return lead


def leading(desk: Desk) -> Start:
    """The same way in by plain calls, for every ask but one of a documents model."""

    def lead(ask: Ask, told: Told) -> Leave | None:
        if ask.model.startswith(_OURS) and collection_of(ask) is not None:
            return None
        return start(desk, ask, told)

    return lead


def collection_of(ask: Ask) -> str | None:
    """The collection an ask wants answers from: "" for all, None when it wants a model as such.

    The extractive engine has nothing to say by itself, so a plain ask of it is one of the documents.
    """
    name, _, collection = ask.model.partition(":")
    if ask.api.path == CHAT and (name == MODEL or ask.model == EXTRACTIVE):
        return collection
    return None
