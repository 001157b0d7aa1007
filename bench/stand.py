"""What the benchmarks of the gateway share: a Selat of their own, the mock upstream, and what processes cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import asked, cpu_s, running, tree

HERE = Path(__file__).parent
GATEWAY_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Selat:
    """A running one: its supervisor's process, its port, an API key, its home."""

    pid: int
    port: int
    key: str
    home: Path

    @property
    def worker(self) -> int:
        """The process of the first gateway worker."""
        for pid in tree(self.pid):
            if b"gateway-0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise SystemExit("no gateway worker runs")


@contextmanager
def mock() -> Iterator[int]:
    """The upstream on the load's core; its port."""
    command = [sys.executable, str(HERE / "mock.py")]
    with running(command, LOAD_CORE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def make_home(home: Path, upstream: int, settings: str = "") -> None:
    """A home with one engine, the mock, that takes as many calls at once as any benchmark makes."""
    home.mkdir(exist_ok=True)
    (home / "home.toml").write_text("version = 1\n")
    (home / "selat.toml").write_text(settings)
    (home / "engines.toml").write_text(
        f'[[engine]]\nname = "up"\nkind = "openai"\nurl = "http://127.0.0.1:{upstream}/v1"\n'
        f'models = {json.dumps(MODELS)}\nsite = {{ jurisdiction = "MY" }}\nmax_connections = 4096\n'
    )


MODELS = ["m", "paced", "paced:100:50", "paced:200:50", "paced:500:20", "paced:1:2000"]


@contextmanager
def selat(home: Path) -> Iterator[Selat]:
    """`selat up` on the gateways' core, once it has answered its first question; compiled as if installed."""
    command = [sys.executable, "-m", "selat", "up", "--home", str(home), "--port", "0", "--json"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with running(command, GATEWAY_CORE, stdout=subprocess.PIPE, env=kept) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        key = home / "bench.key"
        if said["key"]:
            key.write_text(said["key"])
        yield Selat(process.pid, int(said["address"].rpartition(":")[2]), key.read_text(), home)


def memory_mb(pid: int, kind: str = "Pss") -> float:
    """Memory of a process and its descendants: `Pss` counts shared pages once, `Rss` in each."""
    kib = 0
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                kib += int(line.split()[1])
    return kib / 1024


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def body(folder: Path, model: str, copies: int, stream: bool) -> Path:
    """What `asked` tells, in a file."""
    path = folder / f"{model.replace(':', '-')}-{copies}-{stream}.json"
    path.write_text(json.dumps(asked(model, copies, stream=stream)))
    return path


def streams(port: int, body: Path, headers: list[str], *options: str) -> dict[str, float]:
    """What `streamload.py` measured from the load's core."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, str(HERE / "streamload.py")]
    command += ["--port", str(port), "--body", str(body), *options]
    for header in headers:
        command += ["--header", header]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the load failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


__all__ = ["Selat", "body", "cpu_s", "make_home", "memory_mb", "mock", "open_files", "selat", "streams", "tree"]
