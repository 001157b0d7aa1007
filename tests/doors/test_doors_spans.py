"""OpenTelemetry spans at a real OTLP receiver: one trace from the caller through us to the engine, no content."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from doors_kit import Running, engines_toml

from selat.testing import Upstream

proto = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="needs the extra 'otel'"
)
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra 'otel'")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "perkataan-sulit"
ROUTE = "POST /v1/chat/completions"


class Receiver:
    """An OTLP/HTTP collector: what came as bytes, and the spans in it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.bytes = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.bytes += body
                batch = proto.ExportTraceServiceRequest.FromString(body)
                assert self.path == "/v1/traces"
                receiver.spans += [s for r in batch.resource_spans for scope in r.scope_spans for s in scope.spans]
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, trace: str) -> list[Any]:
        return [span for span in self.spans if span.trace_id.hex() == trace]

    def named(self, trace: str) -> dict[str, Any]:
        return {span.name: span for span in self.of(trace)}


def told(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def traced(receiver: Receiver, upstream: Upstream, tmp_path: Path, fresh: Callable[..., Running]) -> Running:
    home = tmp_path / "home"
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    pair = ""
    for name, url, weight in (("patah", "http://127.0.0.1:1/v1", 1), ("sihat", upstream.url, 0)):
        pair += f'[[engine]]\nname = "{name}"\nurl = "{url}"\nmodels = {{ pair = "echo" }}\nweight = {weight}\n'
        pair += 'site = { jurisdiction = "MY" }\n'
    (home / "engines.toml").write_text(engines_toml(upstream) + pair)
    (home / "selat.toml").write_text(f'otel_endpoint = "{receiver.url}"\n')
    return fresh()


def parent(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PARENT}-01"}


def test_one_trace_goes_from_the_caller_through_us_to_the_engine(traced: Running, receiver: Receiver) -> None:
    say: Any = [{"role": "user", "content": f"{SECRET} 900101-14-5678"}]
    chat = traced.client().chat.completions
    joined, failed_over, refused, left = (f"{number:x}{TRACE[1:]}" for number in (1, 2, 3, 4))

    stream = chat.with_raw_response.create(model="echo:3", messages=say, stream=True, extra_headers=parent(joined))
    for _ in stream.parse():
        pass
    sent = traced.upstream.received[-1].headers["traceparent"]
    chat.create(model="pair", messages=say, extra_headers=parent(failed_over))
    with pytest.raises(openai.PermissionDeniedError):
        chat.create(model="far", messages=say, extra_headers={**parent(refused), "selat-label": "sulit"})
    endless = chat.create(model="endless:0.05", messages=say, stream=True, extra_headers=parent(left))
    next(iter(endless))
    endless.close()
    chat.create(model="echo", messages=say, extra_headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    unsampled = traced.upstream.received[-1].headers["traceparent"]
    chat.create(model="echo", messages=say)
    own = traced.upstream.received[-1].headers["traceparent"]
    assert traced.stop() == 0

    spans = receiver.named(joined)
    assert set(spans) == {ROUTE, "scan", "decide", "book", "chat echo:3"}
    root, call = spans[ROUTE], spans["chat echo:3"]
    assert (root.kind, call.kind) == (2, 3)
    assert root.parent_span_id.hex() == PARENT
    assert sent.startswith(f"00-{joined}-{call.span_id.hex()}-")
    for name in ("scan", "decide", "book", "chat echo:3"):
        span = spans[name]
        assert span.parent_span_id == root.span_id
        assert root.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano
    about = told(call)
    assert about["gen_ai.operation.name"] == "chat"
    assert (about["gen_ai.provider.name"], about["gen_ai.request.model"]) == ("dekat", "echo:3")
    assert about["gen_ai.usage.output_tokens"] > 0
    assert about["gen_ai.response.time_to_first_chunk"] > 0
    assert about["selat.receipt.id"] == stream.headers["selat-receipt"]
    assert told(root)["http.response.status_code"] == 200
    assert told(root)["selat.request.id"] == stream.headers["x-request-id"]

    tries = [span for span in receiver.of(failed_over) if span.kind == 3]
    reasons = {told(span)["gen_ai.provider.name"]: told(span).get("error.type") for span in tries}
    assert reasons == {"patah": "engine_unreachable", "sihat": None}

    assert set(receiver.named(refused)) == {ROUTE, "scan", "decide", "book"}
    about = told(receiver.named(refused)[ROUTE])
    assert (about["selat.decision"], about["error.type"]) == ("deny", "policy_denied")
    assert about["http.response.status_code"] == 403

    gone = receiver.named(left)["chat endless:0.05"]
    assert (told(gone)["error.type"], gone.status.code) == ("cancelled", 2)

    # The caller says which of its traces are sampled; of a request without one we do.
    assert (int(unsampled[-2:], 16) & 1, receiver.of(TRACE)) == (0, [])
    assert int(own[-2:], 16) & 1
    assert len(receiver.of(own.split("-")[1])) == 5
    assert SECRET.encode() not in receiver.bytes
    assert b"900101" not in receiver.bytes
    assert traced.key.encode() not in receiver.bytes


def test_off_no_trace_is_sent_and_the_library_is_not_even_loaded(selat: Running) -> None:
    say: Any = [{"role": "user", "content": "hai"}]
    selat.client().chat.completions.create(model="echo", messages=say, extra_headers=parent(TRACE))
    assert "traceparent" not in selat.upstream.received[-1].headers
    load = "import sys, selat.gateway.worker; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", load]).returncode == 0
