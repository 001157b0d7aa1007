"""Bad input at the socket: each gets a clear error, nothing is lost, and the process lives on."""

from __future__ import annotations

import asyncio
import json
import runpy
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors_kit import Running, a_home, start
from waiting import CEILING_S, until

from selat.testing import Upstream

GOOD = {"model": "echo", "messages": [{"role": "user", "content": "hai"}]}


def exchange(selat: Running, data: bytes, within_s: float = CEILING_S) -> bytes:
    """Send raw bytes and read until the server closes or a whole response with a length has come."""
    with socket.create_connection(("127.0.0.1", selat.port), timeout=within_s) as connection:
        connection.sendall(data)
        received = b""
        while True:
            head, end, body = received.partition(b"\r\n\r\n")
            if end:
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if length and len(body) >= int(length[0].split(b":")[1]):
                    return received
            piece = connection.recv(65536)
            if not piece:
                return received
            received += piece


def post(selat: Running, body: bytes, *, path: str = "/v1/chat/completions", extra: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    )
    return exchange(selat, head.encode() + body)


def alive(selat: Running) -> bool:
    return b" 200 OK" in post(selat, json.dumps(GOOD).encode())


def error_of(response: bytes) -> dict[str, object]:
    error = json.loads(response.partition(b"\r\n\r\n")[2])["error"]
    assert isinstance(error, dict)
    return error


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"\xff\xfe\x00", None),
        (b'{"model":"echo","messages":[{"role":"user","content":"\xff"}]}', None),
        (b"[" * 200_000, None),
        (b'{"model":5,"messages":[]}', "model"),
        (b'{"model":"echo"}', "messages"),
        (b'{"model":"echo","messages":[{"role":"user","content":5}]}', "messages[0].content"),
    ],
)
def test_a_malformed_body_is_400_with_the_field(selat: Running, body: bytes, param: str | None) -> None:
    response = post(selat, body)
    assert b"HTTP/1.1 400" in response
    assert error_of(response)["param"] == param
    assert alive(selat)


def test_unknown_fields_reach_the_engine(selat: Running) -> None:
    assert b" 200 OK" in post(selat, json.dumps({**GOOD, "dry_multiplier": 0.5}).encode())
    assert selat.upstream.received[-1].ask["dry_multiplier"] == 0.5


def test_a_body_over_the_limit_is_413_before_it_is_read(selat: Running) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
    response = exchange(selat, f"{head}Content-Length: 10485760\r\n\r\n".encode())
    assert b"HTTP/1.1 413" in response
    assert "8388608" in str(error_of(response)["message"])
    assert alive(selat)


def test_a_long_body_that_arrives_in_one_read_is_no_long_head(selat: Running) -> None:
    long = {**GOOD, "messages": [{"role": "user", "content": "salam " * 30_000}]}
    for _ in range(5):
        assert b" 200 OK" in post(selat, json.dumps(long).encode())[:20]


def test_a_chunked_body_over_the_limit_is_413(selat: Running) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", selat.port), timeout=CEILING_S) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(10):
                connection.sendall(chunk)
        except ConnectionError:
            pass  # the server answered and closed before all was sent
        assert b"HTTP/1.1 413" in connection.recv(65536)
    assert alive(selat)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
    ],
)
def test_what_is_not_strict_http_is_refused(selat: Running, request_: bytes) -> None:
    response = exchange(selat, request_)
    assert response == b"" or b"HTTP/1.1 4" in response
    assert alive(selat)


@pytest.fixture(scope="module")
def hasty(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Selat that soon lets go who sends too slowly: a machine that stalls can make any caller of it one."""
    folder = tmp_path_factory.mktemp("hasty")
    running = start(
        a_home(folder, upstream, "head_timeout_s = 2.0\nbody_timeout_s = 2.0\n"), upstream, folder / "log"
    )
    yield running
    assert running.stop() == 0, running.log.read_text()


def test_a_slow_loris_is_let_go_and_others_are_served(hasty: Running) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=CEILING_S) as slow:
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
        until(lambda: alive(hasty))
        assert slow.recv(1024) == b""


def test_a_body_that_does_not_come_is_408(hasty: Running) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hasty.key}\r\n"
    sent = f"{head}Content-Length: 100\r\n\r\n{{".encode()
    until(lambda: b"HTTP/1.1 408" in exchange(hasty, sent))


def test_wrong_paths_and_methods_are_named(selat: Running) -> None:
    assert b"HTTP/1.1 404" in post(selat, b"{}", path="/v1/tiada")
    refused = exchange(selat, b"GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP/1.1 405" in refused
    assert b'"invalid_request_error"' in refused


def test_a_probe_may_ask_for_the_head_alone(selat: Running) -> None:
    told = exchange(selat, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 15\r\n" in told
    assert told.endswith(b"\r\n\r\n")


def test_ten_of_ten_who_hang_up_mid_stream_are_closed_as_cancelled(selat: Running) -> None:
    body = json.dumps({"model": "endless:0.05", "messages": GOOD["messages"], "stream": True}).encode()
    receipts = []
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", selat.port), timeout=CEILING_S) as connection:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            received = connection.recv(65536)
            while b"data:" not in received:
                received += connection.recv(65536)
            lines = received.split(b"\r\n")
            receipts.append(next(line for line in lines if line.startswith(b"selat-receipt")).split()[1].decode())
    outcomes = [selat.leaves_of(receipt, "closed")["outcome"] for receipt in receipts]
    assert outcomes == ["cancelled"] * 10


def test_of_five_hundred_random_hang_ups_none_loses_its_closing(selat: Running) -> None:
    """`bench/hangups.py` does the same ten thousand times."""
    hangups = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "hangups.py"))
    place = hangups["Place"](selat.port, selat.key, selat.home, ("echo:3", "slow:0.05", "endless:0.05", "dies"))
    left = asyncio.run(hangups["leave_many"](place, 500, 32, 7))
    assert sum(left.values()) == 500
    assert len(left) == 4
    missing, outcomes = hangups["lost"](selat.home)
    assert not missing
    assert outcomes["cancelled"] > 100


def test_a_label_header_that_is_no_label_is_400(selat: Running) -> None:
    response = post(selat, json.dumps(GOOD).encode(), extra="selat-label: entah\r\n")
    assert b"HTTP/1.1 400" in response
    assert error_of(response)["param"] == "selat-label"


def test_receipts_are_given_to_their_own_tenant_only_as_json_or_proof(selat: Running) -> None:
    answer = post(selat, json.dumps(GOOD).encode())
    receipt = next(line for line in answer.split(b"\r\n") if line.startswith(b"selat-receipt")).split()[1].decode()
    selat.leaves_of(receipt, "closed")
    auth = f"Authorization: Bearer {selat.key}\r\n"
    get = f"GET /v1/receipts/{receipt} HTTP/1.1\r\nHost: x\r\n{auth}"
    deadline = time.monotonic() + CEILING_S
    found: dict[str, object] = {}
    while found.get("status") != "closed":
        assert time.monotonic() < deadline
        found = json.loads(exchange(selat, f"{get}\r\n".encode()).partition(b"\r\n\r\n")[2])
    proof = exchange(selat, f"{get}Accept: text/plain\r\n\r\n".encode())
    assert b"c2sp.org/tlog-proof@v1" in proof
    assert b"HTTP/1.1 404" in exchange(selat, f"GET /v1/receipts/tiada HTTP/1.1\r\nHost: x\r\n{auth}\r\n".encode())
    assert b"HTTP/1.1 401" in exchange(selat, f"GET /v1/receipts/{receipt} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def test_a_missing_key_and_a_wrong_one_are_told_the_same_and_how_to_get_one(selat: Running) -> None:
    said = []
    for line in ("", "authorization: Bearer sk-selat-wrong\r\n", "x-api-key: wrong\r\n"):
        answer = exchange(selat, f"GET /v1/models HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode())
        assert b"HTTP/1.1 401" in answer
        said.append(answer.partition(b"\r\n\r\n")[2])
    assert len(set(said)) == 1
    assert b"selat key create" in said[0]


def test_health_readiness_and_metrics_hold_no_content(selat: Running) -> None:
    post(
        selat,
        json.dumps({**GOOD, "messages": [{"role": "user", "content": "perkataan-sulit 900101-14-5678"}]}).encode(),
    )
    assert b" 200 OK" in exchange(selat, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 OK" in exchange(selat, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    metrics = exchange(selat, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"selat_requests_total" in metrics
    assert b'selat_findings_total{kind="MYKAD",direction="in"}' in metrics
    assert b"perkataan-sulit" not in metrics
    assert b"perkataan-sulit" not in selat.log.read_bytes()
