"""A host of models inside a test's own event loop, and llama engines that use it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from waiting import CEILING_S

from selat.core.caller import Site
from selat.engines import CHAT, Call, Capacity, EngineSpec, Host, Hosting, Leases, LlamaSpec, Timeouts, write_place
from selat.engines.llama import child
from selat.engines.llama.engine import LlamaEngine
from selat.engines.llama.serve import Doorway

GIB = 1 << 30


@dataclass
class Hosted:
    """A running host and the leases of one process that calls its models."""

    host: Host
    leases: Leases
    place: Path
    engines: list[LlamaEngine] = field(default_factory=list)

    def engine(self, name: str, gguf: Path, load_s: float = CEILING_S, **said: Any) -> LlamaEngine:
        llama = LlamaSpec(str(gguf), **{"context": 256, "threads": 1, "cache_mb": 0, **said})
        names = [name, *(adapter for adapter, _ in llama.adapters)]
        spec = EngineSpec(
            *(name, "llama", Site("MY"), tuple((one, one) for one in names)),
            timeouts=Timeouts(load_s=load_s),
            capacity=Capacity(64, 1024),
            llama=llama,
        )
        made = LlamaEngine(spec, self.leases)
        self.engines.append(made)
        return made

    def pid(self, name: str) -> int:
        """The process of a model that is loaded."""
        found = [one.process.pid for one in self.host._models.values() if one.name == name and one.process]
        return found[0]

    def loaded(self) -> set[str]:
        return {row.name for row in self.host.state().models if row.state == "ready"}


def story(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is a coroutine, on the gateway's kind of event loop."""

    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        async def whole() -> None:
            async with asyncio.timeout(5 * CEILING_S):
                await test(*given, **named)

        uvloop.run(whole())

    return run


@contextlib.asynccontextmanager
async def hosted(
    folder: Path, budget: int = 4 * GIB, stay_s: float = 0.05, free: Callable[[], int] = lambda: 1 << 40
) -> AsyncIterator[Hosted]:
    host = Host(budget, free, stay_s)
    doorway = Doorway(host)
    place = folder / "models.json"
    write_place(place, await doorway.open())
    running = asyncio.create_task(host.run())
    made = Hosted(host, Leases(Hosting(place)), place)
    try:
        yield made
    finally:
        await doorway.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.05)  # the leases notice


@contextlib.contextmanager
def bare(gguf: Path, secret: str = "kunci", output: list[bytes] | None = None) -> Iterator[str]:
    """llama.cpp's own server without a host, its address; what it wrote is left in `output`."""
    wanted = {
        **{"gguf": str(gguf), "alias": "a", "secret": secret, "context": 256, "parallel": 1},
        **{"gpu_layers": -1, "threads": 1, "cache_mb": 0, "chat_template": "", "embedding": False},
        **{"pooling": 0, "adapters": []},
    }
    process = subprocess.Popen(
        [sys.executable, "-P", child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(wanted).encode() + b"\n")
    process.stdin.flush()
    try:
        yield str(json.loads(process.stdout.readline())["address"])
    finally:
        written, _ = process.communicate(timeout=CEILING_S)
        if output is not None:
            output.append(written)
    assert process.returncode == 0


def call(text: str = "hai", path: str = CHAT, stream: bool = False, **more: Any) -> Call:
    body: dict[str, Any] = {"model": "a", "max_tokens": 4, "temperature": 0, **more}
    if path == CHAT:
        body["messages"] = [{"role": "user", "content": text}]
    return Call(path, json.dumps({**body, "stream": stream}).encode(), stream)


async def ask(engine: LlamaEngine, asked: Call | None = None) -> Any:
    """The whole answer, as JSON; the status must be 200."""
    answer = await engine.send(asked or call())
    body = b"".join([piece async for piece in answer.chunks()])
    assert answer.status == 200, body
    return json.loads(body)


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])
