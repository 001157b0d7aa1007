"""One worker's server: a listening socket it was handed, deadlines for slow callers, a drain at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import stat
import sys

from selat.burst import Burst
from selat.gateway.connection import Connection, Handle

DRAIN_S = 30.0
IDLE_S = 75.0
SWEEP_S = 1.0
_BACKLOG = 2048


async def serve(
    handle: Handle, listening: socket.socket, head_s: float, tls: ssl.SSLContext | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or the supervisor's end; open answers then get DRAIN_S seconds to finish.

    A connection that has begun a head has `head_s` seconds to end it; an idle one is closed after IDLE_S.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(loop, stop)
    connections: set[Connection] = set()
    burst = Burst()
    server = await loop.create_server(
        lambda: Connection(handle, connections, burst), sock=listening, backlog=_BACKLOG, ssl=tls
    )
    sweeper = loop.create_task(_sweep(connections, head_s))
    try:
        await stop.wait()
    finally:
        server.close()
        sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeper
        await _drain(connections)


async def _sweep(connections: set[Connection], head_s: float) -> None:
    """Close what is overdue. One pass a second costs less than a timer a request."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_S)
        now = loop.time()
        for connection in list(connections):
            since = connection.waiting_since
            if since is not None and now - since > (head_s if connection.in_head else IDLE_S):
                connection.transport.close()


async def _drain(connections: set[Connection]) -> None:
    at_work = [ended for connection in list(connections) if (ended := connection.drain()) is not None]
    if at_work:
        await asyncio.wait(at_work, timeout=DRAIN_S)
    for connection in list(connections):
        connection.transport.abort()
    # The handlers of aborted connections are told so, and book their ends.
    await asyncio.gather(*at_work, return_exceptions=True)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the supervisor is gone: its end of our standard input then closes."""
    descriptor = sys.stdin.fileno()
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return

    def readable() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)
