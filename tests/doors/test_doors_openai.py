"""The official client works unchanged: chat, stream, async, tools, embeddings, models, errors, time-outs."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from doors_kit import Running
from waiting import until

MYKAD = "900101-14-5678"
SAY = [{"role": "user", "content": "apa khabar"}]


def test_chat(selat: Running) -> None:
    raw = selat.client().chat.completions.with_raw_response.create(model="echo", messages=SAY)
    answer = raw.parse()
    assert answer.choices[0].message.content is not None
    assert "apa khabar" in answer.choices[0].message.content
    assert answer.usage is not None
    assert raw.headers["selat-decision"] == "permit"
    assert raw.headers["selat-label"].endswith("/MY")
    closed = selat.leaves_of(raw.headers["selat-receipt"], "closed")
    assert (closed["outcome"], closed["usage"]["source"]) == ("complete", "engine")


def test_a_stream_with_usage(selat: Running) -> None:
    stream = selat.client().chat.completions.create(
        model="echo:3", messages=SAY, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "apa khabar" in said
    assert len(chunks) > 3
    assert chunks[-1].usage is not None


def test_async_streams_side_by_side(selat: Running) -> None:
    async def one(client: openai.AsyncOpenAI, number: int) -> str:
        stream = await client.chat.completions.create(
            model="echo:3", messages=[{"role": "user", "content": f"suara {number}"}], stream=True
        )
        return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    async def many() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{selat.address}/v1", api_key=selat.key) as client:
            return await asyncio.gather(*(one(client, number) for number in range(20)))

    for number, said in enumerate(asyncio.run(many())):
        assert f"suara {number}" in said


@pytest.mark.parametrize("stream", [False, True])
def test_abroad_the_engine_sees_placeholders_and_the_caller_sees_its_own_words(
    selat: Running, stream: bool
) -> None:
    text = f"MyKad saya {MYKAD}, e-mel siti@contoh.my"
    answer = selat.client().chat.completions.create(
        model="far", messages=[{"role": "user", "content": text}], stream=stream
    )
    if stream:
        said = "".join(choice.delta.content or "" for chunk in answer for choice in chunk.choices)
    else:
        said = answer.choices[0].message.content
    assert text in said
    sent = selat.upstream.received[-1].body.decode()
    assert MYKAD not in sent
    assert "siti@contoh.my" not in sent
    assert "<MYKAD_1>" in sent
    assert "<EMAIL_1>" in sent


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_arguments_are_restored_too(selat: Running, stream: bool) -> None:
    tool = {"type": "function", "function": {"name": "semak", "parameters": {"type": "object", "properties": {}}}}
    text = f'nama "Ali", MyKad {MYKAD}'
    answer = selat.client().chat.completions.create(
        model="far-tools", messages=[{"role": "user", "content": text}], tools=[tool], stream=stream
    )
    if stream:
        calls = [call for chunk in answer for choice in chunk.choices for call in choice.delta.tool_calls or ()]
        arguments = "".join(call.function.arguments or "" for call in calls)
    else:
        arguments = answer.choices[0].message.tool_calls[0].function.arguments
    assert json.loads(arguments)["text"] == text
    assert MYKAD not in selat.upstream.received[-1].body.decode()


def test_completions_and_embeddings(selat: Running) -> None:
    client = selat.client()
    assert "salam" in client.completions.create(model="echo", prompt="salam").choices[0].text
    vectors = client.embeddings.create(model="hash-embedding", input=["beras", "padi"]).data
    assert len(vectors) == 2
    assert len(vectors[0].embedding) > 8
    assert client.embeddings.create(model="echo", input="beras").data[0].embedding


def test_models_are_listed_and_found(selat: Running) -> None:
    client = selat.client()
    names = {model.id for model in client.models.list()}
    assert {"docs", "extractive", "echo", "far"} <= names
    assert client.models.retrieve("far").owned_by == "luar"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("tiada/model")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["docs", "extractive", "docs:documents"])
def test_documents_answer_with_citations(selat: Running, model: str, stream: bool) -> None:
    ask = [{"role": "user", "content": "Berapa lama masa untuk lapor kebocoran data peribadi?"}]
    answer = selat.client().chat.completions.create(model=model, messages=ask, stream=stream)
    if stream:
        chunks = list(answer)
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        notes = next(
            choice.delta.annotations
            for chunk in chunks
            for choice in chunk.choices
            if getattr(choice.delta, "annotations", None)
        )
    else:
        text = answer.choices[0].message.content
        notes = [note.model_dump() for note in answer.choices[0].message.annotations]
    assert "72 jam" in text
    assert notes[0]["selat_citation"]["document"] == "ms/breach-notification.md"


def test_what_no_document_answers_is_not_made_up(selat: Running) -> None:
    ask = [{"role": "user", "content": "Siapakah juara badminton dunia tahun 1987?"}]
    answer = selat.client().chat.completions.create(model="docs", messages=ask)
    assert "tidak tahu" in answer.choices[0].message.content.lower()


def test_a_wrong_key_is_401_and_says_nothing_else(selat: Running) -> None:
    for key in ("sk-selat-wrong", "x", f"{selat.key}x"):
        with pytest.raises(openai.AuthenticationError) as refused:
            selat.client(api_key=key).chat.completions.create(model="echo", messages=SAY)
        assert refused.value.code == "invalid_api_key"
        assert key not in str(refused.value)


def test_an_unknown_model_is_404(selat: Running) -> None:
    with pytest.raises(openai.NotFoundError):
        selat.client().chat.completions.create(model="gpt-99", messages=SAY)


def test_denial_is_403_with_the_rule_and_a_receipt(selat: Running) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        selat.client().chat.completions.create(model="far", messages=SAY, extra_headers={"selat-label": "sulit"})
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["code"] == "policy_denied"
    assert body["rules"]
    leaf = selat.leaves_of(body["receipt"], "refused")
    assert leaf["decision"]["rules"] == body["rules"]


def test_an_unregistered_purpose_is_403(selat: Running) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        selat.client().chat.completions.create(
            model="echo", messages=SAY, extra_headers={"selat-purpose": "tenung"}
        )


@pytest.mark.parametrize(
    ("model", "status"),
    [("refuses", 502), ("nobody", 502), ("garbage", 502), ("garbage-json", 502), ("dies", 502), ("short", 502),
     ("both-lengths", 502), ("huge-headers", 502), ("error:500", 502), ("error:401", 502), ("nothing", 502),
     ("hangs", 504), ("error:400", 400)],
)  # fmt: skip
def test_each_failure_of_an_engine_is_named(selat: Running, model: str, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as failed:
        selat.client().chat.completions.create(model=model, messages=[{"role": "user", "content": "kata rahsia"}])
    assert failed.value.status_code == status
    if status != 400:
        assert "kata rahsia" not in failed.value.response.text
        assert "dekat" in failed.value.response.text or "mati" in failed.value.response.text


@pytest.mark.parametrize("model", ["dies", "hangs-midway", "garbage-json"])
def test_an_engine_that_breaks_mid_stream_ends_in_an_error_event(selat: Running, model: str) -> None:
    with pytest.raises(openai.APIError) as failed:
        for _ in selat.client().chat.completions.create(model=model, messages=SAY, stream=True):
            pass
    assert "dekat" in str(failed.value)


def test_the_clients_time_out_is_a_booked_end(selat: Running) -> None:
    before = {leaf["id"] for leaf in selat.leaves()}
    ended: set[str] = set()
    hasty = selat.client(timeout=0.4)

    def booked() -> bool:
        with pytest.raises(openai.APITimeoutError):  # asked anew each time: it may have left before it was heard
            hasty.chat.completions.create(model="hangs", messages=SAY)
        ended.update(
            leaf["outcome"] for leaf in selat.leaves() if leaf["id"] not in before and leaf["kind"] == "closed"
        )
        return "cancelled" in ended

    until(booked)
