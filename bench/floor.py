"""The least that Python takes: llhttp on both sides of uvloop, forwarding alone, or forwarding and booking.

    python bench/floor.py PORT UPSTREAM_PORT [FILE]

Forwarding alone is the floor under Selat's worker. With a file, what no gateway that proves its work can leave
out comes on top, and nothing else: both bodies are decoded once and digested, an entry is on disk before the
prompt leaves (one sync for all that came within 3 ms), another follows the answer, and each has its leaf's hash.
What Selat costs more is who asks, scan, decision, route, quotas, receipts, the sealed log and metrics. Whole
answers only, of an upstream that keeps connections.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httptools
import msgspec
import uvloop

LINGER_S = 0.003  # as selat.ledger.journal


class Book:
    """Entries in a file, synced by a thread for all who wait."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.loop = asyncio.get_running_loop()
        self.lines: list[bytes] = []
        self.waiting: list[Callable[[], None]] = []
        self.something = threading.Event()
        threading.Thread(target=self.keep, daemon=True).start()

    def add(self, body: bytes, said: object, then: Callable[[], None] | None = None) -> None:
        """Book what was asked or answered, and call once it is on disk."""
        digest = hashlib.sha256(body).hexdigest()
        entry = msgspec.json.encode({"time": time.time(), "digest": digest, "said": said})
        self.lines.append(hashlib.sha256(b"\0" + entry).digest() + entry)
        if then is not None:
            self.waiting.append(then)
        self.something.set()

    def keep(self) -> None:
        while True:
            self.something.wait()
            self.something.clear()
            time.sleep(LINGER_S)
            waiting = taken(self.waiting)  # first, so that the lines these wait for are among those written now
            if lines := taken(self.lines):
                os.write(self.file, b"\n".join(lines))
                os.fdatasync(self.file)
            if waiting:
                self.loop.call_soon_threadsafe(self.tell, waiting)

    @staticmethod
    def tell(waiting: list[Callable[[], None]]) -> None:
        for then in waiting:
            then()


def taken(things: list[Any]) -> list[Any]:
    """What is there by now; what another thread adds meanwhile stays."""
    found = things[:]
    del things[: len(found)]
    return found


class Upstream(asyncio.Protocol):
    """A kept connection; its answer goes to the caller that took it."""

    def __init__(self, idle: list[Upstream], book: Book | None) -> None:
        self.idle, self.book = idle, book
        self.parser = httptools.HttpResponseParser(self)
        self.caller: Caller | None = None
        self.type, self.body = b"", []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.type = value

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        body, self.body = b"".join(self.body), []
        head = b"HTTP/1.1 %d OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
        caller, self.caller = self.caller, None
        if self.book is not None:
            self.book.add(body, msgspec.json.decode(body)["usage"])
        if caller is not None and not caller.transport.is_closing():
            caller.transport.write(head % (self.parser.get_status_code(), self.type, len(body)) + body)
        self.idle.append(self)


class Caller(asyncio.Protocol):
    """A caller's connection: requests one after another."""

    def __init__(self, idle: list[Upstream], port: int, book: Book | None) -> None:
        self.idle, self.port, self.book = idle, port, book
        self.parser = httptools.HttpRequestParser(self)
        self.headers: dict[bytes, bytes] = {}
        self.body: list[bytes] = []
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        body, self.body = b"".join(self.body), []
        head = b"POST %b HTTP/1.1\r\nhost: up\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        message = head % (self.url, len(body)) + body
        if self.book is None:
            self.forward(message)
            return
        self.book.add(body, msgspec.json.decode(body)["model"], partial(self.forward, message))

    def forward(self, message: bytes) -> None:
        if self.idle:
            self.send(self.idle.pop(), message)
        else:
            self.dialling = self.loop.create_task(self.dial(message))

    async def dial(self, message: bytes) -> None:
        _, upstream = await self.loop.create_connection(
            lambda: Upstream(self.idle, self.book), "127.0.0.1", self.port
        )
        self.send(upstream, message)

    def send(self, upstream: Upstream, message: bytes) -> None:
        upstream.caller = self
        upstream.transport.write(message)


async def main() -> None:
    idle: list[Upstream] = []
    own, upstream = int(sys.argv[1]), int(sys.argv[2])
    book = Book(sys.argv[3]) if len(sys.argv) > 3 else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Caller(idle, upstream, book), "127.0.0.1", own, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
