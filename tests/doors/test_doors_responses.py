"""The official client's Responses work unchanged, and take the same road as chat."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from conftest import Running

MYKAD = "900101-14-5678"
TOOL: Any = {
    "type": "function",
    "name": "semak",
    "description": "semak satu teks",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "strict": False,
}
ORDER = [
    *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
    *("response.output_text.delta", "response.output_text.done", "response.content_part.done"),
    *("response.output_item.done", "response.completed"),
]


def test_a_response_says_what_the_engine_said_and_is_booked(selat: Running) -> None:
    raw = selat.client().responses.with_raw_response.create(
        model="echo", input="apa khabar", instructions="Jawab pendek.", max_output_tokens=50, metadata={"a": "b"}
    )
    answer = raw.parse()
    assert "apa khabar" in answer.output_text
    assert (answer.status, answer.metadata, answer.instructions) == ("completed", {"a": "b"}, "Jawab pendek.")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    sent = selat.upstream.received[-1]
    assert sent.path == "/v1/chat/completions"
    assert sent.ask["messages"] == [
        {"role": "system", "content": "Jawab pendek."},
        {"role": "user", "content": "apa khabar"},
    ]
    assert sent.ask["max_tokens"] == 50
    assert "metadata" not in sent.ask
    closed = selat.leaves_of(raw.headers["selat-receipt"], "closed")
    opened = selat.leaves_of(raw.headers["selat-receipt"], "opened")
    assert (opened["api"], closed["outcome"], closed["usage"]["source"]) == ("responses", "complete", "engine")
    assert closed["answer"]["bytes"] == len(raw.content)


def test_events_come_in_the_official_order_and_are_committed_to(selat: Running) -> None:
    raw = selat.client().responses.with_raw_response.create(model="echo:3", input="apa khabar", stream=True)
    events = list(raw.parse())
    names = [event.type for event in events]
    assert list(dict.fromkeys(names)) == ORDER
    assert [event.sequence_number for event in events] == list(range(len(events)))
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == said
    assert events[-1].response.usage is not None
    assert "apa khabar" in said
    closed = selat.leaves_of(raw.headers["selat-receipt"], "closed")
    assert closed["answer"]["bytes"] > len(names) * 50


def test_the_clients_own_stream_helper_follows(selat: Running) -> None:
    with selat.client().responses.stream(model="tools", input="apa khabar", tools=[TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    call = final.output[0]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("semak", {"text": "apa khabar"})


def test_a_conversation_with_tool_calls_goes_as_messages(selat: Running) -> None:
    items: Any = [
        {"role": "developer", "content": "Jawab pendek."},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "semak"}, {"type": "input_text", "text": "ini"}],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Baik."}]},
        {"type": "function_call", "call_id": "c1", "name": "semak", "arguments": '{"text":"a"}'},
        {"type": "function_call", "call_id": "c2", "name": "semak", "arguments": '{"text":"b"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "satu"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "dua"}]},
    ]
    selat.client().responses.create(
        model="echo",
        input=items,
        tools=[TOOL],
        tool_choice={"type": "function", "name": "semak"},
        text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": True}},
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        extra_body={"seed": 7},
    )
    ask = selat.upstream.received[-1].ask
    call = {"type": "function", "function": {"name": "semak", "arguments": '{"text":"a"}'}}
    assert ask["messages"] == [
        {"role": "system", "content": "Jawab pendek."},
        {"role": "user", "content": "semak\nini"},
        {
            "role": "assistant",
            "content": "Baik.",
            "tool_calls": [
                {**call, "id": "c1"},
                {"type": "function", "id": "c2", "function": {"name": "semak", "arguments": '{"text":"b"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "satu"},
        {"role": "tool", "tool_call_id": "c2", "content": "dua"},
    ]
    assert ask["tools"][0]["function"]["name"] == "semak"
    assert ask["tool_choice"] == {"type": "function", "function": {"name": "semak"}}
    assert ask["response_format"]["json_schema"] == {"name": "x", "schema": {"type": "object"}, "strict": True}
    assert (ask["parallel_tool_calls"], ask["reasoning_effort"], ask["seed"]) == (False, "low", 7)


@pytest.mark.parametrize("stream", [False, True])
def test_abroad_the_engine_sees_placeholders_and_tool_arguments_come_back_whole(
    selat: Running, stream: bool
) -> None:
    text = f"MyKad saya {MYKAD}"
    client = selat.client()
    if stream:
        with client.responses.stream(model="far-tools", input=text, tools=[TOOL]) as events:
            final = list(events)[-1]
            assert final.type == "response.completed"
            answer: Any = final.response
    else:
        answer = client.responses.create(model="far-tools", input=text, tools=[TOOL])
    assert json.loads(answer.output[0].arguments) == {"text": text}
    assert MYKAD not in selat.upstream.received[-1].body.decode()
    assert "<MYKAD_1>" in selat.upstream.received[-1].body.decode()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "hologram"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
         "input[0].content[0].image_url"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
    ],
)  # fmt: skip
def test_what_needs_state_or_is_unknown_is_400_with_the_field(
    selat: Running, fields: dict[str, Any], param: str
) -> None:
    before = len(selat.upstream.received)
    with pytest.raises(openai.BadRequestError) as refused:
        selat.client().responses.create(**{"model": "echo", "input": "hai", **fields})
    assert refused.value.param == param
    assert len(selat.upstream.received) == before


def test_errors_have_openais_shape_and_a_broken_stream_ends_in_failed(selat: Running) -> None:
    with pytest.raises(openai.NotFoundError):
        selat.client().responses.create(model="gpt-99", input="hai")
    with pytest.raises(openai.BadRequestError):
        selat.client().responses.create(model="error:400", input="hai")
    events = list(selat.client().responses.create(model="dies", input="apa khabar semua", stream=True))
    assert [event.type for event in events][-2:] == ["error", "response.failed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "dekat" in getattr(events[-2], "message", "")


def test_a_model_answers_from_documents_here_too(selat: Running) -> None:
    whole = selat.client().responses.create(model="docs", input="Siapa raja bulan?")
    assert whole.status == "completed"
    assert whole.output_text
    events = list(selat.client().responses.create(model="docs", input="Siapa raja bulan?", stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == whole.output_text
