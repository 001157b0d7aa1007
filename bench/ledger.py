"""The ledger's targets, as ratios within one run: appends, latency, receipts, proofs, verification.

python bench/ledger.py [--entries 10000000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from selat import durable
from selat.core.canonical import canonical
from selat.core.checkpoint import Checkpoint
from selat.core.note import Note
from selat.core.proof import verify
from selat.ledger import Book, Journal, Sequencer, prepare, secret
from selat.ledger.check import check
from selat.ledger.edge import Edge

SALT = secret("prompt", b"s" * 32)


def leaf(number: int, kind: str = "opened", pad: int = 420) -> bytes:
    """A leaf of the size that the gateway writes (about 600 bytes), or shorter."""
    return canonical(
        {
            "v": 1,
            "kind": kind,
            "id": f"{number:026d}",
            "tenant": "t",
            "time": "2026-11-22T03:00:00Z",
            "x": "x" * pad,
        }
    )


def fsync_each(folder: Path, count: int = 500) -> dict[str, float]:
    """One write and one fdatasync for each entry: what group commit is compared with."""
    data, fd = leaf(0), os.open(folder / "each", os.O_WRONLY | os.O_CREAT, 0o600)
    times, cpu = [], time.process_time()
    for _ in range(count):
        start = time.perf_counter()
        os.write(fd, data)
        durable.data_sync(fd)
        times.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    os.close(fd)
    return {"per_s": count / sum(times), "p50_ms": statistics.median(times) * 1e3, "cpu_us": cpu / count * 1e6}


async def _nothing(concurrency: int, each: int) -> float:
    """CPU per turn of the same number of tasks that only wait for the loop: what the harness costs."""
    loop = asyncio.get_running_loop()

    async def work() -> None:
        for _ in range(each):
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await future

    cpu = time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return (time.process_time() - cpu) / (concurrency * each) * 1e6


async def _append(folder: Path, concurrency: int, total: int) -> dict[str, float]:
    """Tasks that each append and wait; two or more share syncs, which begin SPACING_S apart."""
    journal = Journal(folder, f"bench-{concurrency}")
    journal.start()
    data, times = leaf(1), []

    async def work() -> None:
        for _ in range(total // concurrency):
            start = time.perf_counter()
            await journal.append(data, SALT)
            times.append(time.perf_counter() - start)

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    journal.close()
    bare = await _nothing(concurrency, 200)
    count = len(times)
    return {
        "per_s": count / wall,
        "per_core_s": count / cpu,
        "p50_ms": statistics.median(times) * 1e3,
        "p99_ms": sorted(times)[count * 99 // 100] * 1e3,
        "cpu_us": cpu / count * 1e6,
        "cpu_added_us": cpu / count * 1e6 - bare,
    }


def _plain(folder: Path, batch: int = 64, total: int = 64_000) -> dict[str, float]:
    """Batches of 64 from one thread: append 64, wait for the last."""
    journal = Journal(folder, "plain")
    journal.start()
    data = leaf(1)
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(total // batch):
        tickets = [journal.append(data, SALT) for _ in range(batch)]
        tickets[-1].wait()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    journal.close()
    return {"per_s": total / wall, "per_core_s": total / cpu, "cpu_us": cpu / total * 1e6}


def receipt_wait(home: Path, rounds: int = 10) -> dict[str, float]:
    """From a closing entry appended to its receipt at hand; the sequencer is a process, one step a second."""
    code = "import sys; from pathlib import Path; from selat.ledger import sequence; h = Path(sys.argv[1]);"
    code += "sequence(h / 'ledger', h / 'keys' / 'ledger.key')"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code, str(home)], env=environment, stdin=subprocess.DEVNULL)
    waits = []
    try:
        while not (home / "ledger" / "log" / "checkpoint").exists():
            time.sleep(0.01)
        journal, book = Journal(home / "ledger", "w"), Book(home / "ledger")
        journal.start()
        for number in range(rounds):
            time.sleep(random.random())
            start = time.perf_counter()
            journal.append(leaf(number, "closed"))
            while not book.find(f"{number:026d}"):
                time.sleep(0.01)
            verify(book.proof(book.find(f"{number:026d}")[0]), book.trust())
            waits.append(time.perf_counter() - start)
        journal.close()
    finally:
        process.terminate()
        process.wait()
    return {"p50_s": statistics.median(waits), "max_s": max(waits)}


def integrate(home: Path, total: int = 50_000) -> dict[str, float]:
    """Journal to signed log: entries a second, by one sequencer."""
    folder = home / "ledger"
    signer = prepare(folder, home / "keys" / "ledger.key")
    journal = Journal(folder, "w")
    journal.start()
    tickets = [journal.append(leaf(number), SALT) for number in range(total)]
    tickets[-1].wait()
    journal.close()
    sequencer, start = Sequencer(folder, signer), time.perf_counter()
    count = 0
    while count < total:
        count += sequencer.step()
    wall = time.perf_counter() - start
    sequencer.close()
    return {"per_s": count / wall}


def grow(home: Path, entries: int) -> None:
    """A signed log of `entries` leaves of about 200 bytes, written by the tile code, without journals."""
    folder = home / "ledger"
    signer = prepare(folder, home / "keys" / "ledger.key")
    edge, chunk = Edge(), 65_536
    for first in range(0, entries, chunk):
        leaves = [leaf(n, "closed", 60) for n in range(first, min(first + chunk, entries))]
        grown = edge.grow(leaves)
        edge = grown.edge
        for name, data in grown.files.items():
            if ".p/" not in name or edge.size == entries:
                path = folder / "log" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    for name, data in edge.partial_tiles().items():
        path = folder / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    text = Checkpoint(signer.name, edge.size, edge.root()).text()
    (folder / "log" / "checkpoint").write_text(str(Note(text, (signer.sign(text),))))


def proofs(home: Path, count: int = 2000) -> dict[str, float]:
    """Inclusion proofs of random leaves: leaf, path, self-check."""
    book, times, cpus = Book(home / "ledger"), list[float](), list[float]()
    size = book.size
    for index in random.Random(1).sample(range(size), min(count, size)):
        start, cpu = time.perf_counter(), time.thread_time()
        book.proof(index)
        times.append(time.perf_counter() - start)
        cpus.append(time.thread_time() - cpu)
    times.sort()
    cpus.sort()
    middle, high = len(times) // 2, len(times) * 99 // 100
    return {
        "size": size,
        "p50_ms": times[middle] * 1e3,
        "p99_ms": times[high] * 1e3,
        "cpu_p50_ms": cpus[middle] * 1e3,
        "cpu_p99_ms": cpus[high] * 1e3,
    }


def full(home: Path) -> dict[str, float]:
    """Every leaf and tile read and compared, orphans counted."""
    start, cpu = time.perf_counter(), time.process_time()
    report = check(home / "ledger")
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    bad = [problem for problem in report.problems if problem.kind not in ("no-state", "put-back")]
    assert not bad, bad
    return {"per_s": report.size / wall, "per_core_s": report.size / cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; the disk that counts")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        each = fsync_each(folder)
        one = asyncio.run(_append(folder, 1, 1000))
        many = asyncio.run(_append(folder, 64, 64_000))
        plain = _plain(folder)
        shutil.rmtree(folder / "journals")
        result = {
            "fsync for each entry": each,
            "append, concurrency 1": one,
            "append, concurrency 64": many,
            "append, batches of 64": plain,
            "receipt after close": receipt_wait(folder / "live"),
            "integrate": integrate(folder / "integrate"),
        }
        start = time.perf_counter()
        grow(folder / "big", given.entries)
        result["grow"] = {"per_s": given.entries / (time.perf_counter() - start)}
        result["inclusion proof"] = proofs(folder / "big")
        result["full verification"] = full(folder / "big")
        result["ratios"] = {
            "batches of 64 / fsync each (target 50, or 20,000/s per core)": plain["per_s"] / each["per_s"],
            "latency at concurrency 1 / fsync (target 2)": one["p50_ms"] / each["p50_ms"],
            "peak memory MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        for name, row in result.items():
            print(f"{name:26s}", json.dumps({key: round(value, 3) for key, value in row.items()}))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
