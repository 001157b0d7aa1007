"""What a caller gets was scanned: no second reader finds a word in it that the guard did not see."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2 as httpx
import pytest
from doors_kit import Running

MYKAD = "900101-14-5678"
HIDDEN = f"IC saya {MYKAD}"
ESCAPED = "".join(f"\\u{ord(char):04x}" for char in HIDDEN)
HIDING = ESCAPED.replace("\\", "\\\\")  # within a string


def chat(message: str, rest: str = "", top: str = "") -> str:
    """A chat completion with this inside its message, its choice and itself."""
    choice = f'"index":0,"message":{{"role":"assistant",{message}}},"finish_reason":"stop"{rest}'
    return f'{{"id":"c1","object":"chat.completion","choices":[{{{choice}}}]{top}}}'


def chunk(delta: str, rest: str = "", top: str = "") -> str:
    choice = f'"index":0,"delta":{{{delta}}},"finish_reason":null{rest}'
    return f'{{"id":"c1","object":"chat.completion.chunk","choices":[{{{choice}}}]{top}}}'


END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CLEAN = '"content":"Baik"'

# In these, @ is a sentence with a MyKad, $ the same in escapes.
TWICE = {
    "content": chat('"content":"@",' + CLEAN),
    "content-escaped": chat('"\\u0063ontent":"@",' + CLEAN),
    "value-escaped": chat('"content":"$",' + CLEAN),
    "marks-make-up": chat('"content":"@","content":"' + "\\u0022" * 4 + '"'),
    "message": chat(CLEAN).replace('"message":', '"message":{"content":"@"},"message":'),
    "choices": chat(CLEAN).replace('"choices":', '"choices":[{"message":{"content":"@"}}],"choices":'),
    "unknown": chat(CLEAN, top=',"x":"@","x":1'),
    "unknown-deep": chat(CLEAN, ',"x":[{"y":"@","y":"z"}]'),
}
CALL = '"tool_calls":[{"index":0,"function":{"name":"f","arguments":%s}}]'
BESIDE = {
    "upper-case": chat(CLEAN, top=',"Choices":[{"message":{"content":"@"}}]'),
    "upper-case-within": chat(CLEAN + ',"Content":"@"'),
    "reasoning": chat(CLEAN + ',"reasoning_content":"@"'),
    "refusal": chat(CLEAN + ',"refusal":"@"'),
    "arguments": chat(CALL % '"{\\"a\\":\\"@\\"}"'),
    "arguments-twice": chat(CALL % '"{\\"a\\":\\"@\\",\\"a\\":1}"'),
    "arguments-twice-escaped": chat(CALL % '"{\\"a\\":\\"\\$\\",\\"a\\":1}"').replace("\\$", HIDING),
    "arguments-list": chat(CALL % '"[\\"\\$\\"]"').replace("\\$", HIDING),
    "audio": chat(CLEAN + ',"audio":{"transcript":"@"}'),
    "annotations": chat(CLEAN + ',"annotations":[{"type":"url_citation","url_citation":{"title":"@"}}]'),
    "parts": chat('"content":[{"type":"text","text":"@"}]'),
    "vendor": chat(CLEAN + ',"vendor":{"thoughts":["@"]}'),
    "beside-choices": chat(CLEAN, top=',"note":"@"'),
    "name": chat(CLEAN, top=',"@":1'),
    "id": chat(CLEAN).replace('"c1"', '"@"'),
    "model": chat(CLEAN, top=',"model":"@"'),
    "usage": chat(CLEAN, top=',"usage":{"prompt_tokens":1,"note":"@"}'),
    "nested": chat(CLEAN, top=',"x":' + '{"y":' * 300 + '"@"' + "}" * 300),
    "no-choices": '{"data":[{"embedding":"@"}]}',
}
NOT_JSON = {
    "nan": chat(CLEAN, top=',"x":NaN'),
    "infinity": chat(CLEAN, top=',"x":-Infinity'),
    "surrogate": chat('"content":"\\ud800"'),
    "bom": "\ufeff" + chat(CLEAN),
    "trailing": chat(CLEAN) + '{"note":"@"}',
    "list": '["@"]',
    "nested": chat(CLEAN, top=',"x":' + "[" * 5000 + '"@"' + "]" * 5000),
    "not-utf-8": chat(CLEAN, top=',"x":"@\udcff"'),
    "twice-not-utf-8": chat('"content":"@\udcff",' + CLEAN),
}


def line(data: str) -> str:
    return f"data: {data}\n\n"


STREAM_SEEN = {
    "reasoning": line(chunk('"reasoning_content":"@"')),
    "all-alike-beside": line(chunk(CLEAN, top=',"note":"@"')) * 9,
    "upper-case": line(chunk('"Content":"@"')),
    "audio-split": line(chunk('"audio":{"transcript":"IC 900101"}'))
    + line(chunk('"audio":{"transcript":"-14-5678"}')),
    "logprobs": line(chunk(CLEAN, ',"logprobs":{"content":[{"token":"@"}]}')),
    "vendor": line(chunk('"thinking":"@"')),
    "beside": line('{"choices":[],"note":"@"}'),
    "tool-name": line(chunk('"tool_calls":[{"index":0,"function":{"name":"@"}}]')),
    "arguments-escaped": line(chunk(CALL % '"{\\"a\\":\\"\\$\\"}"').replace("\\$", HIDING)),
    "arguments-twice": line(chunk(CALL % '"{\\"a\\":\\"\\$\\",\\"a\\":1}"').replace("\\$", HIDING)),
    "bom": "\ufeff" + line(chunk('"content":"@"')),
    "bom-cr": "\ufeff" + line(chunk('"content":"@"')).replace("\n", "\r"),
    "lines": "data: " + chunk(CLEAN)[:-1] + ',\ndata: "note":"@"}\n\n',
    "cr": "data: " + chunk(CLEAN)[:-1] + ',\rdata: "note":"@"}\r\r',
    "two-in-one": "data: " + chunk('"content":"@"') + "\r\ndata:\r\n\r\n",
}
STREAM_GONE = {
    "twice": line(chunk('"content":"@",' + CLEAN)),
    "twice-escaped": line(chunk('"c\\u006fntent":"@",' + CLEAN)),
    "delta-twice": line(chunk(CLEAN).replace('"delta":', '"delta":{"content":"@"},"delta":')),
    "choices-twice": line(chunk(CLEAN).replace('"choices":', '"choices":[{"delta":{"content":"@"}}],"choices":')),
    "all-alike-twice": line(chunk('"content":"@",' + CLEAN)) * 9,
    "all-in-one-line-twice": line(chunk(CLEAN, top=',"x":"@","x":1')) * 9,
    "usage-twice": line('{"choices":[],"usage":{"prompt_tokens":1,"x":"@","x":1}}'),
    "comment": ": @\n\n",
    "comment-beside": "data: " + chunk(CLEAN) + "\n: @\n\n",
    "event-name": "event: @\n" + line(chunk(CLEAN)),
    "event-id": "id: @\n" + line(chunk(CLEAN)),
    "retry": "retry: @\n\n",
    "other-line": "@\n" + line(chunk(CLEAN)),
    "other-line-alone": "@\n\n",
}
STREAM_GARBAGE = {
    "nan": line(chunk(CLEAN, top=',"x":NaN')),
    "not-utf-8": line(chunk(CLEAN, top=',"x":"@\udcff"')),
    "surrogate": line(chunk(CLEAN, top=',"x":"@\\udc00"')),
    "nested": line(chunk(CLEAN, top=',"x":' + '{"y":' * 5000 + '"@"' + "}" * 5000)),
    "trailing": line(chunk(CLEAN) + '{"note":"@"}'),
    "number": line(chunk('"content":900101145678')),
    "parts": line(chunk('"content":[{"type":"text","text":"@"}]')),
}


def cases(named: dict[str, str]) -> pytest.MarkDecorator:
    told = [said.replace("@", HIDDEN).replace("$", ESCAPED) for said in named.values()]
    return pytest.mark.parametrize("said", told, ids=named)


def ask(selat: Running, said: str, stream: bool = False, model: str = "raw") -> httpx.Response:
    packed = base64.b64encode(said.encode("utf-8", "surrogateescape")).decode()
    body = {"model": model, "messages": [{"role": "user", "content": packed}], "stream": stream}
    headers = {"authorization": f"Bearer {selat.key}"}
    return httpx.post(f"{selat.address}/v1/chat/completions", json=body, headers=headers, timeout=60, verify=False)


def every(got: str) -> str:
    """All that any reader of JSON could find: both of equal names, and what is written in escapes."""
    found: list[str] = []

    def pairs(members: list[tuple[str, Any]]) -> None:
        for name, value in members:
            found.extend([name, *map(str, value if isinstance(value, list) else [value])])

    lines = [line.removeprefix("data: ") for line in got.split("\n")]
    for line in [got, *lines]:
        try:
            json.loads(line, object_pairs_hook=pairs)
        except ValueError:
            found.append(line)
    return "\n".join(found)


def seen(selat: Running, got: httpx.Response) -> bool:
    """Whether the guard saw a MyKad in the answer."""
    return "MYKAD" in json.dumps(selat.leaves_of(got.headers["selat-receipt"], "closed"))


@cases(TWICE)
def test_of_a_name_twice_only_what_was_scanned_goes(selat: Running, said: str) -> None:
    got = ask(selat, said)
    assert got.status_code == 200
    assert MYKAD not in every(got.text)
    assert not seen(selat, got)


@cases(BESIDE)
def test_every_string_of_an_answer_is_scanned(selat: Running, said: str) -> None:
    got = ask(selat, said)
    assert got.status_code == 200
    assert got.json() == json.loads(said)
    assert seen(selat, got)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answers_letters_are_those_that_were_scanned(selat: Running, stream: bool) -> None:
    """Some read a text by the charset that its type names, as if JSON had any but UTF-8."""
    letters = HIDDEN.encode("utf-7").decode().replace("9", "+ADk-")
    said = line(chunk(f'"content":"{letters}"')) + END if stream else chat(f'"content":"{letters}"')
    got = ask(selat, said, stream, "raw:utf-7")
    assert "utf-7" not in got.headers["content-type"]
    assert MYKAD not in got.text


@cases(NOT_JSON)
def test_what_readers_may_not_agree_on_is_no_answer(selat: Running, said: str) -> None:
    got = ask(selat, said)
    assert got.status_code == 502
    assert MYKAD not in got.text
    assert got.json()["error"]["code"] == "engine_garbage"


@cases(STREAM_SEEN)
def test_every_string_of_a_stream_is_scanned(selat: Running, said: str) -> None:
    got = ask(selat, said + END, stream=True)
    assert got.text.endswith("data: [DONE]\n\n")
    assert seen(selat, got)


@cases(STREAM_GONE)
def test_of_a_stream_only_what_was_scanned_goes(selat: Running, said: str) -> None:
    got = ask(selat, said + END, stream=True)
    assert got.text.endswith("data: [DONE]\n\n")
    assert MYKAD not in every(got.text)
    assert not seen(selat, got)


@cases(STREAM_GARBAGE)
def test_an_event_that_readers_may_not_agree_on_ends_a_stream(selat: Running, said: str) -> None:
    got = ask(selat, said + END, stream=True)
    assert '"code":"engine_garbage"' in got.text
    assert "[DONE]" not in got.text
    assert MYKAD not in every(got.text)


@cases({**TWICE, **BESIDE, **NOT_JSON, "text": "@", "nothing": ""})
def test_a_refusal_is_scanned_as_an_answer_is(selat: Running, said: str) -> None:
    got = ask(selat, said, model="raw:400")
    assert got.status_code == 400
    assert isinstance(got.json(), dict)
    assert (MYKAD in every(got.text)) <= seen(selat, got)
