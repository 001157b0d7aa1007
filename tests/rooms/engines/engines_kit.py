"""Short ways to say what these tests say often."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from waiting import CEILING_S

from selat.core.caller import Site
from selat.engines import CHAT, Answer, Call, Capacity, EngineSpec, OpenAIEngine, Timeouts

LOOP: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"kind": asyncio.new_event_loop}
"""What `run` runs on; the `each_loop` fixture sets it."""

QUICK = Timeouts(first_byte_s=0.3)
"""Only for an engine that never begins: any other may take longer where the machine is busy."""


def spec(url: str, **fields: Any) -> EngineSpec:
    fields.setdefault("models", (("public", "echo"),))
    fields.setdefault("timeouts", Timeouts())
    fields.setdefault("capacity", Capacity())
    return EngineSpec("laut", "openai", Site("MY"), url=url, **fields)


def chat(model: str, text: str = "apa khabar", *, stream: bool = False, tenant: str = "", **fields: Any) -> Call:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, **fields}
    return Call(CHAT, json.dumps(body).encode(), stream, tenant)


async def read(answer: Answer, into: list[bytes] | None = None) -> bytes:
    """The whole body; `into` keeps what came before an error."""
    got = [] if into is None else into
    async for piece in answer.chunks():
        got.append(piece)
    return b"".join(got)


async def until(true: Callable[[], bool], seconds: float = CEILING_S) -> bool:
    """Whether `true` comes true within `seconds`, while the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        await asyncio.sleep(0.002)
    return true()


def run(engine: OpenAIEngine, story: Callable[[OpenAIEngine], Awaitable[Any]]) -> Any:
    """Run a story on a fresh event loop of the kind under test and close the engine."""

    async def whole() -> Any:
        try:
            return await story(engine)
        finally:
            await engine.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=LOOP["kind"]) as runner:
        return runner.run(whole())
