"""Objects by ranges, in lists over a thousand, and in parts that go on after a kill, on a real S3 server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from s3_server import bucket, s3_server

from selat.core.errors import Unavailable
from selat.s3 import Changed, Client, abort, client, upload
from selat.s3.parts import PART_BYTES, note_of

SENDER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from s3_server import bucket
from selat.s3 import Client, upload
sent = []
def told(size):
    sent.append(size)
    if sum(sent) >= int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
upload(Client(bucket(sys.argv[2], "kill")), "big", Path(sys.argv[3]), told)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as running:
        yield running


@pytest.fixture
def store(endpoint: str, tmp_path: Path) -> Iterator[Client]:
    made = Client(bucket(endpoint, tmp_path.name))
    yield made
    made.close()


def whole(store: Client, name: str, *part: int) -> bytes:
    body = store.open(name, *part)
    pieces = []
    while piece := body.read(1 << 20):
        pieces.append(piece)
    body.close()
    return b"".join(pieces)


def test_an_object_is_read_by_ranges(store: Client) -> None:
    data = os.urandom(100_000)
    store.put("a", data)
    assert whole(store, "a") == data
    assert whole(store, "a", 10, 20) == data[10:20]
    assert whole(store, "a", 99_990) == data[99_990:]
    seen = store.head("a")
    assert seen is not None
    assert seen.size_bytes == len(data)
    assert store.head("b") is None
    with pytest.raises(FileNotFoundError):
        store.open("b")
    store.open("a", 5, 9, seen.etag).close()
    store.put("a", b"lain" * 100)
    with pytest.raises(Changed):
        store.open("a", 5, 9, seen.etag)


def test_a_list_is_whole(store: Client) -> None:
    for number in range(5):
        store.put(f"x/{number} &+", b"1" * number)
    store.put("y", b"")
    listed = list(store.each("x/"))
    assert [(one.name, one.size_bytes) for one in listed] == [(f"x/{n} &+", n) for n in range(5)]
    assert all(one.modified > 1.6e9 for one in listed)


class Pages(BaseHTTPRequestHandler):
    """Lists two names a page, and knows how to end an upload: s3rver fails at both."""

    ended: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        token = "continuation-token=t%2F1" in self.path
        entry = f"<Contents><Key>p/{'b' if token else 'a'}&amp;</Key><Size>3</Size></Contents>"
        more = "" if token else "<NextContinuationToken>t/1</NextContinuationToken>"
        self._answer(200, f"<IsTruncated>{'false' if token else 'true'}</IsTruncated>{more}{entry}".encode())

    def do_DELETE(self) -> None:
        self.ended.append(self.path)
        self._answer(204, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_list_goes_on_page_by_page_and_an_upload_is_ended(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = Client(bucket(f"http://127.0.0.1:{server.server_port}", "p"))
        assert [(one.name, one.size_bytes) for one in store.each("")] == [("a&", 3), ("b&", 3)]
        file = tmp_path / "big"
        note_of(file).write_text('{"name": "big", "upload": "u1", "part_bytes": 5, "etags": []}')
        abort(store, note_of(file))
        assert Pages.ended == ["/tiles/p/big?uploadId=u1"]
        assert not note_of(file).exists()
        store.close()
        server.shutdown()


def test_killed_between_parts_it_goes_on_with_the_next(endpoint: str, tmp_path: Path) -> None:
    size = 2 * PART_BYTES + 1000
    file = tmp_path / "big"
    with file.open("wb") as opened:
        opened.write(os.urandom(1 << 20))
        opened.seek(size - 1000)
        opened.write(os.urandom(1000))
    words = [sys.executable, "-c", SENDER, str(Path(__file__).parents[1]), endpoint, str(file), str(PART_BYTES)]
    assert subprocess.run(words, timeout=60).returncode == -signal.SIGKILL
    assert note_of(file).exists()
    store = Client(bucket(endpoint, "kill"))
    assert store.head("big") is None, "an object that is not whole is not there"
    told: list[int] = []
    upload(store, "big", file, told.append)
    assert told == [PART_BYTES, PART_BYTES, 1000]
    assert told[0] == PART_BYTES, "what was sent before is told, and not sent again"
    assert not note_of(file).exists()
    assert whole(store, "big") == file.read_bytes()
    store.close()


def test_an_upload_that_the_server_forgot_begins_anew(store: Client, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(bytes(PART_BYTES) + b"end")
    note_of(file).write_text(
        f'{{"name": "big", "upload": "0123456789abcdef", "part_bytes": {PART_BYTES}, "etags": ["x"]}}'
    )
    upload(store, "big", file)
    assert store.head("big") is not None
    note_of(file).write_text("rosak")
    upload(store, "lain", file)


def test_a_store_that_goes_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT_S", 0.001)
    with s3_server() as running:
        store = Client(bucket(running, "x"))
        store.put("a", bytes(48 << 20))  # more than sockets hold
        body = store.open("a")
        body.read(10)
    with pytest.raises(ConnectionError):
        any(not body.read(1 << 20) for _ in range(50))
    body.close()
    with pytest.raises(Unavailable, match="object store 127"):
        store.open("a")
    store.close()
