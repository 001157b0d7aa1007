"""Selat beside direct, nginx, haproxy, vllm-router, sglang-router, LiteLLM and Portkey: one mock, one run.

    python bench/peers.py [--env DIR] [--peers nginx,selat] [--seconds 3] [--rounds 3] [--out FILE]

Each gateway is started alone on core 0; load and mock share core 1. CPU is user and system time of the gateway's
whole process tree, which other work on the machine distorts less than latency. Selat runs with every check on and
its ledger durable before a prompt leaves; the others only forward. What is not installed is left out: `--env`
names a folder with environments in `litellm/`, `vllmrouter/` and `sglrouter/`, and Portkey's package in `npm/`.
Needs Debian's `wrk`, `nginx-light` and, for its row, `haproxy`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from gateway import NGINX, PROXY, cpu_s, free_port, running, wrk
from stand import GATEWAY_CORE, body, make_home, memory_mb, mock, selat, streams

HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-no-delay
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{upstream} pool-max-conn 256
"""
LITELLM = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-x}}
  - model_name: paced
    litellm_params: {{model: openai/paced, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-x}}
litellm_settings: {{callbacks: [], num_retries: 0, telemetry: false}}
general_settings: {{master_key: sk-bench}}
"""
# With the dependencies that npm resolves today every stream through Portkey ends in 500 ("TypeError: immutable");
# a copied Response has headers that it may change.
PORTKEY = """
const f = globalThis.fetch, R = globalThis.Response;
globalThis.fetch = async (...a) => {
  const r = await f(...a);
  return (r.headers.get('content-type') || '').startsWith('text/event-stream')
    ? new R(r.body, { status: r.status, headers: new Headers(r.headers) }) : r;
};
"""
CELLS = ("small c64", "small c1", "32 KB c16", "32 KB c1", "fast c16", "paced c16", "paced c1")
FEWEST = 20
SLOW = ("litellm", "portkey")
"""These answer so few requests that a cell needs more time for a figure."""
TARGETS = (
    ("small request, against nginx", "small c64", "nginx", 3.0),
    ("small request, against vllm-router", "small c64", "vllm-router", 0.9),
    ("32 KB request, against nginx", "32 KB c16", "nginx", 10.0),
    ("streamed chunk at full speed, against nginx", "fast c16", "nginx", 1.3),
    ("streamed chunk at a pace, against nginx", "paced c16", "nginx", 1.3),
    ("small request, against Portkey", "small c64", "portkey", 1 / 25),
    ("small request, against LiteLLM", "small c64", "litellm", 1 / 100),
)


@dataclass
class Row:
    """What was measured of one gateway: by cell, a value a round; memory and start once a round."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    p50_ms: dict[str, list[float]] = field(default_factory=dict)
    p99_ms: dict[str, list[float]] = field(default_factory=dict)
    start_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)
    bad: int = 0


@dataclass(frozen=True)
class Started:
    """A gateway that answers: the process to weigh (None: the mock itself), its port, what to send along."""

    pid: int | None
    port: int
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bench:
    folder: Path
    upstream: int
    env: Path

    def program(self, *inside: str) -> str | None:
        """A program in the folder of peers, else on the PATH."""
        path = self.env.joinpath(*inside)
        return str(path) if path.exists() else shutil.which(inside[-1])


Start = Callable[[Bench], Iterator[Started]]


def direct(bench: Bench) -> Iterator[Started]:
    yield Started(None, bench.upstream)


def nginx(bench: Bench) -> Iterator[Started]:
    port, folder = free_port(), bench.folder / "nginx"
    folder.mkdir(exist_ok=True)
    server = PROXY.format(port=port, upstream=bench.upstream)
    (folder / "conf").write_text(NGINX.format(folder=folder, server=server))
    with plain(["nginx", "-c", str(folder / "conf"), "-e", str(folder / "early")]) as pid:
        yield Started(pid, port)


def haproxy(bench: Bench) -> Iterator[Started]:
    port, file = free_port(), bench.folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=port, upstream=bench.upstream))
    with plain(["haproxy", "-db", "-f", str(file)]) as pid:
        yield Started(pid, port)


def vllm_router(bench: Bench) -> Iterator[Started]:
    port = free_port()
    command = [bench.program("vllmrouter", "bin", "vllm-router") or "vllm-router", *router(bench, port)]
    with plain(command) as pid:
        yield Started(pid, port)


def sglang_router(bench: Bench) -> Iterator[Started]:
    port = free_port()
    python = bench.program("sglrouter", "bin", "python") or "python"
    with plain([python, "-m", "sglang_router.launch_router", *router(bench, port)]) as pid:
        yield Started(pid, port)


def router(bench: Bench, port: int) -> list[str]:
    told = ["--host", "127.0.0.1", "--port", str(port), "--worker-urls", f"http://127.0.0.1:{bench.upstream}"]
    metrics = ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port())]
    return [*told, "--policy", "round_robin", *metrics, "--log-level", "error"]


def litellm(bench: Bench) -> Iterator[Started]:
    port, file = free_port(), bench.folder / "litellm.yaml"
    file.write_text(LITELLM.format(upstream=bench.upstream))
    program = bench.program("litellm", "bin", "litellm") or "litellm"
    command = [program, "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    with plain(
        [*command, "--telemetry", "False"], {**quiet, "NO_DOCS": "True", "DISABLE_ADMIN_UI": "True"}
    ) as pid:
        yield Started(pid, port, ("Authorization: Bearer sk-bench",))


def portkey(bench: Bench) -> Iterator[Started]:
    port, shim = free_port(), bench.folder / "shim.mjs"
    shim.write_text(PORTKEY)
    server = bench.env / "npm" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    with plain(["node", "--import", str(shim), str(server), f"--port={port}", "--headless"]) as pid:
        host = f"x-portkey-custom-host: http://127.0.0.1:{bench.upstream}/v1"
        yield Started(pid, port, ("Authorization: Bearer sk-x", "x-portkey-provider: openai", host))


def ours(bench: Bench) -> Iterator[Started]:
    make_home(bench.folder / "home", bench.upstream)
    with selat(bench.folder / "home") as one:
        yield Started(one.pid, one.port, (f"Authorization: Bearer {one.key}",))


PEERS: dict[str, Start] = {
    "direct": direct,
    "nginx": nginx,
    "haproxy": haproxy,
    "vllm-router": vllm_router,
    "sglang-router": sglang_router,
    "litellm": litellm,
    "portkey": portkey,
    "selat": ours,
}


def installed(name: str, env: Path) -> bool:
    npm = env / "npm" / "node_modules" / "@portkey-ai" / "gateway"
    return {
        "nginx": lambda: shutil.which("nginx"),
        "haproxy": lambda: shutil.which("haproxy"),
        "vllm-router": lambda: (env / "vllmrouter").exists() or shutil.which("vllm-router"),
        "sglang-router": lambda: (env / "sglrouter").exists(),
        "litellm": lambda: (env / "litellm").exists() or shutil.which("litellm"),
        "portkey": lambda: npm.exists() and shutil.which("node"),
    }.get(name, lambda: True)() not in (None, False)


@contextmanager
def plain(command: list[str], environment: dict[str, str] | None = None) -> Iterator[int]:
    """A process on the gateways' core that says nothing; its id."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, GATEWAY_CORE, env={**inherited, **(environment or {})}, **options) as process:
        yield process.pid


def until_answering(one: Started, asked: Path, within_s: float = 120.0) -> None:
    """Wait for a 200 with choices in it."""
    headers = {name: value for name, _, value in (header.partition(": ") for header in one.headers)}
    deadline, last = time.monotonic() + within_s, ""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=5)
        try:
            told = {"Content-Type": "application/json", **headers}
            connection.request("POST", "/v1/chat/completions", asked.read_bytes(), told)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status == 200 and b"choices" in text:
                return
            last = f"{reply.status} {text[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.05)
    raise SystemExit(f"no answer on port {one.port}: {last}")


def measure(row: Row, one: Started, cell: str, bench: Bench, seconds: int) -> None:
    """One cell of one gateway. A row with errors says so in the end: its other figures mean little."""
    kind, connections = cell.rsplit(" c", 1)
    copies = 340 if kind == "32 KB" else 2
    before = cpu_s(one.pid) if one.pid else 0.0
    if kind in ("fast", "paced"):
        asked = body(bench.folder, "paced" if kind == "paced" else "m", copies, True)
        options = ["--connections", connections, "--seconds", str(seconds)]
        found = streams(one.port, asked, list(one.headers), *options)
        count, p50, p99 = found["events"], found["first_p50_ms"], found["first_p99_ms"]
        row.bad += int(found["bad"] + found["lost"])
    else:
        asked = body(bench.folder, "m", copies, False)
        answered = wrk(one.port, one.headers, asked, int(connections), seconds)
        count, p50, p99 = answered.requests, answered.p50_ms, answered.p99_ms
        row.bad += answered.bad
    used = (cpu_s(one.pid) if one.pid else 0.0) - before
    if count < FEWEST:
        print(f"{cell}: {count:.0f} answers are too few to tell", file=sys.stderr)
        return
    row.cpu_us.setdefault(cell, []).append(1e6 * used / count)
    row.p50_ms.setdefault(cell, []).append(p50)
    row.p99_ms.setdefault(cell, []).append(p99)


def round_of(name: str, row: Row, bench: Bench, seconds: int) -> None:
    """Start a gateway, warm it, measure every cell, weigh it, stop it."""
    small = body(bench.folder, "m", 2, False)
    since = time.monotonic()
    with contextmanager(PEERS[name])(bench) as one:
        until_answering(one, small)
        row.start_s.append(time.monotonic() - since)
        wrk(one.port, one.headers, small, 16, 4 if name in SLOW else 1)
        for cell in CELLS:
            measure(row, one, cell, bench, seconds * 3 if name in SLOW else seconds)
            if cell not in row.cpu_us:
                continue
            print(
                f"{name:14} {cell:10} {row.cpu_us[cell][-1]:10.1f} µs {row.p50_ms[cell][-1]:9.2f} ms",
                file=sys.stderr,
            )
        if one.pid:
            row.rss_mb.append(memory_mb(one.pid, "Rss"))
            row.pss_mb.append(memory_mb(one.pid))


def mid(values: list[float]) -> float:
    return median(values) if values else float("nan")


def figure(values: list[float], places: int) -> str:
    return f"{median(values):.{places}f}" if values else "–"


def table(rows: dict[str, Row]) -> list[str]:
    """Medians of the rounds for CPU, lowest rounds for latency, which foreign load only adds to."""
    heads = ["gateway", "small µs", "32 KB µs", "chunk µs, fast", "chunk µs, paced", "small added p50/p99 ms"]
    heads += ["32 KB added p50 ms", "first event added ms", "RSS MB", "PSS MB", "start s", "errors"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    base = rows.get("direct", Row())

    def added(row: Row, cell: str, which: str) -> str:
        own, plain_ = getattr(row, which).get(cell), getattr(base, which).get(cell)
        return f"{min(own) - min(plain_):.2f}" if own and plain_ and row is not base else "–"

    for name, row in sorted(rows.items(), key=lambda pair: mid(pair[1].cpu_us.get("small c64", []))):
        cpu = [figure(row.cpu_us.get(cell, []), 1) for cell in ("small c64", "32 KB c16", "fast c16", "paced c16")]
        late = f"{added(row, 'small c1', 'p50_ms')}/{added(row, 'small c1', 'p99_ms')}"
        more = [late, added(row, "32 KB c1", "p50_ms"), added(row, "paced c1", "p50_ms")]
        weight = [figure(row.rss_mb, 0), figure(row.pss_mb, 0), figure(row.start_s, 1), str(row.bad)]
        lines.append("| " + " | ".join([name, *(cpu if row is not base else ["–"] * 4), *more, *weight]) + " |")
    return lines


def ratios(rows: dict[str, Row]) -> list[str]:
    """Selat's CPU against each target's peer, where both were measured."""
    lines = ["| what | selat / peer | target |", "|---|---|---|"]
    for what, cell, peer, most in TARGETS:
        if peer in rows and "selat" in rows and cell in rows[peer].cpu_us and cell in rows["selat"].cpu_us:
            ratio = mid(rows["selat"].cpu_us[cell]) / mid(rows[peer].cpu_us[cell])
            told = f"1/{1 / ratio:.0f}" if ratio < 0.1 else f"{ratio:.2f}"
            aim = f"1/{1 / most:.0f}" if most < 0.1 else f"{most:g}"
            lines.append(f"| {what} | {told} | {aim}{'' if ratio <= most else ', missed'} |")
    return lines


def page(rows: dict[str, Row], chosen: argparse.Namespace, missing: list[str], loads: list[float]) -> str:
    """The table with its conditions, as a page of the docs."""
    told = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(": ")[1] for line in told if "model name" in line), "a CPU")
    made = (
        "Made by `python bench/peers.py`. Selat identifies the caller, scans, decides, books durably before the\n"
    )
    machine = f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}"
    cells = f"{chosen.rounds} rounds of {chosen.seconds} s a cell (LiteLLM and Portkey: three times as long)"
    cost = (
        "CPU is user and system time of the process tree a request (64 at once; 32 KB: 16 at once) or a streamed\n"
    )
    cost += (
        "event (16 streams; fast: each in a write of its own, one after another; paced: one in 5 ms), median of\n"
    )
    parts = [
        "# What the gateway costs",
        made + "prompt leaves, and scans the answer; the others only forward.",
        f"{time.strftime('%Y-%m-%d')}, {machine}. Each gateway alone on one core, load and mock\non the other;"
        f" loopback, keep-alive, no TLS. {cells};\nload average of the machine"
        f" {min(loads):.1f} to {max(loads):.1f}.",
        cost
        + "the rounds. Added latency: one caller at a time, less what the mock takes by itself, lowest round.",
        *(["Not installed: " + ", ".join(missing) + "."] if missing else []),
        "\n".join(table(rows)),
        "\n".join(ratios(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--env", type=Path, default=Path(".make/peers"), help="folder of installed peers")
    options.add_argument("--peers", default=",".join(PEERS))
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--out", type=Path, help="a Markdown page to write")
    options.add_argument("--json", type=Path, help="a file for what was measured, round by round")
    chosen = options.parse_args()
    wanted = chosen.peers.split(",")
    missing = [name for name in wanted if not installed(name, chosen.env)]
    rows: dict[str, Row] = {name: Row() for name in wanted if name not in missing}
    loads: list[float] = []
    with tempfile.TemporaryDirectory() as folder, mock() as upstream:
        bench = Bench(Path(folder), upstream, chosen.env.absolute())
        for number in range(chosen.rounds):
            # Back and forth, so that a load that grows or shrinks meets the first and the last alike.
            for name in list(rows) if number % 2 == 0 else list(rows)[::-1]:
                loads.append(os.getloadavg()[0])
                round_of(name, rows[name], bench, chosen.seconds)
    text = page(rows, chosen, missing, loads)
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")
    if chosen.json:
        chosen.json.write_text(json.dumps({name: vars(row) for name, row in rows.items()}))


if __name__ == "__main__":
    main()
