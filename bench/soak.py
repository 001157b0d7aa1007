"""Hours of mixed traffic, and whether memory and file descriptors stay flat.

    python bench/soak.py --minutes 60 [--rate 100] [--sample-s 10]

Whole answers, streams, hang-ups, wrong keys, broken JSON and a dead engine, so many a second. The first fifth of
the samples is warm-up; of the rest the last third is held against the first: memory of each process may be up by
8 % and 6 MB, file descriptors by 16. Ends with 1 when it is up by more, or when the ledger lacks a closing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from hangups import Place, leave, lost
from stand import Selat, make_home, memory_mb, mock, open_files, selat, tree

WORKERS = 16
GROWTH, GROWTH_MB, GROWTH_FILES = 0.08, 6.0, 16
DEAD = """
[[engine]]
name = "dead"
url = "http://127.0.0.1:1/v1"
models = ["dead"]
site = { jurisdiction = "MY" }
"""


class Caller:
    """One keep-alive connection, made anew when it is closed."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.place, self.chance = place, chance
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> str:
        """One request of a random kind; what came of it."""
        kind = self.chance.choices(("whole", "stream", "hang up", "key", "json", "dead"), (40, 30, 15, 5, 5, 5))[0]
        if kind == "hang up":
            await leave(self.place, self.chance)
            return kind
        model = {"stream": "paced", "dead": "dead"}.get(kind, "m")
        said = {"role": "user", "content": f"MyKad 900101-14-5678, {'surat ' * self.chance.randrange(400)}"}
        body = json.dumps({"model": model, "stream": kind == "stream", "messages": [said]}).encode()
        body = body[:-1] if kind == "json" else body
        key = "salah" if kind == "key" else self.place.key
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        return f"{kind} {await self.exchange(data)}"

    async def exchange(self, data: bytes) -> str:
        """The status; `closed` when the connection ended instead."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.place.port)
        reader, writer = self.streams
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head:
                await reader.readuntil(b"\r\n0\r\n\r\n")
            else:
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                await reader.readexactly(int(length))
            if b"connection: close" in head.lower():
                await self.close()
            return head[9:12].decode()
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.close()
            return "closed"

    async def close(self) -> None:
        if self.streams is not None:
            writer, self.streams = self.streams[1], None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def traffic(place: Place, until: float, rate: float, seen: Counter[str]) -> None:
    async def one(number: int) -> None:
        caller = Caller(place, random.Random(number))
        while time.monotonic() < until:
            due = time.monotonic() + WORKERS / rate
            seen[await caller.ask()] += 1
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await caller.close()

    await asyncio.gather(*(one(number) for number in range(WORKERS)))


async def watch(processes: dict[str, int], until: float, every_s: float, samples: list[dict[str, float]]) -> None:
    """Memory (PSS, MB) and open files of each process, as long as the traffic lasts."""
    while time.monotonic() < until:
        await asyncio.sleep(every_s)
        found = {f"{name} MB": alone_mb(pid) for name, pid in processes.items()}
        samples.append(found | {f"{name} files": float(open_files(pid)) for name, pid in processes.items()})
        told = ", ".join(f"{name} {value:.0f}" for name, value in samples[-1].items())
        print(f"{len(samples) * every_s:6.0f} s  {told}", flush=True)


def alone_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return memory_mb(pid)


def roles(one: Selat) -> dict[str, int]:
    found = {"supervisor": one.pid}
    for pid in tree(one.pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"--worker" in words:
            found[words[words.index(b"--worker") + 1].decode()] = pid
        elif b"sequence" in words:
            found["sequencer"] = pid
    return found


def grown(samples: list[dict[str, float]]) -> list[str]:
    """What is up by more than it may be."""
    rest = samples[len(samples) // 5 :]
    third = max(1, len(rest) // 3)
    told = []
    for name in rest[0]:
        first = median(one[name] for one in rest[:third])
        last = median(one[name] for one in rest[-third:])
        most = first + GROWTH_FILES if name.endswith("files") else first * (1 + GROWTH) + GROWTH_MB
        print(f"{name}: {first:.1f} to {last:.1f}")
        if last > most:
            told.append(f"{name} grew from {first:.1f} to {last:.1f}")
    return told


@contextmanager
def standing() -> Iterator[Selat]:
    with tempfile.TemporaryDirectory() as name, mock() as upstream:
        home = Path(name) / "home"
        make_home(home, upstream, 'log_level = "error"\n')
        with (home / "engines.toml").open("a") as file:
            file.write(DEAD)
        with selat(home) as one:
            yield one


async def soak(one: Selat, chosen: argparse.Namespace) -> tuple[Counter[str], list[dict[str, float]]]:
    place = Place(one.port, one.key, one.home, ("m", "paced"))
    seen: Counter[str] = Counter()
    samples: list[dict[str, float]] = []
    until = time.monotonic() + chosen.minutes * 60
    await asyncio.gather(
        traffic(place, until, chosen.rate, seen), watch(roles(one), until, chosen.sample_s, samples)
    )
    return seen, samples


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, required=True)
    options.add_argument("--rate", type=float, default=100.0, help="requests a second")
    options.add_argument("--sample-s", type=float, default=10.0)
    chosen = options.parse_args()
    with standing() as one:
        seen, samples = asyncio.run(soak(one, chosen))
        missing, _ = lost(one.home)
    print(json.dumps(dict(seen.most_common())))
    wrong = grown(samples)
    if missing:
        wrong.append(f"{len(missing)} closings are missing")
    if wrong:
        raise SystemExit("; ".join(wrong))


if __name__ == "__main__":
    main()
