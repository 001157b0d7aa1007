"""Anthropic's Messages by plain HTTP: the same road as chat, the protocol's own shapes coming back."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple

import pytest
from conftest import Running

MYKAD = "900101-14-5678"
TOOL = {"name": "semak", "description": "semak satu teks", "input_schema": {"type": "object", "properties": {}}}
SAY = [{"role": "user", "content": "apa khabar"}]


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of each event, whose name must be its type."""
        events = []
        for event in self.body.decode().strip().split("\n\n"):
            name, data = event.split("\n")
            events.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {events[-1]['type']}"
        return events


def post(selat: Running, body: dict[str, Any], headers: dict[str, str] | None = None) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    headers = {"x-api-key": selat.key, "anthropic-version": "2023-06-01"} if headers is None else headers
    body = {"model": "echo", "max_tokens": 100, "messages": SAY, **body}
    connection.request("POST", "/v1/messages?beta=true", json.dumps(body), headers)
    response = connection.getresponse()
    got = Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    connection.close()
    return got


def test_a_message_is_answered_and_booked(selat: Running) -> None:
    got = post(selat, {"system": [{"type": "text", "text": "Pendek."}], "stop_sequences": ["X"], "top_k": 5})
    assert got.status == 200
    assert got.json["content"] == [{"type": "text", "text": "apa khabar"}]
    assert (got.json["type"], got.json["role"], got.json["stop_reason"]) == ("message", "assistant", "end_turn")
    assert got.json["usage"]["output_tokens"] > 0
    sent = selat.upstream.received[-1]
    assert sent.path == "/v1/chat/completions"
    assert sent.ask["messages"][0] == {"role": "system", "content": "Pendek."}
    assert (sent.ask["stop"], sent.ask["top_k"], sent.ask["max_tokens"]) == (["X"], 5, 100)
    closed = selat.leaves_of(got.headers["selat-receipt"], "closed")
    assert selat.leaves_of(got.headers["selat-receipt"], "opened")["api"] == "messages"
    assert closed["answer"]["bytes"] == len(got.body)


def test_events_come_in_the_official_order_and_are_committed_to(selat: Running) -> None:
    got = post(selat, {"model": "echo:3", "stream": True})
    assert got.headers["content-type"].startswith("text/event-stream")
    names = [event["type"] for event in got.events]
    assert list(dict.fromkeys(names)) == [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    deltas = [event["delta"]["text"] for event in got.events if event["type"] == "content_block_delta"]
    assert "".join(deltas) == "apa khabar"
    assert len(deltas) > 2
    assert got.events[-2]["usage"]["output_tokens"] > 0
    assert selat.leaves_of(got.headers["selat-receipt"], "closed")["answer"]["bytes"] == len(got.body)


def test_a_conversation_with_tool_use_goes_as_messages(selat: Running) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "semak", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "Baik."},
                {"type": "tool_use", "id": "t1", "name": "semak", "input": {"text": "a"}},
                {"type": "tool_use", "id": "t2", "name": "semak", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "satu"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "dua"}]},
                {"type": "text", "text": "terus"},
            ],
        },
    ]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    got = post(selat, {"messages": messages, "tools": [TOOL], "tool_choice": choice})
    assert got.status == 200, got.body
    ask = selat.upstream.received[-1].ask
    assert ask["messages"] == [
        {"role": "user", "content": "semak"},
        {
            "role": "assistant",
            "content": "Baik.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "semak", "arguments": '{"text":"a"}'}},
                {"id": "t2", "type": "function", "function": {"name": "semak", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "satu"},
        {"role": "tool", "tool_call_id": "t2", "content": "dua"},
        {"role": "user", "content": "terus"},
    ]
    assert ask["tools"][0]["function"]["parameters"] == TOOL["input_schema"]
    assert (ask["tool_choice"], ask["parallel_tool_calls"]) == ("required", False)


@pytest.mark.parametrize("stream", [False, True])
def test_abroad_the_engine_sees_placeholders_and_tool_input_comes_back_whole(selat: Running, stream: bool) -> None:
    text = f"MyKad saya {MYKAD}"
    ask = {
        "model": "far-tools",
        "messages": [{"role": "user", "content": text}],
        "tools": [TOOL],
        "stream": stream,
    }
    got = post(selat, ask)
    if stream:
        parts = [event["delta"].get("partial_json", "") for event in got.events if "delta" in event]
        said = json.loads("".join(parts))
        assert got.events[-2]["delta"]["stop_reason"] == "tool_use"
    else:
        said = got.json["content"][0]["input"]
        assert (got.json["stop_reason"], got.json["content"][0]["type"]) == ("tool_use", "tool_use")
    assert said == {"text": text}
    assert MYKAD not in selat.upstream.received[-1].body.decode()
    assert "<MYKAD_1>" in selat.upstream.received[-1].body.decode()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"mcp_servers": [{"url": "https://x.example"}]}, "mcp_servers"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    ],
)
def test_bad_requests_have_anthropics_shape(selat: Running, fields: dict[str, Any], word: str) -> None:
    before = len(selat.upstream.received)
    got = post(selat, fields)
    assert (got.status, got.json["type"], got.json["error"]["type"]) == (400, "error", "invalid_request_error")
    assert word in got.json["error"]["message"]
    assert len(selat.upstream.received) == before


def test_each_error_has_anthropics_type(selat: Running) -> None:
    assert post(selat, {}, {"x-api-key": "sk-selat-wrong"}).json["error"]["type"] == "authentication_error"
    assert post(selat, {"model": "gpt-99"}).json["error"]["type"] == "not_found_error"
    assert post(selat, {"model": "error:400"}).json["error"]["type"] == "invalid_request_error"
    assert post(selat, {"model": "error:500"}).json["error"]["type"] == "api_error"
    sulit = {"authorization": f"Bearer {selat.key}", "selat-label": "sulit"}
    denied = post(selat, {"model": "far"}, sulit)
    assert (denied.status, denied.json["error"]["type"]) == (403, "permission_error")
    assert denied.json["error"]["rules"]
    selat.leaves_of(denied.json["error"]["receipt"], "refused")


def test_a_broken_stream_ends_in_an_error_event(selat: Running) -> None:
    got = post(selat, {"model": "dies", "stream": True})
    assert got.events[-1]["type"] == "error"
    assert got.events[-1]["error"]["type"] == "api_error"
    assert "dekat" in got.events[-1]["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_answers_from_documents_here_too(selat: Running, stream: bool) -> None:
    got = post(
        selat, {"model": "docs", "stream": stream, "messages": [{"role": "user", "content": "Siapa raja?"}]}
    )
    if stream:
        assert got.events[-1]["type"] == "message_stop"
        assert any(event.get("delta", {}).get("text") for event in got.events)
    else:
        assert got.json["content"][0]["text"]
