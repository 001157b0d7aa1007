"""What goes to an engine: a body goes as it is only where no name stands twice in it, however that is hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import LOWEST
from selat.wire import APIS, Ask, read_ask, written
from selat.wire.ask import says_once
from selat.wire.texts import LONG_BYTES

CALLER = Caller("default", "key_1")
LETTERS = st.sampled_from(["a", '"', "\\", "\n", "u0022", "茶", "\x00", ":", ",", " "])
TEXTS = st.lists(LETTERS, max_size=6).map("".join)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXTS}),
    min_size=1,
    max_size=3,
)
CHATS = st.fixed_dictionaries(
    {"model": TEXTS, "messages": MESSAGES},
    optional={
        "stream": st.booleans(),
        "temperature": st.just(0.2),
        "max_tokens": st.just(256),
        "stream_options": st.none() | st.just({}) | st.just({"include_usage": True}),
    },
)


def ask_of(body: bytes) -> Ask:
    return read_ask(APIS["/v1/chat/completions"], CALLER, body, "chat", LOWEST)


def once(ask: Ask) -> bool:
    return says_once(ask.body, ask.document, ask.model, ask.said)


@given(CHATS, st.booleans(), st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_body_as_clients_write_it_says_everything_once(
    chat: dict[str, Any], plain: bool, indent: int | None, marks: tuple[str, str]
) -> None:
    body = json.dumps(chat, ensure_ascii=plain, indent=indent, separators=marks).encode()
    texts = [chat["model"], *(message["content"] for message in chat["messages"])]
    assert once(ask_of(body)) == ('"' not in "".join(texts))


def spelled(text: str, draw: Any) -> str:
    """A JSON string; each quotation mark in one of its two spellings."""
    inner = json.dumps(text)[1:-1].replace('\\"', "\0")
    pieces = inner.split("\0")
    out = pieces[0]
    for piece in pieces[1:]:
        out += draw(st.sampled_from(['\\"', "\\u0022"])) + piece
    return f'"{out}"'


def json_of(value: Any, draw: Any) -> str:
    """A value as JSON, in whose objects names may stand twice."""
    if isinstance(value, dict):
        members = [*value.items()]
        if members and draw(st.booleans()):
            members.insert(draw(st.integers(0, len(members))), draw(st.sampled_from(members)))
        return "{" + ",".join(f"{spelled(key, draw)}:{json_of(held, draw)}" for key, held in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_of(held, draw) for held in value) + "]"
    return spelled(value, draw) if isinstance(value, str) else json.dumps(value)


def twice(body: str) -> bool:
    """Whether any object has a name twice, as another reader of JSON tells it."""
    found = []

    def look(pairs: list[tuple[str, object]]) -> None:
        found.append(len(dict(pairs)) < len(pairs))

    json.loads(body, object_pairs_hook=look)
    return any(found)


@given(CHATS, st.data())
def test_a_body_with_a_name_twice_never_passes_for_one_without(chat: dict[str, Any], data: st.DataObject) -> None:
    body = json_of(chat, data.draw)
    try:
        ask = ask_of(body.encode())
    except BadRequest:
        return
    if once(ask):
        assert not twice(body)


def test_marks_of_a_text_hide_no_second_name() -> None:
    # Spelled as numbers they are none in the bytes, and could make up for those of two strings that were not read.
    hidden, shown = '"content":"IC 900101-14-5678",', '"content":"' + "\\u0022" * 4 + '"'
    body = '{"model":"m","messages":[{"role":"user",' + hidden + shown + "}]}"
    assert twice(body)
    assert ask_of(body.encode()).said == ['""""']
    assert not once(ask_of(body.encode()))


@pytest.mark.parametrize("size", [10, LONG_BYTES])
def test_a_long_body_goes_as_it_is_and_a_short_one_anew(size: int) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "kata " * size}]}, indent=2).encode()
    ask = ask_of(body)
    assert json.loads(written(ask)) == json.loads(body)
    assert (written(ask) is body) == ask.verbatim == (size == LONG_BYTES)
    other = {"model": "m", "messages": [{"role": "user", "content": "lain"}]}
    assert json.loads(written(ask._replace(document=other))) == other
    assert written(ask._replace(body=b"x" * LONG_BYTES * 2)) == written(ask._replace(document=ask.document))
    unknown = json.dumps({**json.loads(body), "metadata": {"a": 1}}).encode()
    assert written(ask_of(unknown)) is not unknown


def test_a_long_body_with_a_name_twice_is_written_anew() -> None:
    message = '{"role":"user","content":"IC 900101-14-5678","content":"' + "kata " * LONG_BYTES + '"}'
    ask = ask_of(('{"model":"m","messages":[' + message + "]}").encode())
    assert b"900101" in ask.body
    assert b"900101" not in written(ask)
