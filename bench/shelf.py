"""Models coming and going, measured: pulling beside curl, and the mirror. Run by bench/engines.py.

`pull`: nginx serves a file of random bytes; curl writes it to a file, the store's fetching writes, hashes, looks
into and seals it, in turns; all in memory (/dev/shm), so that no disk decides. `mirror`: Selat serves a file that
it just took in to curl, one caller and four at once; the gateway's memory is read too. The best round
of each counts. Beside the clock stands the rate by CPU time of the busiest thread (pull) or of the process (curl,
gateway): what the clock would show with free cores, which other work on the machine does not distort.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selat.models import Model, ModelFile, ModelStore, file_format, revision_of
from selat.models.fetch import Fetch
from selat.models.sources import Directory
from selat.models.web import Web

SIZE_BYTES = 1 << 30
NGINX = """worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit; daemon off;
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; tcp_nopush on; server {{ listen 127.0.0.1:{port}; root {folder}/www; }} }}
"""


@dataclass
class Rates:
    """MB/s by the clock and by CPU time; the best so far of each."""

    clock: float = 0.0
    cpu: float = 0.0

    def take(self, wall_s: float, cpu_s: float, times: int = 1) -> None:
        self.clock = max(self.clock, SIZE_BYTES * times / wall_s / 1e6)
        self.cpu = max(self.cpu, SIZE_BYTES * times / max(cpu_s, 1e-9) / 1e6)


def pull(rounds: int) -> tuple[Rates, Rates]:
    """Of curl and of pulling."""
    curled, pulled = Rates(), Rates()
    with _memory() as folder, _nginx(folder) as url:
        file, digest = _make(folder / "www" / "model.safetensors")
        for _ in range(rounds):
            started, before = time.perf_counter(), _children_s()
            subprocess.run(["curl", "-sS", "-o", str(folder / "curled"), f"{url}/{file.name}"], check=True)
            curled.take(time.perf_counter() - started, _children_s() - before)
            (folder / "curled").unlink()
            store = ModelStore(folder / "store")
            source = Directory(Web(), f"{url}/{file.name}#sha256={digest}")
            (wanted,) = source.offer().files
            with store.taking() as blobs:
                started, here, all_ = time.perf_counter(), time.thread_time(), time.process_time()
                Fetch(blobs, source, lambda size: None, threading.Event()).file(wanted)
                mine = time.thread_time() - here
                hashing = time.process_time() - all_ - mine
                pulled.take(time.perf_counter() - started, max(mine, hashing))
            shutil.rmtree(store.folder)
    return curled, pulled


def mirror(rounds: int) -> tuple[Rates, Rates, int, int]:
    """To one caller and to four at once; MB of the gateway's memory before and at most."""
    one, four = Rates(), Rates()
    with _warm() as folder, _selat(folder / "home") as (address, key):
        store = ModelStore(folder / "home" / "models")
        source, _ = _make(folder / "model.safetensors")
        with store.taking() as blobs:
            files = (ModelFile(source.name, *blobs.take(source)),)
            store.put(Model("bench/besar", revision_of(files), files, file_format(files)))
        source.unlink()
        place = f"{address}/hf/bench/besar/resolve/main/model.safetensors"
        words = ["curl", "-sS", "-f", "-o", "/dev/null", "-H", f"authorization: Bearer {key}", place]
        gateway = _gateway(folder / "home")
        subprocess.run([*words[:1], "-r", "0-1000", *words[1:]], check=True)
        before = most = _resident_mb(gateway)
        for _ in range(rounds):
            for callers, rates in ((1, one), (4, four)):
                started, spent = time.perf_counter(), _spent_s(gateway)
                running = [subprocess.Popen(words) for _ in range(callers)]
                while any(process.poll() is None for process in running):
                    most = max(most, _resident_mb(gateway))
                    time.sleep(0.01)
                assert all(process.returncode == 0 for process in running)
                rates.take(time.perf_counter() - started, _spent_s(gateway) - spent, callers)
    return one, four, before, most


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spent_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _warm() -> Iterator[Path]:
    """On a disk as a home is: the file was just written, so the kernel holds it in memory."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextlib.contextmanager
def _memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Path(folder)


def _make(path: Path) -> tuple[Path, str]:
    """A safetensors file of one tensor, and its digest."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [SIZE_BYTES], "data_offsets": [0, SIZE_BYTES]}}).encode()
    digest = hashlib.sha256()
    piece = os.urandom(1 << 20)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for data in (len(header).to_bytes(8, "little"), header, *([piece] * (SIZE_BYTES >> 20))):
            file.write(data)
            digest.update(data)
    return path, digest.hexdigest()


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "www").mkdir()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    folder.chmod(0o755)
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _selat(home: Path) -> Iterator[tuple[str, str]]:
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    command = [sys.executable, "-m", "selat", "up", "--home", str(home), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    try:
        yield said["address"], said["key"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _gateway(home: Path) -> int:
    """The process that serves this home."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if b"serve" in words and b"gateway-0" in words and os.fsencode(home) in words:
                return int(entry.name)
    raise RuntimeError("no gateway serves this home")


def _resident_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024
