"""One worker process: uvicorn on a listening socket it was handed, with deadlines for slow callers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from selat.gateway.http import HANGUP

DRAIN_S = 30
SWEEP_S = 1.0


class Protocol(HttpToolsProtocol):
    """uvicorn's parser and cycle, and what uvicorn has not: a hang-up cancels the handler, a head has a deadline.

    A connection that has sent nothing, or half a head, for `head_s` seconds is closed by `sweep`.
    """

    waiting_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.waiting_since = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.waiting_since is None:
            self.waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self.waiting_since = None
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self.cycle
        super().connection_lost(exc)
        if cycle is not None and not cycle.response_complete:
            hang_up: Any = cycle.scope.get(HANGUP)
            if hang_up is not None:
                hang_up()


async def _sweep(server: uvicorn.Server, head_s: float) -> None:
    """Close connections whose head is overdue. One pass a second costs less than a timer a request."""
    loop = asyncio.get_running_loop()
    while not server.should_exit:
        await asyncio.sleep(SWEEP_S)
        overdue = loop.time() - head_s
        for connection in list(server.server_state.connections):
            since = getattr(connection, "waiting_since", None)
            if since is not None and since < overdue:
                connection.transport.close()


def _leave_with_parent(server: uvicorn.Server) -> None:
    """Drain and stop when the supervisor is gone: its end of our standard input then closes."""
    descriptor = sys.stdin.fileno()
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return

    def closed() -> None:
        if not os.read(descriptor, 1):
            asyncio.get_running_loop().remove_reader(descriptor)
            server.should_exit = True

    asyncio.get_running_loop().add_reader(descriptor, closed)


async def serve(app: Any, listening: socket.socket, head_s: float) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end; open answers get DRAIN_S seconds to finish."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=65,
    )
    server = uvicorn.Server(config)
    _leave_with_parent(server)
    sweeper = asyncio.get_running_loop().create_task(_sweep(server, head_s))
    try:
        await server.serve(sockets=[listening])
    finally:
        sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeper
