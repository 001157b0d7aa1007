"""An engine that says back what it was asked, and remembers it; for tests here and in plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from selat.core.caller import Site
from selat.core.errors import BadRequest, EngineError
from selat.engines.engine import Answer, Call, Health, Ready
from selat.engines.speak import read_prompt, refusal, say


@dataclass(slots=True)
class EchoEngine:
    """Answers `Echo: <last user text>` to chat and completions.

    `calls` holds every call that reached it: an empty list proves that nothing left the house. `fails` is
    raised by `send`; `breaks` is raised by `chunks()` after `breaks_after` pieces. `reply` replaces the text.
    """

    name: str = "echo"
    site: Site = field(default_factory=lambda: Site("MY"))
    models: tuple[str, ...] = ("echo",)
    reply: str | None = None
    fails: EngineError | None = None
    breaks: EngineError | None = None
    breaks_after: int = 1
    calls: list[Call] = field(default_factory=list)
    in_flight: int = 0
    closed_early: int = 0

    def upstream_model(self, model: str) -> str:
        return model

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        if self.fails is not None:
            raise self.fails
        try:
            prompt = read_prompt(self.name, call)
        except BadRequest as error:
            return refusal(error)
        text = self.reply if self.reply is not None else f"Echo: {prompt.question}"
        self.in_flight += 1
        return _Watched(self, say(prompt, text, created=0))

    async def health(self) -> Health:
        return Health(self.fails is None, "ok" if self.fails is None else str(self.fails), 0.0, self.models)

    async def close(self) -> None:
        """Nothing to close."""


class _Watched:
    """An Answer that tells its engine how it ended."""

    def __init__(self, engine: EchoEngine, ready: Ready) -> None:
        self.status, self.content_type = ready.status, ready.content_type
        self._engine, self._ready, self._ended = engine, ready, False

    async def chunks(self) -> AsyncIterator[bytes]:
        given = 0
        async for piece in self._ready.chunks():
            if self._engine.breaks is not None and given >= self._engine.breaks_after:
                self._end()
                raise self._engine.breaks
            given += 1
            yield piece
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._engine.in_flight -= 1

    async def close(self) -> None:
        if not self._ended:
            self._engine.closed_early += 1
        self._end()
