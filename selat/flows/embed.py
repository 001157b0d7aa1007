"""Texts become vectors over the chat road: each request is decided under its texts' label, and booked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from selat.core.caller import Caller
from selat.core.errors import EngineGarbage, Forbidden
from selat.core.label import Label
from selat.flows.aside import Aside
from selat.flows.chat import Desk, Whole, chat
from selat.wire import APIS, read_ask

TOGETHER = 32
PURPOSE = "chat"


async def embed(
    desk: Desk, caller: Caller, model: str, texts: Sequence[str], label: Label
) -> list[list[float]] | None:
    """A vector each, or None where policy keeps these texts from every engine of the model.

    Raises: EngineError; NotFound for no such model; LedgerUnavailable.
    """
    found: list[list[float]] = []
    for at in range(0, len(texts), TOGETHER):
        some = list(texts[at : at + TOGETHER])
        body = msgspec.json.encode({"model": model, "input": some})
        ask = read_ask(APIS["/v1/embeddings"], caller, body, PURPOSE, label.join(caller.prompt_label))
        try:
            reply = await chat(desk, ask)
        except Forbidden:
            return None
        found.extend(_vectors(reply, len(some)))
    return found


def _vectors(reply: object, count: int) -> list[list[float]]:
    if not isinstance(reply, Whole) or reply.status != 200:
        raise EngineGarbage("the engine gave no vectors; see selat engine list")
    try:
        told: dict[str, Any] = msgspec.json.decode(reply.body)
        rows = sorted(told["data"], key=lambda row: row["index"])
        found = [[float(value) for value in row["embedding"]] for row in rows]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise EngineGarbage("the engine's vectors are not as OpenAI writes them") from error
    if len(found) != count or not all(found):
        raise EngineGarbage(f"the engine gave {len(found)} vectors for {count} texts")
    return found


class EngineEmbedder:
    """An engine's model as the library's embedder."""

    def __init__(self, desk: Callable[[], Desk], caller: Callable[[str], Caller], model: str) -> None:
        self._aside, self._caller, self._model = Aside(desk, "selat-embed"), caller, model

    @property
    def digest(self) -> str:
        """Of the model's name: an engine does not say which weights stand behind it."""
        return hashlib.sha256(f"engine:{self._model}".encode()).hexdigest()

    def passages(self, texts: Sequence[str], tenant: str, label: Label) -> list[list[float]] | None:
        caller = self._caller(tenant)
        return self._aside.run(lambda desk: embed(desk, caller, self._model, texts, label))

    def query(self, text: str, tenant: str) -> list[float] | None:
        caller = self._caller(tenant)
        found = self._aside.run(lambda desk: embed(desk, caller, self._model, [text], caller.prompt_label))
        return found[0] if found else None

    def close(self) -> None:
        """Let go of the thread and its connections."""
        self._aside.close()
