"""A house behind an air gap, played in a network namespace without a route; the standard library alone.

`python3 airgap_story.py FOLDER KEY`: FOLDER holds `b.tar`. Installs Selat from it, takes it in, asks a document
and a model, has the house that came of it make a bundle for the next one, and tells on stdout how often anything
tried to reach another machine, before and after it tries so itself.

The kernel counts in each namespace the packets and connections for which it had no route (`OutNoRoutes` of
RFC 4293): whoever calls out, in whatever process and by whatever library, is counted. Names are looked up at an
address without a route, so that a lookup counts as well.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

TOOLS = ("bundle.note", "manifest.json", "install.py", "requirements.txt", "wheels")
NOWHERE = "192.0.2.53"  # TEST-NET-1, RFC 5737
_SIOCSIFFLAGS, _UP_RUNNING = 0x8914, 0x41
Headers = dict[str, str]


def attempts() -> int:
    """What the kernel had no route for in this namespace, of IPv4 and IPv6."""
    four, six = (Path("/proc/net", name).read_text().splitlines() for name in ("snmp", "snmp6"))
    names, values = (line.split() for line in four if line.startswith("Ip:"))
    lost = [int(line.split()[1]) for line in six if line.startswith("Ip6OutNoRoutes ")]
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"]) + sum(lost)


def only_loopback() -> None:
    """Bring loopback up, and look names up where nothing is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_RUNNING))
    Path("resolv.conf").write_text(f"nameserver {NOWHERE}\noptions attempts:1 timeout:1\n")
    subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)


def call_out() -> dict[str, int]:
    """Deliberate attempts of each kind, with what the kernel counted of each."""

    def udp() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hai", (NOWHERE, 53))

    seen = {}
    for name, attempt in (
        ("tcp", lambda: socket.create_connection((NOWHERE, 443), 2).close()),
        ("udp", udp),
        ("name", lambda: socket.getaddrinfo("huggingface.co", 443)),
        ("library", lambda: urllib.request.urlopen("https://pypi.org/simple", timeout=5).close()),
    ):
        before = attempts()
        try:
            attempt()
        except OSError:
            seen[name] = attempts() - before
    return seen


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:6])}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout


class House:
    """One `selat up` of the installed Selat, and its commands."""

    def __init__(self, selat: Path, home: Path) -> None:
        self.selat, self.home = str(selat), str(home)
        options = ("--home", self.home, "--port", "0", "--json")
        self.process = subprocess.Popen([self.selat, "up", *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")

    def command(self, *words: str) -> str:
        return run(self.selat, *words, "--home", self.home)

    def post(self, body: dict[str, object]) -> list[str]:
        """The lines of an answer."""
        headers = {"authorization": f"Bearer {self.said['key']}", "content-type": "application/json"}
        url = f"{self.said['address']}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode().splitlines()

    def until(self, body: dict[str, object], wanted: str) -> list[str]:
        """Ask again until an answer holds what is wanted: engines and documents are taken up while it runs."""
        deadline = time.monotonic() + 60
        while True:
            try:
                lines = self.post(body)
            except OSError as error:
                lines = [str(error)]
            if any(wanted in line for line in lines) or time.monotonic() > deadline:
                return lines
            time.sleep(0.3)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def story(folder: Path, key: str) -> dict[str, object]:
    bundle = folder / "b.tar"
    run("tar", "-xf", str(bundle), "-C", str(folder), *TOOLS)
    run(sys.executable, str(folder / "install.py"), str(folder / "env"), "--no-compile", "--quiet")
    installed_s = time.monotonic()
    house = House(folder / "env/bin/selat", folder / "home")
    asked: dict[str, object] = {
        "messages": [{"role": "user", "content": "Bilakah mesyuarat pelan induk diadakan?"}]
    }
    try:
        came = json.loads(house.command("bundle", "import", str(bundle), "--trust", key, "--admit", "--json"))
        gguf = json.loads(house.command("model", "show", "cuba/rawak", "--json"))["path"]
        house.command("engine", "run", "rawak", f"{gguf}/rawak.gguf", "--context", "512", "--threads", "1")
        document = house.until({**asked, "model": "docs"}, "3 Mac 2027")
        stream = house.until({**asked, "model": "rawak", "stream": True, "max_tokens": 8}, "data: [DONE]")
    finally:
        code = house.stop()
    house.command("bundle", "export", "next", "--wheels", "--wheels-from", str(folder / "wheels"))
    again = [
        str(folder / "env/bin/python"),
        "-m",
        "pip",
        "install",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--quiet",
    ]
    (wheel,) = Path("next/wheels").glob("selat-*.whl")
    run(*again, "--no-compile", "--target", "again", str(wheel))
    return {
        "passed_on": sorted(path.name for path in Path("next/wheels").iterdir()),
        "locks": len(list(Path("again").glob("*.dist-info/extra_metadata/*.lock"))),
        "came": came["came"],
        "document": "\n".join(document),
        "stream": stream,
        "code": code,
        "house_s": time.monotonic() - installed_s,
    }


if __name__ == "__main__":
    here = Path(sys.argv[1])
    os.chdir(here)
    only_loopback()
    told = story(here, sys.argv[2])
    told["attempts"] = attempts()
    told["deliberate"] = call_out()
    json.dump(told, sys.stdout)
