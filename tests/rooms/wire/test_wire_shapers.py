"""Other protocols' answers are the same however a completion's bytes are cut, and whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.caller import Caller
from selat.core.errors import BadRequest, EngineGarbage
from selat.core.label import LOWEST
from selat.wire import APIS, Shaper, read_ask

CALLER = Caller("default", "key_1")
HEAD = {"id": "chatcmpl-7", "created": 5, "model": "m"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}}
ASKS: dict[str, dict[str, Any]] = {
    "/v1/responses": {"model": "m", "input": "hai"},
    "/v1/messages": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hai"}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
}


def shaper(path: str, stream: bool, **fields: Any) -> Shaper:
    body = json.dumps({**ASKS[path], "stream": stream, **fields}).encode()
    made = read_ask(APIS[path], CALLER, body, "chat", LOWEST).shaper
    assert made is not None
    return made


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**HEAD, "choices": [choice]}).encode() + b"\n\n"


def call(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    head = {"id": f"c{index}", "type": "function"} if name else {}
    return {"tool_calls": [{"index": index, **head, "function": {"name": name, "arguments": arguments}}]}


LAST = b"data: " + json.dumps({**HEAD, "choices": [], "usage": USAGE}).encode() + b"\n\ndata: [DONE]\n\n"
# Two tool calls whose arguments are interleaved, which neither protocol's blocks may be.
STREAM = b"".join(
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "fikir "}),
        chunk({"reasoning_content": "dulu"}),
        chunk({"content": "Bai"}),
        chunk({"content": "pilihan lain"}, index=1),
        chunk({"content": "k. "}),
        chunk(call(0, '{"a":', "satu")),
        chunk(call(1, '{"b":', "dua")),
        chunk(call(0, "1}")),
        chunk(call(1, "2}")),
        chunk({}, "tool_calls"),
        LAST,
    ]
)
MESSAGE = {
    "role": "assistant",
    "content": "Baik. ",
    "reasoning_content": "fikir dulu",
    "tool_calls": [
        {"id": "c0", "type": "function", "function": {"name": "satu", "arguments": '{"a":1}'}},
        {"id": "c1", "type": "function", "function": {"name": "dua", "arguments": '{"b":2}'}},
    ],
}
WHOLE = {**HEAD, "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}], "usage": USAGE}


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(marks)]


def told(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: ")]


def messages_content(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Anthropic's client puts together from events; one block open at a time."""
    blocks: list[dict[str, Any]] = []
    open_ = None
    for event in events:
        if event["type"] == "content_block_start":
            assert open_ is None
            open_ = event["index"]
            assert open_ == len(blocks)
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_
            delta, block = event["delta"], blocks[-1]
            for name, into in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                if name in delta:
                    block[into] += delta[name]
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_
            open_ = None
            if written := blocks[-1].pop("json"):
                blocks[-1]["input"] = json.loads(written)
    assert open_ is None
    return blocks


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_messages_are_the_same_whole_streamed_and_however_cut(places: list[int]) -> None:
    stream = shaper("/v1/messages", True)
    events = told(b"".join(stream.feed(piece) for piece in cut(STREAM, places)) + stream.close())
    body, kind = shaper("/v1/messages", False).whole(200, json.dumps(WHOLE).encode())
    message = json.loads(body)
    assert kind == "application/json"
    assert messages_content(events) == message["content"]
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert events[-2]["delta"]["stop_reason"] == message["stop_reason"] == "tool_use"
    assert events[-2]["usage"] == message["usage"]
    assert message["usage"]["input_tokens"] + message["usage"]["cache_read_input_tokens"] == 3


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_responses_are_the_same_whole_streamed_and_however_cut(places: list[int]) -> None:
    stream = shaper("/v1/responses", True)
    events = told(b"".join(stream.feed(piece) for piece in cut(STREAM, places)) + stream.close())
    body, _ = shaper("/v1/responses", False).whole(200, json.dumps(WHOLE).encode())
    response = json.loads(body)
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"] == response
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", *["function_call"] * 2]
    assert [item["arguments"] for item in response["output"][2:]] == ['{"a":1}', '{"b":2}']
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == response["output"]
    assert response["usage"]["total_tokens"] == 8


@pytest.mark.parametrize(
    ("path", "last"), [("/v1/responses", "response.completed"), ("/v1/messages", "message_stop")]
)
def test_an_engine_that_answers_a_stream_in_one_piece_gives_the_same_events(path: str, last: str) -> None:
    body, kind = shaper(path, True).whole(200, json.dumps(WHOLE).encode())
    assert kind.startswith("text/event-stream")
    assert told(body)[-1]["type"] == last


@pytest.mark.parametrize(
    ("finish", "status", "stop"),
    [
        ("stop", "completed", "end_turn"),
        ("length", "incomplete", "max_tokens"),
        ("content_filter", "incomplete", "refusal"),
        (None, "incomplete", None),
    ],
)
def test_an_end_is_called_what_it_was(finish: str | None, status: str, stop: str | None) -> None:
    stream = chunk({"content": "a"}) + (chunk({}, finish) if finish else b"")
    made = shaper("/v1/responses", True)
    response = told(made.feed(stream) + made.close())[-1]["response"]
    assert response["status"] == status
    assert bool(response["incomplete_details"]) == (finish in ("length", "content_filter"))
    made = shaper("/v1/messages", True)
    assert told(made.feed(stream) + made.close())[-2]["delta"]["stop_reason"] == stop


def test_thoughts_are_shown_to_those_who_ask_for_them_only() -> None:
    quiet = shaper("/v1/messages", False, thinking={"type": "disabled"})
    body, _ = quiet.whole(200, json.dumps(WHOLE).encode())
    assert b"fikir" not in body


def test_a_stop_sequence_is_named_where_the_engine_tells_it() -> None:
    choice = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop", "stop_reason": "TAMAT"}
    body, _ = shaper("/v1/messages", False).whole(200, json.dumps({**HEAD, "choices": [choice]}).encode())
    assert (json.loads(body)["stop_reason"], json.loads(body)["stop_sequence"]) == ("stop_sequence", "TAMAT")


def test_arguments_that_are_no_object_stay_readable() -> None:
    message = {"content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": "pot'}}]}
    document = {**HEAD, "choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
    body, _ = shaper("/v1/messages", False).whole(200, json.dumps(document).encode())
    assert json.loads(body)["content"][0]["input"] == {"arguments": '{"a": "pot'}


@pytest.mark.parametrize("path", list(ASKS))
@pytest.mark.parametrize("error", [b'{"error":{"message":"tidak"}}', b'{"error":"tidak"}', b"<html>", b"[]"])
def test_an_engines_refusal_keeps_its_message(path: str, error: bytes) -> None:
    body, _ = shaper(path, True).whole(400, error)
    message = json.loads(body)["error"]["message"]
    assert message == "tidak" if b"tidak" in error else "no reason" in message


@pytest.mark.parametrize("path", list(ASKS))
def test_garbage_is_the_engines_failure(path: str) -> None:
    feeds: list[Callable[[Shaper], object]] = [
        lambda made: made.whole(200, b'{"choices":7}'),
        lambda made: made.feed(b"data: <html>\n\n"),
        lambda made: made.feed(b"data: " + b"x" * (5 * 2**20)),
    ]
    for feed in feeds:
        with pytest.raises(EngineGarbage) as refused:
            feed(shaper(path, True))
        assert "html" not in str(refused.value)


NAMES = st.sampled_from(["type", "text", "content", "role", "name", "id", "source"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "name", "id", "source"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("path", list(ASKS))
@given(field=st.sampled_from(["input", "messages", "tools", "tool_choice", "system", "text"]), value=JSON)
def test_any_json_is_read_or_refused_with_a_field(path: str, field: str, value: Any) -> None:
    body = json.dumps({**ASKS[path], field: value}).encode()
    try:
        ask = read_ask(APIS[path], CALLER, body, "chat", LOWEST)
    except BadRequest as error:
        refused_field = error.param
    else:
        refused_field = field
        assert ask.body == body
        assert isinstance(ask.document["messages"], list)
    assert refused_field
