"""CPU per request of Selat with every check on, beside plain nginx and a bare forwarder in Python, in one run.

    python bench/gateway.py [--seconds 4] [--rounds 3]

Needs Debian's `nginx-light` and `wrk`. One nginx is the upstream (a fixed completion), another the plain proxy.
All get the same load on the same core, in turns; `forward` and `book` are `bench/floor.py`. CPU is user and system
time of the whole process tree, from /proc, so other work distorts it less than latency, which is only for
comparing rows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

WORDS = "laporan tahunan jabatan ini menyatakan bahawa bekalan beras negeri Kedah naik pada bulan Mac "
PHONE = "hubungi 012-345 6789 "
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": WORDS * 3}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 50, "completion_tokens": 60, "total_tokens": 110},
}
NGINX = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit; daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 16m; client_body_buffer_size 128k; keepalive_requests 1000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type application/json;
  {server}
}}
"""
UPSTREAM = "server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{reply}'; }} }}"
PROXY = """
upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
server {{ listen 127.0.0.1:{port}; location / {{
  proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}
"""


def asked(model: str, copies: int, *, stream: bool = False) -> dict[str, object]:
    """What clients send: a system prompt, a question of so many times 95 letters with a phone number, settings."""
    question = WORDS * (copies - 1) + PHONE + WORDS
    said = [{"role": "system", "content": "Anda pembantu yang teliti."}, {"role": "user", "content": question}]
    whole = {"model": model, "messages": said, "temperature": 0.2, "max_tokens": 256}
    return {**whole, "stream": True} if stream else whole


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += tree(int(child))
    return found


def cpu_s(pid: int) -> float:
    total = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(command: list[str], core: int, **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(["taskset", "-c", str(core), *command], text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@dataclass(frozen=True)
class Answered:
    """What `wrk` saw: requests answered, those that went wrong, latencies."""

    requests: int
    bad: int
    p50_ms: float
    p99_ms: float


def wrk(port: int, headers: Sequence[str], body: Path, connections: int, seconds: int) -> Answered:
    """A body posted by so many connections for so long, from the load's core."""
    script = body.with_suffix(".lua")
    lines = [f'wrk.headers["{name}"]="{value}"' for name, _, value in (one.partition(": ") for one in headers)]
    script.write_text(
        "\n".join(lines) + f'\nwrk.method="POST"; wrk.body=io.open("{body}","rb"):read("*a")\n'
        'wrk.headers["content-type"]="application/json"\n'
        "function done(s, l, r)\n"
        "  local e = s.errors; local bad = e.status + e.read + e.write + e.timeout + e.connect\n"
        "  local p50, p99 = l:percentile(50) / 1e3, l:percentile(99) / 1e3\n"
        '  io.write(string.format("%d %d %f %f\\n", s.requests, bad, p50, p99))\n'
        "end"
    )
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run([*command, "-s", str(script), url], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^(\d+) (\d+) ([\d.]+) ([\d.]+)$", done, re.MULTILINE)
    if found is None:
        raise SystemExit(f"the load did not go through: {done}")
    return Answered(int(found[1]), int(found[2]), float(found[3]), float(found[4]))


def load(port: int, key: str, body: Path, connections: int, seconds: int) -> tuple[int, float]:
    """Requests answered with 2xx, and the median latency in ms."""
    answered = wrk(port, [f"authorization: Bearer {key}"], body, connections, seconds)
    if answered.bad:
        raise SystemExit(f"{answered.bad} of {answered.requests} requests went wrong")
    return answered.requests, answered.p50_ms


def measure(pid: int, run: Callable[[], tuple[int, float]]) -> tuple[float, float]:
    """CPU in µs a request, and the median latency in ms."""
    before = cpu_s(pid)
    requests, latency_ms = run()
    return 1e6 * (cpu_s(pid) - before) / max(requests, 1), latency_ms


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed: apt-get install nginx-light wrk util-linux")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstream, proxy, bare, booked = free_port(), free_port(), free_port(), free_port()
        commands = {}
        for role, server in (
            ("up", UPSTREAM.format(port=upstream, reply=json.dumps(REPLY))),
            ("proxy", PROXY.format(port=proxy, upstream=upstream)),
        ):
            (folder / role).mkdir()
            (folder / role / "conf").write_text(NGINX.format(folder=folder / role, server=server))
            commands[role] = ["nginx", "-c", str(folder / role / "conf"), "-e", str(folder / role / "early")]
        home = folder / "home"
        home.mkdir()
        (home / "home.toml").write_text("version = 1\n")
        (home / "engines.toml").write_text(
            f'[[engine]]\nname = "up"\nkind = "openai"\nurl = "http://127.0.0.1:{upstream}/v1"\nmodels = ["m"]\n'
            'site = { jurisdiction = "MY" }\nmax_connections = 256\n'
        )
        selat_command = [sys.executable, "-m", "selat", "up", "--home", str(home), "--port", "0", "--json"]
        floor = [sys.executable, str(Path(__file__).with_name("floor.py"))]
        with (
            running(commands["up"], 1),
            running(commands["proxy"], 0) as nginx,
            running([*floor, str(bare), str(upstream)], 0) as forward,
            running([*floor, str(booked), str(upstream), str(folder / "book")], 0) as book,
            running(selat_command, 0, stdout=subprocess.PIPE) as selat,
        ):
            assert selat.stdout is not None
            said = json.loads(selat.stdout.readline())
            until_open(proxy)
            until_open(bare)
            until_open(booked)
            gateways = {
                "nginx": (nginx.pid, proxy),
                "forward": (forward.pid, bare),
                "book": (book.pid, booked),
                "selat": (selat.pid, int(said["address"].rpartition(":")[2])),
            }
            report(folder, chosen, gateways, said["key"])


def report(folder: Path, chosen: argparse.Namespace, gateways: dict[str, tuple[int, int]], key: str) -> None:
    print("| prompt | at once | µs: nginx | forward | book | selat | selat / nginx | p50 ms: nginx | selat |")
    print("|---|---|---|---|---|---|---|---|---|")
    for title, copies, connections in (("200 B", 2, 64), ("200 B", 2, 1), ("32 KB", 340, 16)):
        body = folder / f"{copies}.json"
        body.write_text(json.dumps(asked("m", copies)))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in gateways}
        for _ in range(chosen.rounds):
            for name, (pid, port) in gateways.items():
                found[name].append(measure(pid, partial(load, port, key, body, connections, chosen.seconds)))
        cost = {name: median(one[0] for one in rounds) for name, rounds in found.items()}
        wait = {name: median(one[1] for one in rounds) for name, rounds in found.items()}
        ratio = cost["selat"] / cost["nginx"] if cost["nginx"] else float("nan")
        print(
            f"| {title} | {connections} | {' | '.join(f'{one:.0f}' for one in cost.values())} "
            f"| {ratio:.1f} | {wait['nginx']:.2f} | {wait['selat']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
