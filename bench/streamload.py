"""Load of streams: so many at once for so long, each begun anew when it ends; what came is printed as JSON.

python bench/streamload.py --port 7352 --connections 16 --seconds 3 --body body.json [--once]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvloop

DONE = b"[DONE]"


class Tally:
    """What came of all streams; times to the first event and whole times in seconds."""

    def __init__(self) -> None:
        self.streams = self.events = self.bad = self.lost = 0
        self.first_s: list[float] = []
        self.whole_s: list[float] = []


class Stream(asyncio.Protocol):
    """One connection. `again` says whether to ask once more."""

    def __init__(self, request: bytes, tally: Tally, again: Any, ended: asyncio.Future[None]) -> None:
        self.request, self.tally, self.again, self.ended = request, tally, again, ended

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.tail, self.first, self.since = b"", True, time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.tally.events += (self.tail[-5:] + data).count(b"data: {")
        if self.first and b"data: {" in data:
            self.first = False
            self.tally.first_s.append(time.perf_counter() - self.since)
        self.tail = (self.tail + data)[-32:]
        if self.tail.endswith(b"0\r\n\r\n") or (self.first and b"Content-Length" in data):
            good = DONE in self.tail or DONE in data
            self.tally.streams += good
            self.tally.bad += not good
            self.tally.whole_s.append(time.perf_counter() - self.since)
            if good and self.again():
                self.ask()
            else:
                self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.tally.lost += 1
            self.end()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self.transport.close()


def at(share: float, values: list[float]) -> float:
    """A quantile in ms; 0.0 of nothing."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] * 1000 if values else 0.0


async def run(chosen: argparse.Namespace, body: bytes) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    head = f"POST {chosen.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += "".join(f"{header}\r\n" for header in chosen.header) + f"Content-Length: {len(body)}\r\n\r\n"
    tally, until = Tally(), loop.time() + chosen.seconds

    def again() -> bool:
        return not chosen.once and loop.time() < until

    started = time.perf_counter()
    ends = []
    for number in range(chosen.connections):
        ended: asyncio.Future[None] = loop.create_future()
        ends.append(ended)
        await loop.create_connection(
            lambda ended=ended: Stream(head.encode() + body, tally, again, ended), "127.0.0.1", chosen.port
        )
        if number % 50 == 49:
            await asyncio.sleep(0.02)  # no listener's backlog is meant to be tried
    await asyncio.wait(ends, timeout=chosen.seconds + chosen.grace)
    return {
        "streams": tally.streams,
        "events": tally.events,
        "bad": tally.bad,
        "lost": tally.lost + sum(not ended.done() for ended in ends),
        "seconds": time.perf_counter() - started,
        "first_p50_ms": at(0.5, tally.first_s),
        "first_p99_ms": at(0.99, tally.first_s),
        "whole_p50_ms": at(0.5, tally.whole_s),
        "whole_p99_ms": at(0.99, tally.whole_s),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--path", default="/v1/chat/completions")
    options.add_argument("--connections", type=int, default=16)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--grace", type=float, default=30.0, help="seconds to wait for streams that have begun")
    options.add_argument("--body", required=True)
    options.add_argument("--header", action="append", default=[])
    options.add_argument("--once", action="store_true", help="one stream a connection")
    chosen = options.parse_args()
    print(json.dumps(uvloop.run(run(chosen, Path(chosen.body).read_bytes()))))


if __name__ == "__main__":
    main()
