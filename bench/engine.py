"""CPU time of the client to engines alone: one small JSON exchange, and one streamed event, by concurrency.

    python bench/engine.py [--calls 5000] [--json]

The upstream is `python -m selat.testing` in a process of its own, or any by `--url`; only this process's CPU
counts. Rates say how fast that upstream is, not how fast we are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass

import uvloop

from selat.core.caller import Site
from selat.engines import CHAT, Call, Capacity, EngineSpec, OpenAIEngine


@dataclass(frozen=True)
class Row:
    what: str
    at_once: int
    cpu_us: float
    pieces: float
    peak_mb: int


def call(model: str, stream: bool) -> Call:
    message = {"role": "user", "content": "perkataan " * 20}
    return Call(CHAT, json.dumps({"model": model, "stream": stream, "messages": [message]}).encode(), stream)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(engine: OpenAIEngine, ask: Call, at_once: int, calls: int) -> tuple[float, int, int]:
    """CPU seconds, pieces and events of `calls` exchanges, `at_once` at a time."""
    pieces = events = 0

    async def worker(share: int) -> None:
        nonlocal pieces, events
        for _ in range(share):
            answer = await engine.send(ask)
            async for piece in answer.chunks():
                pieces += 1
                events += piece.count(b"data: ")

    await asyncio.gather(*(worker(3) for _ in range(at_once)))
    pieces = events = 0
    before = cpu_s()
    await asyncio.gather(*(worker(max(1, calls // at_once)) for _ in range(at_once)))
    return cpu_s() - before, pieces, events


async def run(url: str, model: str, calls: int) -> list[Row]:
    capacity = Capacity(max_connections=512)
    engine = OpenAIEngine(EngineSpec("bench", "openai", Site("MY"), ((model, model),), url, capacity=capacity))
    rows = []
    for at_once in (1, 16, 64):
        for what, stream in (("json exchange", False), ("streamed event", True)):
            many = calls // 10 if stream else calls
            used, pieces, events = await measure(engine, call(model, stream), at_once, many)
            done = max(1, many // at_once) * at_once
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            rows.append(Row(what, at_once, used / (events if stream else done) * 1e6, pieces / done, peak))
    await engine.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--url", default="", help="an upstream that runs already")
    parser.add_argument("--model", default="echo")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    upstream = None
    if not given.url:
        upstream = subprocess.Popen([sys.executable, "-m", "selat.testing"], stdout=subprocess.PIPE, text=True)
        assert upstream.stdout is not None
        given.url = upstream.stdout.readline().strip()
    try:
        rows = uvloop.run(run(given.url, given.model, given.calls))
    finally:
        if upstream is not None:
            upstream.kill()
            upstream.communicate()
    if given.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("| what | at once | CPU us | pieces a call | peak MB |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.at_once} | {row.cpu_us:.1f} | {row.pieces:.1f} | {row.peak_mb} |")


if __name__ == "__main__":
    main()
