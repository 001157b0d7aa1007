"""What policy has no business with passes as it is: fields asked, fields answered, choices, calls, logprobs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from chat_kit import CALLER, Office
from compiled import compiled

from selat.core.caller import Site
from selat.core.label import LOWEST
from selat.engines import Answer, Call
from selat.engines.engine import Ready
from selat.testing import EchoEngine
from selat.wire import APIS, read_ask

MYKAD = "900101-14-5678"
SCHEMA = {
    "type": "object",
    "properties": {"ic": {"type": "string"}},
    "required": ["ic"],
    "additionalProperties": False,
}
FUNCTION = {"name": "semak", "description": "semak IC", "parameters": SCHEMA, "strict": True}
ASK: dict[str, Any] = {
    "model": "echo",
    "messages": [
        {"role": "system", "content": "Pendek.", "name": "s"},
        {"role": "user", "content": f"MyKad saya {MYKAD}"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "semak", "arguments": '{"n":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "semak", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "satu"},
        {"role": "tool", "tool_call_id": "c2", "content": "dua"},
    ],
    "n": 2,
    "stop": ["\n", "TAMAT"],
    "seed": 7,
    "logprobs": True,
    "top_logprobs": 3,
    "logit_bias": {"50256": -100},
    "temperature": 0.7,
    "presence_penalty": -0.5,
    "parallel_tool_calls": True,
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "semak"}},
    "functions": [FUNCTION],
    "function_call": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
    "chat_template_kwargs": {"enable_thinking": False},
    "guided_regex": "[0-9]+",
    "dry_multiplier": 0.25,
    "nothing": None,
}
LOGPROBS = {
    "content": [
        {"token": "IC", "logprob": -0.25, "bytes": [73, 67], "top_logprobs": [{"token": "IC", "logprob": -0.25}]}
    ]
}


class Scripted(EchoEngine):
    """Answers with given pieces, whatever it was asked."""

    def __init__(self, site: str, pieces: list[bytes], kind: str = "application/json") -> None:
        super().__init__(site=Site(site))
        self.pieces, self.kind = tuple(pieces), kind

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        return Ready(self.pieces, self.kind)


def put(folder: Path, engine: Scripted, ask: dict[str, Any] | bytes) -> tuple[dict[str, Any], bytes]:
    """What the engine got, and what the caller got."""

    async def run() -> bytes:
        office = Office(folder, compiled(), engine)
        try:
            body = ask if isinstance(ask, bytes) else json.dumps(ask).encode()
            read = read_ask(APIS["/v1/chat/completions"], CALLER, body, "chat", LOWEST)
            return (await office.answer(read))[1]
        finally:
            office.journal.close()

    got = asyncio.run(run())
    return json.loads(engine.calls[0].body), got


def arguments(word: str) -> str:
    return json.dumps({"ic": word}, separators=(",", ":"))


def answer(word: str) -> dict[str, Any]:
    call = {"type": "function", "function": {"name": "semak", "arguments": arguments(word)}}
    message = {
        "role": "assistant",
        "content": f"IC {word}",
        "tool_calls": [{"id": "a", **call}, {"id": "b", **call}],
        "function_call": call["function"],
    }
    choices = [{"index": n, "message": message, "logprobs": LOGPROBS, "finish_reason": "stop"} for n in range(2)]
    return {"id": "x", "choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "novel": [1, {}]}


def test_at_home_every_field_and_the_answers_very_bytes_pass(tmp_path: Path) -> None:
    body = json.dumps(answer(MYKAD), indent=2).encode()
    engine = Scripted("MY", [body])
    sent, got = put(tmp_path, engine, ASK)
    assert list(sent.items()) == list(ASK.items())
    assert got == body


@pytest.mark.parametrize("site", ["MY", "SG"])
def test_a_name_twice_in_an_object_is_no_way_past_the_guard(tmp_path: Path, site: str) -> None:
    clean = json.dumps({**ASK, "messages": [{"role": "user", "content": "hai"}]})
    doubled = f'{{"messages": [{{"role": "user", "content": "IC {MYKAD}"}}], {clean[1:]}'.encode()
    engine = Scripted(site, [json.dumps(answer("x")).encode()])
    put(tmp_path, engine, doubled)
    assert MYKAD not in engine.calls[0].body.decode()


def test_masked_all_else_is_as_it_was_both_ways(tmp_path: Path) -> None:
    sent, got = put(tmp_path, Scripted("SG", [json.dumps(answer("<MYKAD_1>")).encode()]), ASK)
    expected = json.loads(json.dumps(ASK).replace(MYKAD, "<MYKAD_1>"))
    assert sent == expected
    assert json.loads(got) == answer(MYKAD)


def events(*deltas: tuple[int, dict[str, Any]]) -> list[bytes]:
    made = []
    for index, delta in deltas:
        choice = {"index": index, "delta": delta, "logprobs": LOGPROBS, "finish_reason": None}
        made.append(b"data: " + json.dumps({"id": "x", "choices": [choice], "novel": 1}).encode() + b"\n\n")
    for index in (0, 1):
        choice = {"index": index, "delta": {}, "finish_reason": "stop"}
        made.append(b"data: " + json.dumps({"id": "x", "choices": [choice]}).encode() + b"\n\n")
    return [*made, b"data: [DONE]\n\n"]


def tool(index: int, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": arguments}}]}


def said(stream: bytes) -> dict[str, str]:
    """All text of a stream by choice and channel."""
    channels: dict[str, str] = {}
    for line in stream.decode().split("\n\n"):
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            delta = choice["delta"]
            found = [
                ("content", delta.get("content")),
                ("function", delta.get("function_call", {}).get("arguments")),
            ]
            found += [
                (f"tool{call['index']}", call["function"]["arguments"]) for call in delta.get("tool_calls", ())
            ]
            for channel, text in found:
                if text:
                    key = f"{choice['index']}.{channel}"
                    channels[key] = channels.get(key, "") + text
    return channels


DELTAS = [
    (0, {"role": "assistant", "content": ""}),
    (1, {"role": "assistant", "content": ""}),
    (0, {"content": "IC <MY"}),
    (1, {"content": "Lain <MYK"}),
    (0, {"content": "KAD_1> ok. my"}),
    (1, {"content": "AD_1>"}),
    (0, tool(0, '{"ic":"<MYKAD')),
    (0, tool(0, '_1>"}')),
    (0, tool(1, '{"ic":"<MYKAD_1>"}')),
    (1, {"function_call": {"name": "f", "arguments": '{"ic":"<MYKA'}}),
    (1, {"function_call": {"arguments": 'D_1>"}'}}),
]


def test_streams_of_several_choices_and_calls_are_restored_each_by_itself(tmp_path: Path) -> None:
    engine = Scripted("SG", events(*DELTAS), "text/event-stream")
    _, got = put(tmp_path, engine, {**ASK, "stream": True})
    assert said(got) == {
        "0.content": f"IC {MYKAD} ok. my",
        "1.content": f"Lain {MYKAD}",
        "0.tool0": arguments(MYKAD),
        "0.tool1": arguments(MYKAD),
        "1.function": arguments(MYKAD),
    }
    assert got.index(b'"my"') < got.index(b"tool_calls")  # held back as the start of a placeholder, then let go
    assert got.count(b'"novel":1') >= len(DELTAS)
    assert json.loads(got.split(b"\n\n")[2][6:])["choices"][0]["logprobs"] == LOGPROBS


@pytest.mark.parametrize("stream", [True])
def test_a_stream_at_home_passes_byte_for_byte(tmp_path: Path, stream: bool) -> None:
    pieces = events(*DELTAS)
    _, got = put(tmp_path, Scripted("MY", pieces, "text/event-stream"), {**ASK, "stream": stream})
    assert got == b"".join(pieces)
