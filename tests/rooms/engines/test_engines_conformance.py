"""One suite for every kind of engine: what the chat flow may count on, whoever answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engines_kit import chat, read, spec, until

from selat.core.caller import Site
from selat.core.errors import EngineError
from selat.engines import CHAT, COMPLETIONS, Call, Engine, ExtractiveEngine, OpenAIEngine
from selat.testing import EchoEngine, Upstream

Story = Callable[[Engine], Any]


def by_url(upstream: Upstream) -> Engine:
    return OpenAIEngine(spec(upstream.url, models=(("echo", "echo"), ("alias", "echo:3"))))


KINDS: dict[str, Callable[[Upstream], Engine]] = {
    "openai": by_url,
    "extractive": lambda upstream: ExtractiveEngine(lambda question, passages: [], Site("MY")),
    "echo": lambda upstream: EchoEngine(),
}


@pytest.fixture(params=KINDS)
def play(request: pytest.FixtureRequest) -> Iterator[Callable[[Story], None]]:
    with Upstream() as upstream:

        def whole(story: Story) -> None:
            async def run() -> None:
                engine = KINDS[request.param](upstream)
                await story(engine)
                await engine.close()
                await engine.close()

            asyncio.run(run())

        yield whole


def test_it_says_what_and_where_it_is(play: Callable[[Story], None]) -> None:
    async def story(engine: Engine) -> None:
        assert engine.name
        assert engine.site.jurisdiction == "MY"
        assert engine.models
        assert engine.in_flight == 0
        assert all(engine.upstream_model(model) for model in engine.models)
        assert engine.upstream_model("not one of ours") == "not one of ours"
        assert (await engine.health()).ok

    play(story)


def test_a_reply_is_one_json_object_in_one_piece_with_usage(play: Callable[[Story], None]) -> None:
    async def story(engine: Engine) -> None:
        for path, ask in (
            (CHAT, {"model": "echo", "messages": [{"role": "user", "content": "apa khabar"}]}),
            (COMPLETIONS, {"model": "echo", "prompt": "apa khabar"}),
        ):
            answer = await engine.send(Call(path, json.dumps(ask).encode(), False))
            assert (answer.status, answer.content_type.split(";")[0]) == (200, "application/json")
            pieces = [piece async for piece in answer.chunks()]
            assert len(pieces) == 1
            reply = json.loads(pieces[0])
            assert reply["model"] == "echo"
            assert reply["choices"][0]["finish_reason"] == "stop"
            assert reply["usage"]["total_tokens"] > 0
            assert reply["choices"][0].get("text") or reply["choices"][0]["message"]["content"]

    play(story)


def test_a_stream_is_events_that_end_with_done_and_usage_when_asked(play: Callable[[Story], None]) -> None:
    async def story(engine: Engine) -> None:
        for options in ({}, {"stream_options": {"include_usage": True}}):
            answer = await engine.send(chat("echo", "satu dua tiga empat lima", stream=True, **options))
            assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/event-stream")
            lines = (await read(answer)).decode().split("\n\n")
            assert lines[-2:] == ["data: [DONE]", ""]
            events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
            assert all(event["object"] == "chat.completion.chunk" for event in events)
            assert "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
            assert bool(options) == ("usage" in events[-1] and events[-1]["usage"]["completion_tokens"] > 0)

    play(story)


def test_many_at_once_do_not_mix(play: Callable[[Story], None]) -> None:
    async def one(engine: Engine, text: str) -> str:
        return (await read(await engine.send(chat("echo", text)))).decode()

    async def story(engine: Engine) -> None:
        texts = [f"soalan-{number}." for number in range(40)]
        got = await asyncio.gather(*(one(engine, text) for text in texts))
        for text, answer in zip(texts, got, strict=True):
            assert not any(other in answer for other in texts if other != text)
        assert await until(lambda: engine.in_flight == 0)

    play(story)


@pytest.mark.parametrize("taken", [0, 1, 100])
def test_an_answer_may_be_closed_at_any_time_and_twice(play: Callable[[Story], None], taken: int) -> None:
    async def story(engine: Engine) -> None:
        answer = await engine.send(chat("echo", "satu dua tiga empat lima enam tujuh", stream=True))
        chunks = answer.chunks()
        for _ in range(taken):
            if not await anext(chunks, b""):
                break
        await answer.close()
        await answer.close()
        assert await until(lambda: engine.in_flight == 0)
        assert b"choices" in await read(await engine.send(chat("echo")))

    play(story)


def test_closing_never_suspends(play: Callable[[Story], None]) -> None:
    """So that a task already cancelled can still close in its `finally`."""

    async def story(engine: Engine) -> None:
        answer = await engine.send(chat("echo", "satu dua tiga", stream=True))
        closing = answer.close()
        with pytest.raises(StopIteration):
            closing.send(None)

    play(story)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": 7}'])
def test_a_call_that_is_none_is_an_error_of_ours_or_of_the_engines(
    play: Callable[[Story], None], body: bytes
) -> None:
    async def story(engine: Engine) -> None:
        try:
            answer = await engine.send(Call(CHAT, body, False))
        except EngineError as error:
            assert engine.name in str(error)  # noqa: PT017
        else:
            await answer.close()
        assert b"choices" in await read(await engine.send(chat("echo")))

    play(story)
