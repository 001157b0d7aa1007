"""A whole Selat in real processes, with real upstreams behind it, for everything that comes in by a door."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
from waiting import CEILING_S

from selat.ledger import Book
from selat.testing import Upstream

MODELS = (
    *("echo", "echo:3", "slow:0.05", "slow:1", "endless:0", "endless:0.05", "tools"),
    *("raw", "raw:400", "raw:utf-7"),
    *("hangs", "hangs-midway", "refuses", "dies", "garbage", "garbage-json", "short", "nothing"),
    *("both-lengths", "huge-headers", "error:500", "error:400", "error:401"),
)

NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate: to read the machine's takes 25 ms for each client, and a Selat here speaks plain HTTP."""


@dataclass
class Running:
    """One `selat up` and what it said of itself."""

    process: subprocess.Popen[str]
    home: Path
    said: dict[str, Any]
    upstream: Upstream
    log: Path = field(default=Path())
    clients: list[openai.OpenAI] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.said["address"])

    @property
    def key(self) -> str:
        return str(self.said["key"])

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def client(self, **options: Any) -> openai.OpenAI:
        if "http_client" not in options:
            options["http_client"] = openai.DefaultHttpxClient(verify=NOBODY)
        options = {"api_key": self.key, "max_retries": 0, "timeout": CEILING_S, **options}
        made = openai.OpenAI(base_url=f"{self.address}/v1", **options)
        self.clients.append(made)
        return made

    def leaves(self) -> list[dict[str, Any]]:
        return [json.loads(leaf) for leaf in Book(self.home / "ledger").entries()]

    def leaves_of(self, receipt: str, kind: str, within_s: float = CEILING_S) -> dict[str, Any]:
        """The entry of that id and kind, once it is sealed and can be found by its id, a little later."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            book = Book(self.home / "ledger")
            for leaf in (json.loads(book.leaf(index)) for index in book.find(receipt)):
                if leaf["kind"] == kind:
                    return dict(leaf)
            time.sleep(0.1)
        raise AssertionError(f"no {kind} entry of {receipt} within {within_s} s")

    def memory_kib(self) -> int:
        """What its gateway holds in memory."""
        status = Path(f"/proc/{children(self.process)['gateway-0']}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """Wait for the process; its exit code."""
        for client in self.clients:
            client.close()
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def engines_toml(upstream: Upstream) -> str:
    here = json.dumps([[model, model] for model in MODELS])
    pairs = "".join(f'"{public}" = "{name}"\n' for public, name in json.loads(here))
    return f"""
[[engine]]
name = "dekat"
kind = "openai"
url = "{upstream.url}"
site = {{ jurisdiction = "MY", operator = "ujian" }}
timeouts = {{ connect = 10.0, first_byte = 5.0, between = 5.0 }}
[engine.models]
{pairs}
[[engine]]
name = "luar"
kind = "openai"
url = "{upstream.url}"
site = {{ jurisdiction = "SG", operator = "awan", operator_jurisdiction = "US" }}
[engine.models]
"far" = "echo:3"
"far-tools" = "tools"
"far-respells" = "respells"
"far-respells-3" = "respells:3"
[[engine]]
name = "mati"
kind = "openai"
url = "http://127.0.0.1:1/v1"
models = {{ "nobody" = "echo" }}
site = {{ jurisdiction = "MY" }}
"""


def a_home(folder: Path, upstream: Upstream, settings: str = "", engines: str = "") -> Path:
    """A home in the folder with the upstream's engines and these settings; nothing runs yet."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "home.toml").write_text("version = 1\n")
    (home / "engines.toml").write_text(engines_toml(upstream) + engines)
    # Tests look for entries under a checkpoint hundreds of times: not a second each.
    (home / "selat.toml").write_text(f"ledger_seal_every_ms = 200\n{settings}")
    return home


def start(home: Path, upstream: Upstream, log: Path, *options: str) -> Running:
    """Start `selat up` on a home and wait for its first answer."""
    command = [sys.executable, "-m", "selat", "up", "--home", str(home), "--port", "0", "--json", *options]
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"selat up said nothing: {log.read_text()}"
    return Running(process, home, json.loads(line), upstream, log)


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """The processes under a supervisor, by role: `gateway-0`, `sequencer`."""
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) != process.pid:
            continue
        if b"--worker" in words:
            found[words[words.index(b"--worker") + 1].decode()] = int(entry.name)
        elif b"sequence" in words:
            found["sequencer"] = int(entry.name)
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
