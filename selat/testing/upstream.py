"""A small real HTTP server that speaks the OpenAI protocol and behaves as its model names say.

    with Upstream() as upstream:
        engine = OpenAIEngine(EngineSpec(..., url=upstream.url))   # model "echo", "dies:2", "slow:0.05", ...
        upstream.received[-1].body                                 # what really left the house

It runs in a thread of its own, on a port the system picks. `python -m selat.testing` runs one by hand.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from selat.testing import replies
from selat.testing.behaviours import BEHAVIOURS, Exchange


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def ask(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Upstream:
    """The server. `hangups` counts answers that a client left before their end; `connections` those ever made."""

    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    hangups: int = 0
    connections: int = 0
    open: int = 0
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _stop: asyncio.Event | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Upstream:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(60):
            raise RuntimeError("the upstream did not start within 60 s")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(10)

    def wait(self) -> None:
        """Until it is stopped from elsewhere, or the process is interrupted."""
        if self._thread is not None:
            self._thread.join()

    def settles(self, true: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Whether `true` comes true within `seconds`: the server runs in its own thread, in its own time."""
        deadline = time.monotonic() + seconds
        while not true() and time.monotonic() < deadline:
            time.sleep(0.002)
        return true()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass  # a client that left, or spoke badly: the counters say so
        except asyncio.CancelledError:
            pass  # the server is stopping
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether another may follow on this connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return False
        line, *fields = head.strip().split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.received.append(Received(method, path, headers, body))
        ask = json.loads(body) if body else {}
        if method == "GET":
            await Exchange(path, ask, "", writer).json(replies.models(sorted(BEHAVIOURS)))
            return True
        name, _, argument = str(ask.get("model", "echo")).partition(":")
        exchange = Exchange(path, ask, argument, writer)
        known = BEHAVIOURS.get(name)
        if known is None:
            await exchange.json(replies.error(404, f"no model {name}"), 404)
            return True
        await self._watched(known(exchange), reader, writer)
        if exchange.argument == "close-next":
            await reader.read(1)
            return False
        return not writer.is_closing()

    async def _watched(self, answering: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer, but stop as soon as the client leaves, as a real engine does."""
        task = asyncio.ensure_future(answering)
        leaving = asyncio.ensure_future(_eof(reader))
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.hangups += 1
                raise ConnectionResetError
            if isinstance(task.exception(), ConnectionError):
                self.hangups += 1
            task.result()
        finally:
            leaving.cancel()
            task.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)


async def _eof(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof():
        await asyncio.sleep(0.01)
        if reader.exception() is not None:
            return
