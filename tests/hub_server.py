"""A small hub in a thread, written from the protocol's description, that can misbehave in named ways."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Repo:
    files: dict[str, bytes]
    commit: str = COMMIT
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0", "base_model": "asal/induk"})
    large: int = 1000
    """From this size on a file is stored apart: the hub then states its SHA-256, else Git's SHA-1."""


class HubServer:
    """`faults[path]`: `lies` (other bytes than stated), `cuts:N` (breaks after N bytes), `ignores-range`,
    `other-range`, `missing`, `busy:N` (503 the first N times), `longer`, `away` (redirects to another host name),
    `downgrade`, `slow:S` (takes so many seconds), `leave` (sends a hundredth for each that is `let`),
    `stalls:S` (half of it, then nothing for so long).
    `token`: what it wants. `asked`: what was asked for, in order.
    """

    def __init__(self, **repos: Repo) -> None:
        self.repos = {name.replace("__", "/"): repo for name, repo in repos.items()}
        self.faults: dict[str, str] = {}
        self.token = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.counts: dict[str, int] = {}
        self._leave = threading.Semaphore(0)
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None: ...

            def do_GET(self) -> None:
                answer(hub, self)

            do_HEAD = do_GET

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET

            def handle_error(self, *words: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def let(self, hundredths: int) -> None:
        """So much more of a file may go."""
        self._leave.release(hundredths)

    def leave(self) -> None:
        self._leave.acquire()

    def gets(self, end: str) -> list[str]:
        """The ranges of the GETs of files that end so."""
        return [said.get("range", "") for verb, path, said in self.asked if verb == "GET" and path.endswith(end)]


def answer(hub: HubServer, ask: BaseHTTPRequestHandler) -> None:
    path = unquote(ask.path.partition("?")[0])
    hub.asked.append((ask.command, path, {name.lower(): value for name, value in ask.headers.items()}))
    if path.startswith("/plain/"):
        return give(
            hub, ask, path.removeprefix("/plain/"), hub.repos["plain"].files.get(path.removeprefix("/plain/"))
        )
    if hub.token and ask.headers.get("authorization") != f"Bearer {hub.token}" and "/away/" not in path:
        return end(ask, 401, {"X-Error-Code": "GatedRepo"})
    if found := re.fullmatch(r"/api/models/(.+)/revision/([^/]+)", path):
        repo = hub.repos.get(found[1])
        if repo is None:
            return end(ask, 404, {"X-Error-Code": "RepoNotFound"})
        if found[2] not in ("main", repo.commit):
            return end(ask, 404, {"X-Error-Code": "RevisionNotFound"})
        return send(ask, 200, json.dumps(described(found[1], repo)).encode(), {"content-type": "application/json"})
    if found := re.fullmatch(r"(?:/away)?/(.+)/resolve/([^/]+)/(.+)", path):
        repo = hub.repos[found[1]]
        assert found[2] == repo.commit, "an unpinned revision was asked for"
        return give(hub, ask, found[3], repo.files.get(found[3]))
    end(ask, 404, {})


def described(name: str, repo: Repo) -> dict[str, Any]:
    siblings: list[dict[str, Any]] = []
    for path, data in repo.files.items():
        one: dict[str, Any] = {"rfilename": path, "size": len(data)}
        one["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if len(data) >= repo.large:
            one["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        siblings.append(one)
    return {"id": name, "sha": repo.commit, "cardData": repo.card, "siblings": siblings, "gated": False}


def give(hub: HubServer, ask: BaseHTTPRequestHandler, path: str, data: bytes | None) -> None:
    fault, _, number = hub.faults.get(path, "").partition(":")
    count = hub.counts[path] = hub.counts.get(path, 0) + 1
    if data is None or fault == "missing":
        return end(ask, 404, {"X-Error-Code": "EntryNotFound"})
    if fault == "busy" and count <= int(number):
        return end(ask, 503, {})
    if fault == "away" and "/away/" not in ask.path:
        return end(ask, 302, {"location": f"http://localhost:{hub.port}/away{ask.path}"})
    if fault == "downgrade":
        return end(ask, 302, {"location": "ftp://127.0.0.1/x"})
    start = 0
    if (said := ask.headers.get("range")) and fault != "ignores-range":
        start = int(re.fullmatch(r"bytes=(\d+)-", said)[1])  # type: ignore[index]
        if start >= len(data):
            return end(ask, 416, {"content-range": f"bytes */{len(data)}"})
    if fault == "other-range" and start:
        start += 1
    if fault == "slow":
        return slowly(ask, data, start, lambda: time.sleep(float(number) / 100))
    if fault == "leave":
        return slowly(ask, data, start, hub.leave)
    if fault == "stalls":
        send(ask, 200, data, {}, len(data) // 2)
        ask.wfile.flush()
        return time.sleep(float(number))
    if fault == "lies":
        data = data[:-1] + bytes([data[-1] ^ 1])
    if fault == "longer":
        data += b"x"
    head = {"content-range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
    send(ask, 206 if start else 200, data[start:], head, int(number) if fault == "cuts" else None)


def slowly(ask: BaseHTTPRequestHandler, data: bytes, start: int, wait: Callable[[], None]) -> None:
    """All of it in a hundred pieces, each waited for."""
    ask.send_response(206 if start else 200)
    ask.send_header("content-length", str(len(data) - start))
    if start:
        ask.send_header("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    ask.end_headers()
    step = len(data) // 100 + 1
    for place in range(start, len(data), step):
        wait()
        ask.wfile.write(data[place : place + step])


def send(
    ask: BaseHTTPRequestHandler, status: int, body: bytes, head: dict[str, str], most: int | None = None
) -> None:
    ask.send_response(status)
    for name, value in {"content-length": str(len(body)), **head}.items():
        ask.send_header(name, value)
    ask.end_headers()
    if ask.command != "HEAD":
        ask.wfile.write(body[:most])
    if most is not None and most < len(body):
        ask.close_connection = True


def end(ask: BaseHTTPRequestHandler, status: int, head: dict[str, str]) -> None:
    send(ask, status, b"", head)
