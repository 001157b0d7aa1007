"""Reranking, counting tokens, and who may go first: small things of the API beside the conversations."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from doors_kit import Running

MYKAD = "900101-14-5678"
SAY: Any = [{"role": "user", "content": "apa khabar"}]


def post(selat: Running, path: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    told = {
        "x-api-key": selat.key,
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    connection.request("POST", path, json.dumps(body), told)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def test_documents_are_ranked_by_an_engine_and_come_back_in_the_callers_words(selat: Running) -> None:
    documents = ["pendek", f"yang panjang, tentang {MYKAD}", {"text": "sederhana saja"}]
    body = {"model": "far", "query": "siapa", "documents": documents, "top_n": 2}
    status, answer = post(selat, "/v1/rerank", body)
    assert status == 200
    assert [row["index"] for row in answer["results"]] == [1, 2]
    assert answer["results"][0]["document"]["text"] == documents[1]
    sent = selat.upstream.received[-1]
    assert sent.path == "/v1/rerank"
    assert MYKAD not in sent.body.decode()
    assert "choices" not in answer


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": "a"}, "documents"),
        ({"documents": ["a"]}, "query"),
        ({"query": "a", "documents": [5]}, "documents[0]"),
        ({"query": "a", "documents": ["a"], "top_n": "dua"}, "top_n"),
    ],
)
def test_a_malformed_rerank_names_its_field(selat: Running, body: dict[str, Any], param: str) -> None:
    status, answer = post(selat, "/v1/rerank", {"model": "echo", **body})
    assert (status, answer["error"]["param"]) == (400, param)


def test_tokens_are_counted_here_and_nothing_leaves(selat: Running) -> None:
    before = len(selat.upstream.received)
    path, body = "/v1/messages/count_tokens", {"model": "echo", "messages": SAY}
    assert post(selat, path, body) == (200, {"input_tokens": 3})
    assert post(selat, path, {**body, "system": "x" * 400}) == (200, {"input_tokens": 103})
    assert post(selat, path, {**body, "messages": []})[0] == 400
    assert post(selat, path, {"messages": SAY})[0] == 400
    assert post(selat, path, body, x_api_key="salah")[0] == 401
    assert len(selat.upstream.received) == before


def test_a_priority_is_one_of_two_words(selat: Running) -> None:
    body = {"model": "echo", "messages": SAY}
    for word in ("background", "normal"):
        assert post(selat, "/v1/chat/completions", body, selat_priority=word)[0] == 200
    status, answer = post(selat, "/v1/chat/completions", body, selat_priority="saya dulu")
    assert (status, answer["error"]["param"]) == (400, "selat-priority")
