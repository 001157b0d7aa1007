"""Memory of all processes of `selat up`, idle and after each load, as if they were alone on the machine.

    python bench/memory.py [--seconds 2] [--starts 2] [--files]

PSS says less than the truth wherever other Python processes run: pages of the interpreter and of libraries are
then shared with those. Here each page of a file counts once for the whole tree, whoever else has it mapped, and
anonymous memory as the kernel counts it; only processes of the tree share that. So the sum is the PSS of a machine
that runs nothing else. The first start makes the home, the others find it made. MB are MiB, as everywhere here.
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway import wrk
from stand import Selat, body, make_home, mock, selat, streams, tree

_PAGE = os.sysconf("SC_PAGE_SIZE")
_ROLES = ("supervisor", "sequencer", "gateway-0")
_PRESENT, _OF_A_FILE = 1 << 63, 1 << 61
REST_S = 3.0
"""How long after a load a process may take to give back what it no longer needs."""


@dataclass
class Held:
    """What one process holds: anonymous bytes; the pages that it shows of files, by device, inode and page."""

    role: str
    rss: int = 0
    anonymous: int = 0
    pages: set[tuple[str, int]] = field(default_factory=set)


def _rollup(pid: int) -> Iterator[tuple[str, int]]:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, said = line.partition(":")
        yield name, int(said.split()[0]) * 1024


def held(pid: int, names: dict[str, str]) -> Held:
    """What a process holds now; `names` is filled with the path of each file, by its device and inode."""
    said = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    role = next((name for name in _ROLES[1:] if name in said), "sequencer" if "sequence" in said else _ROLES[0])
    rolled = dict(_rollup(pid))
    found = Held(role, rolled["Rss"], rolled["Pss_Anon"])
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pagemap:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split(None, 5)
            if words[4] == "0":
                continue
            begin, end = (int(word, 16) for word in words[0].split("-"))
            file = f"{words[3]}:{words[4]}"
            names[file] = words[5]
            pagemap.seek(begin // _PAGE * 8)
            first = int(words[2], 16) // _PAGE
            entries = struct.unpack(f"{(end - begin) // _PAGE}Q", pagemap.read((end - begin) // _PAGE * 8))
            found.pages.update(
                (file, first + page)
                for page, entry in enumerate(entries)
                if entry & _PRESENT and entry & _OF_A_FILE
            )
    return found


def tree_mb(pid: int, names: dict[str, str] | None = None) -> tuple[list[Held], float]:
    """What each process of a tree holds, and all of them together in MB, each page once."""
    names = {} if names is None else names
    all_held = [held(one, names) for one in tree(pid)]
    pages = set[tuple[str, int]]().union(*(one.pages for one in all_held))
    return all_held, (sum(one.anonymous for one in all_held) + len(pages) * _PAGE) / 2**20


def line(stage: str, pid: int, *, files: bool) -> None:
    names: dict[str, str] = {}
    found, whole = tree_mb(pid, names)
    cells = [f"{one.role} {one.rss / 2**20:.1f} ({one.anonymous / 2**20:.1f})" for one in found]
    print(f"{stage:16} {whole:6.1f} MB; RSS (anonymous): {', '.join(cells)}", flush=True)
    if files:
        pages = set[tuple[str, int]]().union(*(one.pages for one in found))
        for file, count in Counter(file for file, _ in pages).most_common(16):
            print(f"{'':16} {count * _PAGE / 2**20:6.1f}    {names[file]}")


def loads(one: Selat, folder: Path, seconds: int) -> Iterator[str]:
    """Each load in turn; its name, once it is over."""
    head = [f"authorization: Bearer {one.key}"]
    for title, copies, connections in (("small", 2, 16), ("small", 2, 64), ("32 KB", 340, 16), ("32 KB", 340, 64)):
        answered = wrk(one.port, head, body(folder, "m", copies, False), connections, seconds)
        if answered.bad:
            raise SystemExit(f"{answered.bad} of {answered.requests} requests went wrong")
        yield f"{title} c{connections}"
    for model, title in (("m", "fast"), ("paced", "paced")):
        for connections in (16, 64):
            asked = body(folder, model, 2, True)
            streams(one.port, asked, head, "--connections", str(connections), "--seconds", str(seconds))
            yield f"{title} c{connections}"
    time.sleep(REST_S)
    yield f"after {REST_S:.0f} s rest"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=2, help="of each load")
    options.add_argument("--starts", type=int, default=2, help="on the same home")
    options.add_argument("--files", action="store_true", help="name the files whose pages are held, too")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, mock() as upstream:
        folder = Path(name)
        make_home(folder / "home", upstream)
        for start in range(chosen.starts):
            with selat(folder / "home") as one:
                time.sleep(REST_S)
                line(f"start {start + 1}, idle", one.pid, files=chosen.files)
                for stage in loads(one, folder, chosen.seconds):
                    line(stage, one.pid, files=chosen.files and "rest" in stage)


if __name__ == "__main__":
    main()
