"""What an engine is: something at a known site that runs models and answers calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from selat.core.caller import Site
from selat.core.errors import EngineError
from selat.core.timing import Timing

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MODELS = "/v1/models"


class Call(msgspec.Struct, frozen=True):
    """One request to an engine: `path` as our callers know it (`/v1/chat/completions`), `body` its JSON.

    An engine puts its own prefix in the place of `/v1`. `stream` says that events are wanted as they come.
    `tenant` is whose turn it is in the queue of a busy engine, where `background` work (an eval, a batch)
    lets people go first; neither is ever sent. `trace` is a W3C `traceparent` to send
    along, `timing` is told how long the call waited for its connection.
    """

    path: str
    body: bytes
    stream: bool
    tenant: str = ""
    background: bool = False
    trace: str = ""
    timing: Timing | None = None

    def __repr__(self) -> str:
        return f"Call({self.path!r}, {len(self.body)} bytes, stream={self.stream})"


Sink = Callable[[bytes], asyncio.Future[None] | None]
"""Takes a piece of an answer; gives back a future where nothing more should come until that is done."""


Leave = Callable[[], None]
"""Called when whoever asked has gone: nothing more is told him."""


class Answer(Protocol):
    """An engine's reply: status and type at once, the body as it comes.

    `chunks()` may be taken once. It yields bytes without transfer coding: a JSON reply in one piece (a very
    large one in several), events in the pieces they arrived in. It raises EngineUnreachable, EngineTimeout
    or EngineGarbage when the engine breaks off.

    `close()` may be called at any time, more than once; before the end it breaks the connection so that the
    engine stops working for nobody. It never suspends, so it is safe in `finally` of a cancelled task.
    """

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    async def close(self) -> None: ...


Told = Callable[[Answer | EngineError | None], None]
"""Called once with what came of a call: its Answer, an error, or None where it is to be sent again."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. `detail` is for people; `models` are the names the engine itself gave, if any."""

    ok: bool
    detail: str
    latency_ms: float = 0.0
    models: tuple[str, ...] = ()


class Engine(Protocol):
    """Something that runs models. `models` are public names; `upstream_model` gives the engine's own.

    `send` raises EngineUnreachable, EngineTimeout or EngineGarbage while not one byte of the body has come:
    until then another engine may be asked instead. `in_flight` counts calls not yet ended.
    """

    @property
    def name(self) -> str: ...

    @property
    def site(self) -> Site: ...

    @property
    def models(self) -> tuple[str, ...]: ...

    @property
    def in_flight(self) -> int: ...

    def upstream_model(self, model: str) -> str: ...

    async def send(self, call: Call) -> Answer: ...

    async def health(self) -> Health: ...

    async def close(self) -> None: ...


class Ready:
    """An Answer that is already there, in one piece or in several events; what engines in-process give."""

    __slots__ = ("_pieces", "content_type", "status")

    def __init__(self, pieces: tuple[bytes, ...], content_type: str, status: int = 200) -> None:
        self.status = status
        self.content_type = content_type
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def close(self) -> None:
        self._pieces = ()
