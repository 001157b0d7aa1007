"""Callers who hang up at random moments: every request that was opened in the ledger must also be closed in it.

    python bench/hangups.py [--number 10000] [--at-once 64] [--address URL --key KEY --home DIR]

Without an address it starts a Selat of its own. Some leave in the middle of sending, some while they wait, some
in the middle of a stream, some as it ends; a third break off with a reset. Ends with 1 when a closing is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selat.ledger import Book

SEAL_S = 60.0
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Place:
    """Where to hang up: a running Selat, its home, and the models to ask."""

    port: int
    key: str
    home: Path
    models: tuple[str, ...]


async def leave(place: Place, chance: random.Random) -> str:
    """One caller, and how it left: `sending`, `early`, `reading` or `late`."""
    stream = chance.random() < 0.7
    body = json.dumps(
        {
            "model": chance.choice(place.models),
            "stream": stream,
            "messages": [{"role": "user", "content": "satu dua tiga " * chance.randrange(1, 60)}],
        }
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {place.key}\r\n"
    data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    way = chance.choices(("sending", "early", "reading", "late"), (1, 3, 5, 1))[0]
    try:
        if way == "sending":
            data = data[: chance.randrange(1, len(data))]
        writer.write(data)
        await writer.drain()
        if way == "early":
            await asyncio.sleep(chance.random() * 0.01)
        elif way == "reading":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.random() * 0.1):
                    while await reader.read(4096):
                        continue
        elif way == "late":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while b"0\r\n\r\n" not in await reader.read(65536):
                        continue
    except ConnectionError:
        pass
    finally:
        if chance.random() < 0.33:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return way


async def leave_many(place: Place, number: int, at_once: int, seed: int) -> Counter[str]:
    """So many callers; how many left in which way."""
    chance, left = random.Random(seed), Counter[str]()
    waiting = iter(range(number))

    async def one_after_another() -> None:
        for _ in waiting:
            left[await leave(place, chance)] += 1

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return left


def lost(home: Path) -> tuple[set[str], Counter[str]]:
    """Openings without a closing once all has settled, and the outcomes of those that have one."""
    deadline = time.monotonic() + SEAL_S
    while True:
        leaves = [json.loads(leaf) for leaf in Book(home / "ledger").entries()]
        opened = {leaf["id"] for leaf in leaves if leaf["kind"] == "opened"}
        closed = {leaf["id"]: leaf["outcome"] for leaf in leaves if leaf["kind"] == "closed"}
        missing = opened - set(closed)
        if not missing or time.monotonic() > deadline:
            return missing, Counter(closed[one] for one in opened - missing)
        time.sleep(0.5)


@contextlib.contextmanager
def own() -> Iterator[Place]:
    """A Selat for this alone."""
    from stand import make_home, mock, selat

    with tempfile.TemporaryDirectory() as name, mock() as upstream:
        make_home(Path(name) / "home", upstream)
        with selat(Path(name) / "home") as one:
            yield Place(one.port, one.key, one.home, ("m", "paced"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--number", type=int, default=10_000)
    options.add_argument("--at-once", type=int, default=64)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--address", default="", help="a Selat that runs, as in http://127.0.0.1:7352")
    options.add_argument("--key", default="")
    options.add_argument("--home", type=Path, default=Path())
    options.add_argument("--models", default="echo", help="of that Selat, by comma")
    chosen = options.parse_args()
    port = int(chosen.address.rpartition(":")[2] or 0)
    given = Place(port, chosen.key, chosen.home, tuple(chosen.models.split(",")))
    with contextlib.nullcontext(given) if port else own() as place:
        started = time.monotonic()
        left = asyncio.run(leave_many(place, chosen.number, chosen.at_once, chosen.seed))
        took_s = time.monotonic() - started
        missing, outcomes = lost(place.home)
    told = {"hung_up": dict(left), "seconds": round(took_s, 1), "outcomes": dict(outcomes), "lost": len(missing)}
    print(json.dumps(told))
    if missing:
        raise SystemExit(f"{len(missing)} closings are lost, of {sorted(missing)[:3]} for example")


if __name__ == "__main__":
    main()
