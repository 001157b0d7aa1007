"""Whatever JSON arrives, the gateway answers in its own error shape and never with a 500."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from doors_kit import Running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool"]) | st.text(max_size=6)
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES, "content": JSON | st.text()}) | JSON, max_size=4)
MODELS = st.sampled_from(["echo", "far", "docs", "docs:tiada", "extractive", "hash-embedding"]) | st.text(
    max_size=10
)
BODIES = {
    "/v1/chat/completions": st.fixed_dictionaries(
        {"model": MODELS, "messages": MESSAGES | JSON},
        optional={"stream": JSON, "tools": JSON, "n": JSON, "metadata": JSON},
    ),
    "/v1/completions": st.fixed_dictionaries({"model": MODELS, "prompt": JSON}),
    "/v1/embeddings": st.fixed_dictionaries({"model": MODELS, "input": JSON}, optional={"dimensions": JSON}),
}


@pytest.mark.parametrize("path", BODIES)
def test_any_json_gets_an_answer_or_a_named_error(selat: Running, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    headers = {"authorization": f"Bearer {selat.key}", "content-type": "application/json"}

    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(BODIES[path] | JSON)
    def probe(body: Any) -> None:
        connection.request("POST", path, json.dumps(body), headers)
        reply = connection.getresponse()
        data = reply.read()
        assert reply.status != 500, data
        if reply.status >= 400:
            error = json.loads(data)["error"]
            assert error["message"]

    probe()
    connection.close()
