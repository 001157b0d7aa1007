"""A bundle of 70 GB verified in one pass, beside `sha256sum` of the same bytes in the same run.

`python bench/bundles.py [GB]`. The tar is sparse: one file of zeros in memory (/dev/shm), so that no disk decides
and none is filled; both read every byte, sha256sum 8 GB of them. Rates are by CPU time (user and system) of each
process, which other work on the machine distorts least, and by the clock. Memory is the process's peak. 100,000
small files show what a file costs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from selat.bundles import COVER, MANIFEST, Cover, Item, Manifest, open_bundle, sign_cover
from selat.bundles.opened import TAIL, padded, tar_head
from selat.core.signer import Signer

SIGNER = Signer("selat.local/bench/bundle", seed=b"\x07" * 32)
REFERENCE_BYTES = 8_000_000_000
SMALL_FILES, SMALL_BYTES = 100_000, 1000


class Spent(NamedTuple):
    """Seconds by CPU and by the clock, and what was told."""

    cpu_s: float
    wall_s: float
    said: str


def run(*command: str) -> Spent:
    """A process, and what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[:3]} failed")
    return Spent(used.ru_utime + used.ru_stime, time.perf_counter() - started, said)


def write_sparse(path: Path, items: list[Item]) -> None:
    """A bundle of files of zeros, none of which takes room on the disk."""
    manifest = Manifest.of(items)
    data = manifest.to_bytes()
    cover = Cover(
        home="selat.local/bench",
        by="local",
        made="2026-11-22T03:00:00.125Z",
        key=str(SIGNER.key),
        manifest=hashlib.sha256(data).hexdigest(),
        manifest_bytes=len(data),
        files=len(items),
        size_bytes=manifest.size_bytes,
        selat="bench",
    )
    note = sign_cover(cover, SIGNER)
    with path.open("wb") as file:
        for name, content in ((COVER, note), (MANIFEST, data)):
            file.write(tar_head(name, len(content)) + content.ljust(padded(len(content)), b"\0"))
        for item in manifest.files:
            file.write(tar_head(item.path, item.size_bytes))
            file.seek(padded(item.size_bytes), os.SEEK_CUR)
        file.write(TAIL)


def verify(path: Path) -> None:
    """In a process of its own: the whole bundle; then the most memory that it had."""
    with open_bundle(path, [SIGNER.key]) as opened:
        opened.verify()
    peak_kb = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    sys.stdout.write(f"peak {int(peak_kb) // 1024} MB")


def _of_zeros(size_bytes: int) -> str:
    digest, zeros = hashlib.sha256(), bytes(1 << 24)
    for at in range(0, size_bytes, len(zeros)):
        digest.update(zeros[: size_bytes - at])
    return digest.hexdigest()


def large(folder: Path, size_bytes: int) -> None:
    zeros, part = folder / "zeros", min(size_bytes, REFERENCE_BYTES)
    with zeros.open("wb") as file:
        file.truncate(part)
    reference = run("sha256sum", str(zeros))
    digest = _of_zeros(size_bytes)
    bundle = folder / "b.tar"
    write_sparse(bundle, [Item(f"models/{digest}", "weights", size_bytes, digest)])
    ours = run(sys.executable, __file__, "--verify", str(bundle))
    print(f"{size_bytes / 1e9:.0f} GB, one file")
    for name, spent, read in (("sha256sum", reference, part), ("selat bundle verify", ours, size_bytes)):
        cpu, wall = read / spent.cpu_s / 1e6, read / spent.wall_s / 1e6
        print(f"  {name:20} {cpu:6.0f} MB/s by CPU, {wall:6.0f} MB/s by the clock")
    print(f"  {reference.cpu_s / part * size_bytes / ours.cpu_s:.2f}x of sha256sum's rate by CPU, {ours.said}")


def small(folder: Path) -> None:
    digest = hashlib.sha256(bytes(SMALL_BYTES)).hexdigest()
    bundle = folder / "many.tar"
    write_sparse(bundle, [Item(f"documents/{n:07}", "document", SMALL_BYTES, digest) for n in range(SMALL_FILES)])
    ours = run(sys.executable, __file__, "--verify", str(bundle))
    each = ours.cpu_s / SMALL_FILES * 1e6
    print(f"{SMALL_FILES:,} files of {SMALL_BYTES} bytes: {ours.cpu_s:.1f} s CPU, {each:.0f} us each, {ours.said}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--verify"]:
        verify(Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as made:
            small(Path(made))
            large(Path(made), int(float(sys.argv[1] if len(sys.argv) > 1 else 70) * 1e9))
