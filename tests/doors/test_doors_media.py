"""Images, sound and files: no detector reads them, so policy decides on their presence, whatever the protocol."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from conftest import Running
from test_doors_messages import post

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
URL = f"data:image/png;base64,{PIXEL}"
RULE = "unscanned-media-stays-in-malaysia"
IMAGE: Any = {"type": "image_url", "image_url": {"url": URL}}


def say(*parts: Any) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": "apa ini?"}, *parts]}]


@pytest.mark.parametrize(
    "part",
    [
        IMAGE,
        {"type": "image_url", "image_url": {"url": "https://contoh.my/mykad.png"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ],
)
def test_media_do_not_go_abroad_and_the_entry_says_why(selat: Running, part: Any) -> None:
    before = len(selat.upstream.received)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        selat.client().chat.completions.create(model="far", messages=say(part))
    body: Any = refused.value.body
    assert body["rules"] == [RULE]
    assert len(selat.upstream.received) == before
    assert selat.leaves_of(body["receipt"], "refused")["scan"]["flags"] == ["MEDIA"]


def test_in_malaysia_they_reach_the_engine_as_they_are(selat: Running) -> None:
    raw = selat.client().chat.completions.with_raw_response.create(model="echo", messages=say(IMAGE))
    assert selat.upstream.received[-1].ask["messages"][0]["content"][1] == IMAGE
    assert selat.leaves_of(raw.headers["selat-receipt"], "opened")["scan"]["flags"] == ["MEDIA"]


def test_text_parts_alone_may_go_abroad(selat: Running) -> None:
    answer = selat.client().chat.completions.create(model="far", messages=say({"type": "text", "text": "sambung"}))
    assert answer.choices[0].message.content


def test_a_text_that_begins_like_media_is_masked_like_any_other(selat: Running) -> None:
    messages: Any = [{"role": "user", "content": "data: MyKad saya 900101-14-5678"}]
    selat.client().chat.completions.create(model="far", messages=messages)
    assert "900101-14-5678" not in selat.upstream.received[-1].body.decode()


def test_the_same_holds_for_responses_and_messages(selat: Running) -> None:
    client = selat.client()
    parts: Any = [{"type": "input_text", "text": "apa ini?"}, {"type": "input_image", "image_url": URL}]
    asked: Any = [{"role": "user", "content": parts}]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.responses.create(model="far", input=asked)
    assert refused.value.body["rules"] == [RULE]  # type: ignore[index]
    client.responses.create(model="echo", input=asked)
    assert selat.upstream.received[-1].ask["messages"][0]["content"][1] == IMAGE

    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    shown = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}
    for block in ({"type": "image", "source": source}, shown):
        body = {"messages": [{"role": "user", "content": [block]}]}
        assert post(selat, {"model": "far", **body}).json["error"]["rules"] == [RULE]
        assert post(selat, {"model": "echo", **body}).status == 200
        assert selat.upstream.received[-1].ask["messages"][-1]["content"] == [IMAGE]
