"""The console inside a process: visits without browser or server, and what they load, read and ask, counted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STEPS = 10
"""Steps of SQLite's machine are counted by so many."""


@dataclass
class Visit:
    """A GET as the gateway hands it to the console, and what was answered."""

    path: str
    query: str
    headers: dict[bytes, bytes]
    method: str = "GET"
    secure: bool = False
    peer: str = "127.0.0.1"
    started: bool = False
    status: int = 0
    body: bytes = b""

    async def respond(self, status: int, body: bytes, kind: str, extra: list[tuple[str, str]]) -> None:
        self.status, self.body = status, body


async def visited(pages: Any, place: str, session: str = "") -> Visit:
    """What the console answers who comes by this session."""
    path, _, query = place.partition("?")
    visit = Visit(path, query, {b"host": b"localhost", b"cookie": f"selat={session}".encode()})
    await pages.answer(visit)
    return visit


@contextmanager
def console_of(home: Path) -> Iterator[Any]:
    """The console as a worker has it, before its first visit."""
    from selat.app import open_platform
    from selat.console import console
    from selat.gateway.gauges import Lag
    from selat.gateway.intake import Reading
    from selat.gateway.metrics import Metrics
    from selat.gateway.worker import build_door

    with open_platform(home, "gateway-0") as platform:
        door = build_door(platform, Metrics({}), Lag(platform), Reading(platform).wake)
        yield console(door)


@dataclass
class Work:
    """What was done for a visit: modules loaded, by the event loop's thread or another; files of the console read;
    templates compiled.
    """

    status: int = 0
    modules: list[str] = field(default_factory=list)
    held_up: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    compiled: list[str] = field(default_factory=list)


def work_of(home: Path, *places: str) -> list[Work]:
    """The work for visits to these places, one after another, by an interpreter that was started for them."""
    code = "import sys; from console_inside import main; main(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(home), *places]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    return [Work(**one) for one in json.loads(done.stdout)]


def main(home: str, *places: str) -> None:
    """Tell the work for visits, as JSON."""
    works: list[Work] = []

    def heard(event: str, told: tuple[Any, ...]) -> None:
        if not works:
            return
        if event == "import":
            works[-1].modules.append(told[0])
            if threading.current_thread() is threading.main_thread():
                works[-1].held_up.append(told[0])
        elif event == "open" and isinstance(told[0], str) and "/selat/console/" in told[0]:
            works[-1].read.append(Path(told[0]).name)
        elif event == "compile" and isinstance(told[1], str) and told[1].endswith(".html"):
            works[-1].compiled.append(Path(told[1]).name)

    async def visit_all() -> None:
        for place in places:
            works.append(Work())
            works[-1].status = (await visited(pages, place)).status

    with console_of(Path(home)) as pages:
        sys.addaudithook(heard)
        asyncio.run(visit_all())
        told = [vars(one) for one in works]
        works.clear()
    print(json.dumps(told))


@dataclass(frozen=True)
class Asked:
    """What a visit asked of SQLite: statements, and the steps that its machine took for them."""

    statements: int
    steps: int
    body: str


def asked_by(home: Path, session: str, places: list[str]) -> list[Asked]:
    """What visits to these places ask, each after the first has been there once: what is kept is kept by then."""
    count = {"statements": 0, "steps": 0}

    def more(kind: str, number: int) -> int:
        count[kind] += number
        return 0

    real = sqlite3.connect

    def connect(*words: Any, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = real(*words, **options)
        made.set_trace_callback(lambda text: more("statements", 1) and None)
        made.set_progress_handler(lambda: more("steps", STEPS), STEPS)
        return made

    async def visit_all() -> list[Asked]:
        found = []
        for place in [*places, *places]:
            count.update(statements=0, steps=0)
            visit = await visited(pages, place, session)
            assert visit.status == 200, (place, visit.body[:300])
            found.append(Asked(count["statements"], count["steps"], visit.body.decode()))
        return found[len(places) :]

    sqlite3.connect = connect  # type: ignore[assignment]
    try:
        with console_of(home) as pages, ThreadPoolExecutor(1) as pool:  # a browser's driver may hold this thread
            return pool.submit(asyncio.run, visit_all()).result()
    finally:
        sqlite3.connect = real
