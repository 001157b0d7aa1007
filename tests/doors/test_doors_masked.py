"""Abroad the engine sees placeholders, and callers their own values, however a model respells and cuts them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Running
from test_doors_messages import post as post_messages

from selat.testing.behaviours import RESPELLED

MYKAD, EMAIL = "900101-14-5678", "siti@contoh.my"
TEXT = f"MyKad saya {MYKAD}, e-mel {EMAIL}"
SCHEMA = {"type": "object", "properties": {}}


def expected() -> str:
    """Every spelling with the value in the placeholder's place; of Markdown's signs, those that are no escape."""
    return "\n".join(
        f"**{value}**" if form.startswith("**") else value for value in (MYKAD, EMAIL) for form in RESPELLED * 2
    )


def chat(selat: Running, model: str, stream: bool, tools: bool) -> str:
    more: dict[str, Any] = (
        {"tools": [{"type": "function", "function": {"name": "semak", "parameters": SCHEMA}}]} if tools else {}
    )
    messages: Any = [{"role": "user", "content": TEXT}]
    answer: Any = selat.client().chat.completions.create(model=model, messages=messages, stream=stream, **more)
    if not stream:
        message = answer.choices[0].message
        return message.tool_calls[0].function.arguments if tools else message.content
    deltas = [choice.delta for chunk in answer for choice in chunk.choices]
    if tools:
        return "".join(call.function.arguments or "" for delta in deltas for call in delta.tool_calls or ())
    return "".join(delta.content or "" for delta in deltas)


def responses(selat: Running, model: str, stream: bool, tools: bool) -> str:
    more: dict[str, Any] = (
        {"tools": [{"type": "function", "name": "semak", "parameters": SCHEMA}]} if tools else {}
    )
    if not stream:
        answer: Any = selat.client().responses.create(model=model, input=TEXT, **more)
        return answer.output[0].arguments if tools else answer.output_text
    events: Any = selat.client().responses.create(model=model, input=TEXT, stream=True, **more)
    wanted = "response.function_call_arguments.delta" if tools else "response.output_text.delta"
    return "".join(event.delta for event in events if event.type == wanted)


def messages(selat: Running, model: str, stream: bool, tools: bool) -> str:
    more: dict[str, Any] = {"tools": [{"name": "semak", "input_schema": SCHEMA}]} if tools else {}
    ask = {"model": model, "messages": [{"role": "user", "content": TEXT}], "stream": stream, **more}
    got = post_messages(selat, ask)
    if not stream:
        block = got.json["content"][0]
        return json.dumps(block["input"], ensure_ascii=False) if tools else block["text"]
    deltas = [event["delta"] for event in got.events if event["type"] == "content_block_delta"]
    return "".join(delta.get("partial_json" if tools else "text", "") for delta in deltas)


@pytest.mark.parametrize("dialect", [chat, responses, messages])
@pytest.mark.parametrize("tools", [False, True], ids=["words", "arguments"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["far-respells", "far-respells-3"])
def test_placeholders_come_back_as_the_callers_values(
    selat: Running, dialect: Any, model: str, stream: bool, tools: bool
) -> None:
    said = dialect(selat, model, stream, tools)
    assert (json.loads(said)["text"] if tools else said) == expected()
    sent = selat.upstream.received[-1].body.decode()
    assert MYKAD not in sent
    assert EMAIL not in sent
    assert "<MYKAD_1>" in sent


def test_one_callers_values_are_never_given_to_another(selat: Running) -> None:
    """A placeholder that the caller did not send for a value of theirs stays as it is."""
    answer = selat.client().chat.completions.create(
        model="far", messages=[{"role": "user", "content": f"tolong ulang <EMAIL_1> dan {MYKAD}"}]
    )
    said = answer.choices[0].message.content or ""
    assert MYKAD in said
    assert "<EMAIL_1>" in said
    assert EMAIL not in said
