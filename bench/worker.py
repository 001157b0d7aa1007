"""The worker's own work, without sockets: µs of its main thread a request, caches hot; or bytecodes a request.

    python bench/worker.py [--cell small|large|stream|paced] [--connections 64] [--requests 5000]
                           [--apart] [--count]

Callers and engine are transports in the same process, so what is left is parsing, every check, the journal and
the loop. `stream` brings 64 events at once, `paced` one a turn of the loop. `--apart`: a body comes a turn after
its head, as from clients that write the two one after the other. `--count` tells how many bytecodes a request
takes and where: a figure that no other work on the machine alters.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop
from gateway import asked
from mock import HEAD, LAST, PIECES, WHOLE  # noqa: UP026 - ours, beside this file

from selat.app import Platform
from selat.burst import Burst
from selat.gateway.app import Gateway
from selat.gateway.connection import Connection
from selat.gateway.metrics import Metrics
from selat.gateway.worker import build_door
from selat.home import open_home
from selat.house import furnish

EVENTS = [HEAD, *(PIECES[number % len(PIECES)] for number in range(63)), LAST]
END = b"0\r\n\r\n"


class Transport:
    """What a connection asks of one, with nothing behind it."""

    protocol: Any
    closing = False

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    close = abort

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_extra_info(self, name: str) -> None: ...


class Engine(Transport):
    """Answers each request a turn of the loop later."""

    def __init__(self, cell: str) -> None:
        self.cell, self.loop = cell, asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        if self.cell == "paced":
            self.event(0)
        else:
            for piece in EVENTS if self.cell == "stream" else [WHOLE]:
                self.loop.call_soon(self.protocol.data_received, piece)

    def event(self, number: int) -> None:
        self.protocol.data_received(EVENTS[number])
        if number + 1 < len(EVENTS):
            self.loop.call_soon(self.event, number + 1)


class Loop(uvloop.Loop):
    """A loop on which whoever connects reaches the engine of this process."""

    cell = "small"

    async def create_connection(self, made: Any, *_: Any, **_more: Any) -> Any:
        transport = Engine(self.cell)
        transport.protocol = made()
        transport.protocol.connection_made(transport)
        return transport, transport.protocol


class Load:
    """So many requests over so many connections, each sent anew when its answer has come."""

    def __init__(self, reads: list[bytes], whole: bool) -> None:
        self.reads, self.whole = reads, whole
        self.callers: list[Caller] = []
        self.left = self.open = 0
        self.loop = asyncio.get_running_loop()

    async def run(self, requests: int) -> None:
        self.left, self.open = requests, 0
        self.over = self.loop.create_future()
        for caller in self.callers:
            self.next(caller)
        await self.over

    def next(self, caller: Caller) -> None:
        if self.left:
            self.left -= 1
            self.open += 1
            self.loop.call_soon(self.bring, caller, 0)
        elif not self.open:
            self.over.set_result(None)

    def bring(self, caller: Caller, number: int) -> None:
        if number + 1 < len(self.reads):
            self.loop.call_soon(self.bring, caller, number + 1)
        caller.protocol.data_received(self.reads[number])


class Caller(Transport):
    def __init__(self, load: Load) -> None:
        self.load = load

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(data.decode())
        if self.load.whole or data.endswith(END):
            self.load.open -= 1
            self.load.next(self)


def build(cell: str, connections: int, folder: Path, *, apart: bool = False) -> tuple[Load, Platform]:
    """A gateway on a home of its own, and the load on it."""
    (folder / "cache").mkdir()
    (folder / "home.toml").write_text("version = 1\n")
    (folder / "engines.toml").write_text(
        '[[engine]]\nname = "up"\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\nmodels = ["m"]\n'
        'site = { jurisdiction = "MY" }\n'
    )
    home = open_home(folder)
    key = furnish(home)
    platform = Platform(home, "gateway-0")

    streamed = cell in ("stream", "paced")
    body = json.dumps(asked("m", 340 if cell == "large" else 2, stream=streamed))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    load = Load([head.encode(), body.encode()] if apart else [(head + body).encode()], not streamed)
    gateway = Gateway(build_door(platform, Metrics(), None, lambda: None))  # type: ignore[arg-type]
    burst = Burst()
    for _ in range(connections):
        caller, connection = Caller(load), Connection(gateway, set(), burst)
        caller.protocol = connection
        connection.connection_made(caller)
        load.callers.append(caller)
    return load, platform


async def counted(load: Load, requests: int) -> None:
    """Print the bytecodes a request takes in our own modules, the functions with most of them first."""
    found: Counter[Any] = Counter()

    def trace(frame: Any, event: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            found[frame.f_code] += 1
        return trace

    sys.settrace(trace)
    await load.run(requests)
    sys.settrace(None)
    ours = {code: number for code, number in found.items() if code.co_filename != __file__}
    print(f"{sum(ours.values()) / requests:.0f} bytecodes a request")
    for code, number in sorted(ours.items(), key=lambda one: -one[1])[:60]:
        print(f"{number / requests:8.1f} {'/'.join(Path(code.co_filename).parts[-3:])} {code.co_qualname}")


def options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cell", choices=("small", "large", "stream", "paced"), default="small")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--requests", type=int, default=5000)
    options.add_argument("--apart", action="store_true")
    options.add_argument("--count", action="store_true")
    return options.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        load, platform = build(chosen.cell, chosen.connections, Path(name), apart=chosen.apart)
        await load.run(500)
        gc.freeze()  # as a worker does before it serves
        gc.set_threshold(10_000, 20, 50)
        if chosen.count:
            await counted(load, 256)
        else:
            costs = []
            for _ in range(5):
                before = time.thread_time()
                await load.run(chosen.requests)
                costs.append(1e6 * (time.thread_time() - before) / chosen.requests)
            print(f"{min(costs):.0f} µs a request, best of 5; load average {os.getloadavg()[0]:.1f}")
        platform.close()


if __name__ == "__main__":
    chosen = options()
    Loop.cell = chosen.cell
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main(chosen))
