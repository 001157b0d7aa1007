"""Short ways to say what these tests say often."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from waiting import CEILING_S

from selat.core.caller import Site
from selat.core.errors import EngineTimeout
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


async def goes_through(engine: OpenAIEngine) -> None:
    """A call is answered, be it by a later try where the machine takes longer than the test's own short limits."""
    deadline = time.monotonic() + CEILING_S
    while True:
        try:
            assert b"tamat" in await read(await engine.send(chat("echo", "tamat")))
            return
        except EngineTimeout:
            assert time.monotonic() < deadline


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


class Scripted:
    """A raw server: what to do with each connection, in order; the last script serves all later ones."""

    def __init__(self, *scripts: list[bytes | None]) -> None:
        self.scripts = list(scripts)
        self.accepted = 0
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.accepted, len(self.scripts) - 1)]
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection, script), daemon=True).start()

    def _serve(self, connection: socket.socket, script: list[bytes | None]) -> None:
        with connection, suppress(OSError):  # who asks may hang up at any time
            for reply in script:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += (more := connection.recv(65536))
                    if not more:
                        return
                self.requests += 1
                if reply is None:
                    return
                connection.sendall(reply)

    def close(self) -> None:
        self._listener.close()


OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"ok"'


@contextmanager
def scripted(*scripts: list[bytes | None]) -> Iterator[Scripted]:
    server = Scripted(*scripts)
    try:
        yield server
    finally:
        server.close()
