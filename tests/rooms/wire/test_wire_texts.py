"""Every text of a body is seen by the guard, and masking reaches exactly what was seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import LOWEST
from selat.wire import APIS, decode, language_of, read_answer, read_ask, rewrite, texts
from selat.wire import ask as ask_module

KEYS = st.sampled_from(["model", "role", "type", "content", "arguments", "images"]) | st.text(max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
CHAT = APIS["/v1/chat/completions"]
CALLER = Caller("default", "key_1")


@given(JSON)
def test_rewrite_sees_the_very_texts_that_texts_yields(document: object) -> None:
    seen: list[str] = []

    def note(text: str) -> str:
        seen.append(text)
        return text

    assert rewrite(document, note) == document
    assert sorted(seen) == sorted(texts(document))


SAID = st.text() | st.sampled_from(["data:image/png;base64,QUJD", "900101-14-5678"])
ASKED = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": SAID})
        )
    },
    optional={"model": st.just("m"), "seed": st.integers(), "temperature": st.floats(0, 2), "user": st.text()},
)
CHOSEN = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": SAID | st.none()}, optional={"refusal": st.none() | st.text()})},
    optional={"index": st.integers(0), "finish_reason": st.sampled_from(["stop", "tool_calls", "123456789012"])},
)


@given(ASKED.map(lambda asked: {"model": "m", **asked}))
def test_an_ask_that_is_read_as_plain_is_what_it_is_read_as_at_length(asked: dict[str, object]) -> None:
    body = json.dumps(asked).encode()
    try:
        at_length = ask_module._read_any(CHAT, CALLER, body, "chat", LOWEST)
    except BadRequest:
        with pytest.raises(BadRequest):
            read_ask(CHAT, CALLER, body, "chat", LOWEST)
        return
    read = read_ask(CHAT, CALLER, body, "chat", LOWEST)
    for name in ("model", "document", "stream", "body", "shaper", "background"):
        assert getattr(read, name) == getattr(at_length, name)
    media: list[str] = []
    if read.said is not None:
        assert read.said == texts(asked, media)
        assert not media
    assert language_of(read.document, read.last) == language_of(read.document)


def test_of_another_document_no_texts_are_known() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hai"}]}).encode()
    ask = read_ask(CHAT, CALLER, body, "chat", LOWEST)
    assert (ask.said, ask.last) == (["hai"], "hai")
    other = ask._replace(document={"messages": [{"role": "user", "content": "900101-14-5678"}]}, stream=True)
    assert (other.said, other.last, other.stream) == (None, None, True)
    assert ask._replace(background=True).said == ["hai"]
    assert ask.stream is False


def test_most_asks_are_plain() -> None:
    def said(message: dict[str, str] | None = None, **more: object) -> list[str] | None:
        body = {"model": "m", "messages": [{"role": "user", "content": "hai", **(message or {})}], **more}
        return read_ask(CHAT, CALLER, json.dumps(body).encode(), "chat", LOWEST).said

    assert said() == said(stream=True, max_tokens=9, temperature=0.2) == ["hai"]
    assert said({"name": "Ali bin Abu"}) is None
    assert said({"content": "data:image/png;base64,QUJD"}) is None
    assert said(max_tokens=60123456789) is None


@given(st.lists(CHOSEN, max_size=3))
def test_a_plain_answer_has_the_texts_that_a_walk_finds(choices: list[dict[str, object]]) -> None:
    read = read_answer(json.dumps({"id": "x", "choices": choices}).encode(), "e")
    known = {"stop"}  # the protocol's own words need no look
    assert [text for text in read.texts if text not in known] == [t for t in texts(choices) if t not in known]


@given(JSON)
def test_after_masking_no_text_is_left_that_was_not_changed(document: object) -> None:
    masked = rewrite(document, lambda text: "*")
    assert set(texts(masked)) <= {"*"}


def test_texts_reach_unknown_fields_keys_numbers_and_tool_arguments() -> None:
    document = {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hai"}]},
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": '{"ic": "\\u0039\\u0030"}'}}],
            },
        ],
        "metadata": {"900101-14-5678": "x", "telefon": 60123456789, "n": 3, "ok": True},
    }
    found = list(texts(document))
    assert {"hai", "90", "900101-14-5678", "telefon 60123456789", "x"} <= set(found)
    assert "m" not in found
    assert "user" not in found


@pytest.mark.parametrize(
    "arguments", ['{"a":"IC 90","a":"x"}', '{"a":{"b":"IC \\u0039\\u0030"},"a":{"b":1}}', '["IC \\u0039\\u0030"]']
)
def test_arguments_are_read_whole_also_what_stands_twice_in_them(arguments: str) -> None:
    assert "IC 90" in texts({"messages": [{"tool_calls": [{"function": {"arguments": arguments}}]}]})


def test_words_of_the_protocol_are_no_way_past_the_guard() -> None:
    hidden = {"role": "IC 900101-14-5678", "type": "Ali bin Abu", "model": "kereta WXY 1234"}
    arguments = json.dumps({"model": "kereta WXY 1234"})
    document = {"model": "gpt-4o-2024-11-20", "x": hidden, "tool": {"arguments": arguments}}
    assert texts(document) == [*hidden.values(), "kereta WXY 1234"]


def test_inline_images_are_media_and_no_text() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    media: list[str] = []
    assert texts({"messages": [{"role": "user", "content": [part]}]}, media) == []
    assert media == ["content", "url"]


@pytest.mark.parametrize(
    "text", ["data: IC 900101-14-5678", "data:text/plain,900101-14-5678", "data:;base64,IC 9-1"]
)
def test_a_text_that_only_begins_like_media_is_text(text: str) -> None:
    media: list[str] = []
    assert texts({"messages": [{"role": "user", "content": text}]}, media) == [text]
    assert media == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://contoh.my/mykad.png"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "hologram", "hologram": "x"},
        {"image_url": "https://contoh.my/mykad.png"},
        {"type": {"odd": 1}},
    ],
)
def test_a_part_that_is_not_known_to_be_text_is_media(part: dict[str, object]) -> None:
    media: list[str] = []
    texts({"messages": [{"role": "user", "content": [{"type": "text", "text": "lihat"}, part]}]}, media)
    assert media == ["content"]


def test_text_parts_tools_and_their_arguments_are_no_media() -> None:
    schema = {"type": "object", "properties": {"images": {"type": "array"}, "content": {"type": "string"}}}
    arguments = json.dumps({"files": ["a.txt"], "content": [{"type": "para"}]})
    document = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]},
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    }
    media: list[str] = []
    texts(document, media)
    assert media == []
    texts({"messages": [{"role": "user", "content": "a", "images": ["AAAA"]}]}, media)
    assert media == ["images"]


def test_a_masked_number_becomes_its_placeholder() -> None:
    masked = rewrite({"telefon": 60123456789}, lambda text: text.replace("60123456789", "<PHONE_1>"))
    assert masked == {"telefon": "<PHONE_1>"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": 1, "messages": []}, "model"),
        ({"messages": [{"role": "user", "content": "x"}]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": "x"}, "messages"),
        ({"model": "m", "messages": [7]}, "messages[0]"),
        ({"model": "m", "messages": [{"role": "penyair", "content": "x"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": "ya"}, "stream"),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": "dua"}, "n"),
    ],
)
def test_a_wrong_field_is_refused_by_name(body: object, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_ask(CHAT, CALLER, json.dumps(body).encode(), "chat", LOWEST)
    assert refused.value.param == param
    assert "penyair" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a":"\xff"}', b'{"a":1}x', b"[" * 100_000, b'{"a":"\\ud800"}'],
)
def test_what_is_no_json_object_is_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(body)


def test_unknown_fields_and_nulls_pass() -> None:
    body = json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": None}],
            "seed": 1,
            "temperature": None,
            "logit_bias": {},
        }
    ).encode()
    ask = read_ask(CHAT, CALLER, body, "chat", LOWEST)
    assert ask.body is body
    assert not ask.stream
