"""Every route that reaches an engine passes the scan, the decision and the ledger; there is no second road."""

from __future__ import annotations

import http.client
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Running

from selat.gateway import admin, completions
from selat.gateway.admin.table import ROUTES as admin_routes
from selat.gateway.app import ROUTES
from selat.wire import APIS

MYKAD = "900101-14-5678"
TEXT = f"MyKad saya {MYKAD}"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": TEXT}]},
    "/v1/completions": {"prompt": TEXT},
    "/v1/embeddings": {"input": TEXT},
    "/v1/rerank": {"query": TEXT, "documents": ["satu", TEXT]},
    "/v1/responses": {"input": TEXT},
    "/v1/messages": {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 100},
}
# These handlers read or keep what Selat holds itself, or look at what they are sent; none is given an engine.
READERS = {f"selat.gateway.{name}" for name in ("count", "documents", "hub", "read", "scan")}


def asking() -> list[str]:
    return [path for path, verbs in ROUTES.items() if verbs.get("POST") is completions.ask]


def post(selat: Running, path: str, body: dict[str, Any], label: str = "") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    headers = {"Authorization": f"Bearer {selat.key}"} | ({"selat-label": label} if label else {})
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    told = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return told


def test_every_route_either_asks_by_the_chat_flow_or_only_reads() -> None:
    for path, verbs in ROUTES.items():
        for verb, handler in verbs.items():
            asks = handler is completions.ask or handler.__module__ == admin.__name__
            known = asks or handler.__module__ in READERS
            assert known, f"{verb} {path}: a new handler; prove here that it passes scan, decision and ledger"
    for route in admin_routes:
        source = Path(inspect.getsourcefile(route.does) or "").read_text()
        assert not re.search(r"flows\.chat|\bdesk\b|flows\.answer", source), (
            f"{route.path} must not reach an engine"
        )
    assert set(asking()) == set(APIS) == set(BODIES)


@pytest.mark.parametrize("path", asking())
@pytest.mark.parametrize("stream", [False, True])
def test_abroad_the_engine_sees_only_placeholders_and_both_entries_exist(
    selat: Running, path: str, stream: bool
) -> None:
    if stream and path in ("/v1/embeddings", "/v1/rerank"):
        pytest.skip("vectors and ranks do not stream")
    # Once more than once: to a kept connection a request goes the short way, without a task.
    for _ in range(3):
        status, headers, body = post(selat, path, {"model": "far", "stream": stream, **BODIES[path]})
    assert status == 200, body
    sent = selat.upstream.received[-1].body.decode()
    assert MYKAD not in sent
    assert "<MYKAD_1>" in sent
    assert headers["selat-decision"] == "redact"
    opened = selat.leaves_of(headers["selat-receipt"], "opened")
    closed = selat.leaves_of(headers["selat-receipt"], "closed")
    assert opened["api"] == APIS[path].name
    assert opened["scan"]["findings"] == {"MYKAD": 1}
    assert opened["decision"]["effect"] == "redact"
    assert (closed["outcome"], closed["answer"]["bytes"]) == ("complete", len(body))


@pytest.mark.parametrize("path", asking())
def test_a_sulit_label_is_denied_on_every_route(selat: Running, path: str) -> None:
    post(selat, path, {"model": "far", **BODIES[path]})
    before = len(selat.upstream.received)
    status, headers, _ = post(selat, path, {"model": "far", **BODIES[path]}, label="sulit")
    assert status == 403
    assert len(selat.upstream.received) == before
    assert selat.leaves_of(headers["selat-receipt"], "refused")["api"] == APIS[path].name
