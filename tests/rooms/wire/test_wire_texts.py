"""Every text of a body is seen by the guard, and masking reaches exactly what was seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.caller import Caller
from selat.core.errors import BadRequest
from selat.core.label import LOWEST
from selat.wire import APIS, decode, read_ask, rewrite, texts

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
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


def test_inline_images_are_not_text() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert list(texts({"messages": [{"role": "user", "content": [part]}]})) == []


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
