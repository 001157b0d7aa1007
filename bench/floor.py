"""What forwarding alone costs in Python: llhttp on both sides of uvloop, and not one check.

    python bench/floor.py PORT UPSTREAM_PORT

The floor under Selat's worker: what that costs more is identity, scan, decision, ledger, quotas, metrics and the
watch over the answer. Whole answers only, of an upstream that keeps connections.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
import uvloop


class Upstream(asyncio.Protocol):
    """A kept connection; its answer goes to the caller that took it."""

    def __init__(self, idle: list[Upstream]) -> None:
        self.idle = idle
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
        if caller is not None and not caller.transport.is_closing():
            caller.transport.write(head % (self.parser.get_status_code(), self.type, len(body)) + body)
        self.idle.append(self)


class Caller(asyncio.Protocol):
    """A caller's connection: requests one after another."""

    def __init__(self, idle: list[Upstream], port: int) -> None:
        self.idle, self.port = idle, port
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
        if self.idle:
            self.send(self.idle.pop(), message)
        else:
            self.dialling = self.loop.create_task(self.dial(message))

    async def dial(self, message: bytes) -> None:
        _, upstream = await self.loop.create_connection(lambda: Upstream(self.idle), "127.0.0.1", self.port)
        self.send(upstream, message)

    def send(self, upstream: Upstream, message: bytes) -> None:
        upstream.caller = self
        upstream.transport.write(message)


async def main() -> None:
    idle: list[Upstream] = []
    own, upstream = int(sys.argv[1]), int(sys.argv[2])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Caller(idle, upstream), "127.0.0.1", own, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
