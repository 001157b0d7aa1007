"""HTTP/1.1 as callers really speak it: pipelines, keep-alive, old versions, expectations, early answers."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest
from doors_kit import Running


def request(selat: Running, text: str, *, version: str = "1.1", extra: str = "", **asked: object) -> bytes:
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}], **asked}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
        f"Content-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def read_until(connection: socket.socket, done: bytes, count: int = 1) -> bytes:
    received = b""
    while received.count(done) < count:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def connect(selat: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", selat.port), timeout=60)


def test_pipelined_requests_are_answered_in_order(selat: Running) -> None:
    with connect(selat) as connection:
        connection.sendall(b"".join(request(selat, f"nombor {n} tamat") for n in range(8)))
        received = read_until(connection, b" tamat", 8)
        places = [received.index(f"nombor {n} tamat".encode()) for n in range(8)]
        assert places == sorted(places)
        assert received.count(b"HTTP/1.1 200 OK") == 8


def test_a_long_pipeline_is_held_back_and_still_answered(selat: Running) -> None:
    with connect(selat) as connection:
        connection.sendall(b"".join(request(selat, f"nombor {n} tamat") for n in range(60)))
        assert read_until(connection, b" tamat", 60).count(b"HTTP/1.1 200 OK") == 60


def test_a_request_may_come_a_byte_at_a_time(selat: Running) -> None:
    with connect(selat) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(selat, "perlahan tamat"):
            connection.sendall(bytes([byte]))
        assert b"perlahan tamat" in read_until(connection, b" tamat")


def test_who_asks_for_http_2_without_tls_is_answered_in_http_1_1(selat: Running) -> None:
    """As Java's client does by default; what follows on the connection is the next request."""
    wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    for place in (20, -30, -1):
        with connect(selat) as connection:
            for number, extra in enumerate(("", wish, wish, "")):
                sent = request(selat, f"nombor {number} tamat", extra=extra)
                connection.sendall(sent[:place])
                time.sleep(0.01)
                connection.sendall(sent[place:])
                received = read_until(connection, b" tamat")
                assert received.startswith(b"HTTP/1.1 200 OK")
                assert f"nombor {number} tamat".encode() in received


def test_old_clients_get_a_length_or_a_close(selat: Running) -> None:
    for stream in (False, True):
        with connect(selat) as connection:
            connection.sendall(request(selat, "lama tamat", version="1.0", stream=stream))
            received = b""
            while piece := connection.recv(65536):
                received += piece
            head, _, body = received.partition(b"\r\n\r\n")
            assert b"connection: close" in head
            assert b"transfer-encoding" not in head
            assert b"lama" in body


def test_connection_close_is_kept(selat: Running) -> None:
    with connect(selat) as connection:
        connection.sendall(request(selat, "sekali tamat", extra="Connection: close\r\n"))
        received = b""
        while piece := connection.recv(65536):
            received += piece
        assert b"connection: close" in received


def test_an_expectation_is_met_before_the_body(selat: Running) -> None:
    whole = request(selat, "harap tamat", extra="Expect: 100-continue\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    with connect(selat) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b" 200 OK" in read_until(connection, b" tamat")


def test_a_wrong_key_is_refused_before_the_body_is_sent(selat: Running) -> None:
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 1000000\r\n\r\n"
    with connect(selat) as connection:
        connection.sendall(head)
        received = connection.recv(65536)
        assert b"HTTP/1.1 401" in received
        assert b"connection: close" in received


def test_an_endless_head_is_431(selat: Running) -> None:
    with connect(selat) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Filler: ")
        received = b""
        try:
            for _ in range(100):
                connection.sendall(b"f" * 4096)
                time.sleep(0.001)
        except ConnectionError:
            pass  # it has answered and closed
        try:
            received = connection.recv(65536)
        except ConnectionError:
            return
        assert b"HTTP/1.1 431" in received


def test_trailers_and_doubled_headers_give_no_rights(selat: Running) -> None:
    body = b'{"model":"echo","messages":[{"role":"user","content":"hai"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    tail = b"%x\r\n%b\r\n0\r\nAuthorization: Bearer %b\r\n\r\n" % (len(body), body, selat.key.encode())
    with connect(selat) as connection:
        connection.sendall(head + tail)
        assert b"HTTP/1.1 401" in connection.recv(65536)
    with connect(selat) as connection:
        connection.sendall(request(selat, "hai", extra="selat-label: sulit\r\nselat-label: terbuka\r\n"))
        assert b"HTTP/1.1 400" in connection.recv(65536)


def test_a_slow_reader_does_not_make_memory_grow(selat: Running) -> None:
    body = json.dumps(
        {"model": "endless:0", "messages": [{"role": "user", "content": "hai"}], "stream": True}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {selat.key}\r\n"
    with connect(selat) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(1.0)
        early = selat.memory_kib()
        time.sleep(2.0)
        assert selat.memory_kib() - early < 16_384
    assert b" 200 OK" in first_line(selat)


def test_a_body_behind_a_long_answer_is_held_back_not_heaped_up(selat: Running) -> None:
    before = selat.memory_kib()
    with connect(selat) as connection:
        connection.sendall(request(selat, "hai", model="endless:0.05", stream=True))
        read_until(connection, b"data:")
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.sendall((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 400)
        assert selat.memory_kib() - before < 16_384
    assert b" 200 OK" in first_line(selat)


def test_engines_that_never_answer_hold_up_nobody_else(selat: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(selat)).sendall(request(selat, "tunggu", model="hangs"))
        for _ in range(20):
            half = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
            stack.enter_context(connect(selat)).sendall(half)
        for _ in range(20):
            assert b" 200 OK" in first_line(selat)


def first_line(selat: Running) -> bytes:
    with connect(selat) as connection:
        connection.sendall(request(selat, "hidup tamat"))
        return read_until(connection, b" tamat")
