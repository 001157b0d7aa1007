"""Detection against servers that answer as each kind does."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from llama_kit import bare
from tiny_model import make_model
from waiting import CEILING_S

from selat.engines.detect import SOFTWARE, Detected, detect
from selat.testing import Upstream


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks is heard, on a slow machine too."""
    monkeypatch.setattr("selat.engines.detect._LIMIT_S", CEILING_S)


@contextmanager
def answering(replies: Mapping[str, Any]) -> Iterator[int]:
    """A server on a free port that gives `replies` by path and 404 else; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path in replies
            body = json.dumps(replies.get(self.path, {"detail": "Not Found"})).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def rows(*models: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(models)}


KINDS = [
    (
        {
            "/version": {"version": "0.19.2"},
            "/v1/models": rows({"id": "q", "owned_by": "vllm", "max_model_len": 8192}),
        },
        ("vllm", "0.19.2", 8192),
    ),
    (
        {
            "/get_server_info": {"version": "0.5.9", "tp_size": 1},
            "/v1/models": rows({"id": "q", "owned_by": "sglang", "max_model_len": 4096}),
        },
        ("sglang", "0.5.9", 4096),
    ),
    (
        {
            "/props": {"default_generation_settings": {"n_ctx": 65536}, "build_info": "b8681"},
            "/v1/models": rows({"id": "q", "owned_by": "llamacpp"}),
            "/version": {"version": "x"},
        },
        ("llama-server", "b8681", 65536),
    ),
    (
        {
            "/server_info": {"version": "0.6.1", "tp_size": 1, "context_length": 131072},
            "/v1/models": rows({"id": "q", "owned_by": "sglang"}),
        },
        ("sglang", "0.6.1", 131072),
    ),
    (
        {"/v1/models": rows({"id": "q", "owned_by": "llamacpp", "meta": {"n_ctx_train": 4096, "n_ctx": 2048}})},
        ("llama-server", "", 2048),
    ),
    (
        {
            "/api/version": {"version": "0.40.12"},
            "/api/ps": {"models": [{"name": "q", "context_length": 4096}, {"name": "r", "context_length": 32768}]},
            "/v1/models": rows({"id": "q", "owned_by": "library"}),
        },
        ("ollama", "0.40.12", 32768),
    ),
    (
        {"/api/version": {"version": "0.12.6"}, "/v1/models": rows({"id": "q", "owned_by": "library"})},
        ("ollama", "0.12.6", 0),
    ),
    (
        {
            "/api/v0/models": rows({"id": "q", "max_context_length": 32768, "loaded_context_length": 8192}),
            "/v1/models": rows({"id": "q", "owned_by": "organization_owner"}),
        },
        ("lm-studio", "", 8192),
    ),
    (
        {"/info": {"version": "3.3.4", "max_total_tokens": 2048}, "/v1/models": rows({"id": "q"})},
        ("tgi", "3.3.4", 2048),
    ),
    ({"/v1/models": rows({"id": "q"})}, ("unknown", "", 0)),
    ({"/v1/models": rows({"id": "q", "owned_by": "vllm"})}, ("vllm", "", 0)),
]


def at(port: int) -> Detected | None:
    found = asyncio.run(detect([port]))
    return next((one for one in found if one.url == f"http://127.0.0.1:{port}/v1"), None)


@pytest.mark.parametrize(("replies", "told"), KINDS, ids=[f"{row[1][0]}-{n}" for n, row in enumerate(KINDS)])
def test_each_kind_of_server_is_recognised(replies: dict[str, Any], told: tuple[str, str, int]) -> None:
    with answering(replies) as port:
        found = at(port)
    assert found is not None
    assert (found.software, found.version, found.context) == told
    assert found.models == ("q",)


def test_every_row_of_the_table_has_a_test() -> None:
    assert {row.name for row in SOFTWARE} <= {told[0] for _, told in KINDS}


@pytest.mark.parametrize(
    "replies",
    [{}, {"/v1/models": "x"}, {"/v1/models": {"data": "x"}}, {"/v1/models": {"data": {}}}, {"/": rows()}],
)
def test_what_gives_no_list_of_models_is_no_engine(replies: dict[str, Any]) -> None:
    with answering(replies) as port:
        assert at(port) is None


def test_odd_rows_do_no_harm() -> None:
    with answering({"/v1/models": {"data": [1, None, [], {"id": ""}, {"id": "q"}]}, "/props": [1]}) as port:
        found = at(port)
    assert found is not None
    assert found.models == ("q",)


def test_a_port_where_nobody_answers_or_nobody_speaks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selat.engines.detect._LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert at(silent.getsockname()[1]) is None
    assert at(1) is None


def test_only_questions_are_asked() -> None:
    with Upstream() as upstream:
        found = at(upstream.port)
        assert found is not None
        assert "echo" in found.models
        assert {got.method for got in upstream.received} == {"GET"}
        assert all(not got.body and "authorization" not in got.headers for got in upstream.received)


def test_a_real_llama_cpp_server_is_recognised(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")
    with bare(make_model(tmp_path / "a.gguf"), secret="") as address:
        found = at(int(address.rpartition(":")[2]))
    assert found is not None
    assert (found.software, found.models, found.context) == ("llama-server", ("a",), 256)
    assert found.version
