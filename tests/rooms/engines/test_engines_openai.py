"""OpenAIEngine against a real server that behaves well, slowly or badly."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines_kit import QUICK, chat, read, run, spec, until

from selat.core.errors import EngineError, EngineGarbage, EngineTimeout, EngineUnreachable, Misused
from selat.engines import COMPLETIONS, EMBEDDINGS, Call, Capacity, OpenAIEngine, Timeouts
from selat.engines.spec import base_url
from selat.testing import Upstream

pytestmark = pytest.mark.usefixtures("each_loop")

SECRET = "nombor rahsia 880101-14-5555"


def ask(upstream: Upstream, call: Call, **fields: Any) -> tuple[int, str, bytes]:
    async def story(engine: OpenAIEngine) -> tuple[int, str, bytes]:
        answer = await engine.send(call)
        return answer.status, answer.content_type, await read(answer)

    result: tuple[int, str, bytes] = run(OpenAIEngine(spec(upstream.url, **fields)), story)
    return result


def content(body: bytes) -> str:
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


# What works.


def test_one_connection_carries_many_exchanges(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for number in range(5):
            answer = await engine.send(chat("echo", f"soalan {number}"))
            assert (answer.status, answer.content_type) == (200, "application/json")
            assert content(await read(answer)) == f"soalan {number}"
            stream = await engine.send(chat("echo", "strim", stream=True))
            assert stream.content_type.startswith("text/event-stream")
            assert (await read(stream)).endswith(b"data: [DONE]\n\n")
            assert engine.in_flight == 0

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 1


def test_the_body_arrives_as_given_with_a_key_and_headers_of_ours(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUT_KEY", " sk-laut \n")
    call = chat("prompt", "Ünïcödé 你好 ஆம்")
    ask(upstream, call, key_env="LAUT_KEY", headers=(("X-Team", "selat"),))
    got = upstream.received[-1]
    assert got.body == call.body
    assert got.path == "/v1/chat/completions"
    assert got.headers["authorization"] == "Bearer sk-laut"
    assert got.headers["x-team"] == "selat"
    assert got.headers["accept-encoding"] == "identity"
    assert got.headers["host"] == f"127.0.0.1:{upstream.port}"


def test_an_engine_puts_its_own_prefix_in_the_place_of_v1(upstream: Upstream) -> None:
    for url, path in (("", "/v1"), ("/", "/v1"), ("/openai/v3/", "/openai/v3")):
        base = f"http://127.0.0.1:{upstream.port}{url}"

        async def story(engine: OpenAIEngine) -> None:
            await read(await engine.send(Call(EMBEDDINGS, b'{"model": "echo", "input": "a"}', False)))

        run(OpenAIEngine(spec(base)), story)
        assert upstream.received[-1].path == f"{path}/embeddings"


def test_completions_embeddings_and_tools_pass(upstream: Upstream) -> None:
    _, _, body = ask(upstream, Call(COMPLETIONS, b'{"model": "echo", "prompt": "satu dua"}', False))
    assert json.loads(body)["choices"][0]["text"] == "satu dua"
    _, _, body = ask(upstream, Call(EMBEDDINGS, b'{"model": "echo", "input": ["a", "bb"]}', False))
    assert [row["embedding"][0] for row in json.loads(body)["data"]] == [1.0, 2.0]
    _, _, body = ask(upstream, chat("tools:3", "pulau", stream=True))
    events = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line and "[DONE]" not in line]
    calls = [call for e in events for call in e["choices"][0]["delta"].get("tool_calls", [])]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"text": "pulau"}


def test_an_event_is_passed_on_before_the_next_is_made(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("hangs-midway", "satu dua tiga", stream=True))
        chunks, came = answer.chunks(), b""
        while came.count(b"data: ") < 2:
            came += await anext(chunks)
        await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_body_of_megabytes_goes_up_and_comes_down(upstream: Upstream) -> None:
    text = "x" * 5_000_000
    _, _, body = ask(upstream, chat("echo", text))
    assert content(body) == text


@pytest.mark.parametrize("model", ["until-close", "trailers", "interim", "says-close"])
def test_every_lawful_framing_is_read(upstream: Upstream, model: str) -> None:
    status, kind, body = ask(upstream, chat(model, "ombak"))
    assert (status, kind, content(body)) == (200, "application/json", "ombak")


def test_a_stream_may_end_with_the_connection(upstream: Upstream) -> None:
    _, _, body = ask(upstream, chat("until-close", "ombak", stream=True))
    assert body.endswith(b"data: [DONE]\n\n")


def test_no_content_is_an_empty_answer(upstream: Upstream) -> None:
    assert ask(upstream, chat("nothing")) == (204, "", b"")


@pytest.mark.parametrize("stream", [False, True])
def test_an_engines_own_error_keeps_its_status(upstream: Upstream, stream: bool) -> None:
    for status in (400, 429, 500, 503):
        assert ask(upstream, chat(f"error:{status}", stream=stream))[0] == status


# What fails: always one of our errors, naming engine and reason, never the text.

FAILURES = [
    ("refuses", EngineUnreachable, "closed the connection before an answer"),
    ("hangs", EngineTimeout, "first byte of its answer took longer than 0.3 s"),
    ("dies", EngineUnreachable, "broke off its answer"),
    ("short", EngineUnreachable, "broke off its answer"),
    ("garbage", EngineGarbage, "not the HTTP we speak"),
    ("both-lengths", EngineGarbage, "Transfer-Encoding can't be present with Content-Length"),
    ("huge-headers", EngineGarbage, "over 65536 bytes"),
    ("endless-header", EngineGarbage, "over 65536 bytes"),
    ("redirect", EngineGarbage, "redirects"),
    ("compressed", EngineGarbage, "cannot be scanned"),
    ("switches", EngineGarbage, "switched protocols"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "kind", "told"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failing_engine_is_named_and_its_words_are_not(
    upstream: Upstream, model: str, kind: type[EngineError], told: str, stream: bool
) -> None:
    if model == "dies":
        model = "dies:3"
    with pytest.raises(kind) as caught:
        ask(upstream, chat(model, SECRET, stream=stream), timeouts=QUICK if model == "hangs" else Timeouts())
    assert "engine 'laut'" in str(caught.value)
    assert told in str(caught.value)
    assert SECRET not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)


def test_a_stream_that_dies_gives_what_came_and_then_the_error(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("dies:2", "satu dua tiga empat", stream=True))
        got: list[bytes] = []
        with pytest.raises(EngineUnreachable, match="broke off"):
            await read(answer, got)
        assert b"".join(got).count(b"data: ") == 2
        await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_stream_that_falls_silent_is_timed_between_pieces(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("hangs-midway", "satu dua tiga", stream=True))
        with pytest.raises(EngineTimeout, match=r"next piece of its answer took longer than 0\.3 s"):
            await read(answer)

    run(OpenAIEngine(spec(upstream.url, timeouts=Timeouts(between_s=0.3))), story)
    assert upstream.settles(lambda: upstream.hangups == 1)


def test_an_exchange_is_bounded_in_all_even_when_pieces_keep_coming(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        with pytest.raises(EngineTimeout, match=r"whole answer took longer than 1 s"):
            await read(await engine.send(chat("endless:0.05", stream=True)))

    run(OpenAIEngine(spec(upstream.url, timeouts=Timeouts(total_s=1.0))), story)


def test_bytes_beyond_an_answer_never_answer_the_next_call(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for _ in range(3):
            assert content(await read(await engine.send(chat("long", "benar")))) == "benar"
            assert content(await read(await engine.send(chat("echo", "juga")))) == "juga"

    run(OpenAIEngine(spec(upstream.url)), story)


@pytest.fixture
def nobodys() -> Iterator[str]:
    """An address that refuses: its port is taken, so that no other process listens there, and nobody does here."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_nobody_at_the_door_is_unreachable(nobodys: str) -> None:
    with pytest.raises(EngineUnreachable, match="Connection refused"):
        run(OpenAIEngine(spec(nobodys)), lambda e: e.send(chat("echo")))
    with pytest.raises(EngineUnreachable, match="cannot connect"):
        run(OpenAIEngine(spec("http://tiada.invalid:1/v1")), lambda e: e.send(chat("echo")))


def test_a_connection_that_does_not_come_about_is_timed() -> None:
    # 192.0.2.0/24 is set aside for documents (RFC 5737): either nothing answers, or there is no way to it.
    limits = Timeouts(connect_s=0.2)
    with pytest.raises((EngineTimeout, EngineUnreachable), match=r"connection within 0\.2 s|cannot connect"):
        run(OpenAIEngine(spec("http://192.0.2.1:9/v1", timeouts=limits)), lambda e: e.send(chat("echo")))


# Keys.


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "kunci-ä"])
def test_an_unusable_key_is_told_by_its_place_only(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LAUT_KEY", value)
    with pytest.raises(EngineUnreachable, match="no usable key in environment variable LAUT_KEY") as caught:
        run(OpenAIEngine(spec("http://127.0.0.1:1/v1", key_env="LAUT_KEY")), lambda e: e.send(chat("echo")))
    assert not value.strip() or value not in str(caught.value)


def test_a_key_may_come_from_a_file(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-fail\n")
    ask(upstream, chat("echo"), key_file=str(tmp_path / "key"))
    assert upstream.received[-1].headers["authorization"] == "Bearer sk-fail"
    with pytest.raises(EngineUnreachable, match="key_file"):
        ask(upstream, chat("echo"), key_file=str(tmp_path / "absent"))


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUT_KEY", "sk-laut")
    engine = OpenAIEngine(spec("http://127.0.0.1:1/v1", key_env="LAUT_KEY", headers=(("X-Key", "sk-lain"),)))
    assert "sk-l" not in repr(engine) + repr(engine.spec) + repr(chat("echo", "sk-lain"))


# Leaving.


def test_closing_an_answer_hangs_up_on_the_engine_at_once(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for _ in range(10):
            answer = await engine.send(chat("endless:0.005", stream=True))
            await anext(answer.chunks())
            await answer.close()
            await answer.close()
        assert await until(lambda: upstream.hangups == 10)
        assert engine.in_flight == 0

    run(OpenAIEngine(spec(upstream.url)), story)


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_call_hangs_up_on_the_engine_at_once(upstream: Upstream, stream: bool) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for number in range(1, 6):
            task = asyncio.create_task(engine.send(chat("hangs", stream=stream)))
            assert await until(lambda: len(upstream.received) == number)  # noqa: B023 - looked at in this turn only
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await until(lambda: upstream.hangups == 5)
        assert engine.in_flight == 0

    run(OpenAIEngine(spec(upstream.url)), story)


def test_an_answer_read_to_its_end_may_be_closed_and_keeps_the_connection(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for _ in range(3):
            answer = await engine.send(chat("echo"))
            await read(answer)
            await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)
    assert (upstream.connections, upstream.hangups) == (1, 0)


# Health and addresses.


def test_health_tells_models_and_latency_and_does_not_wait_for_a_full_pool(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        busy = await engine.send(chat("endless:0.01", stream=True))
        health = await engine.health()
        assert health.ok
        assert health.latency_ms > 0
        assert "echo" in health.models
        await busy.close()

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=1))), story)


def test_ill_health_says_why(nobodys: str) -> None:
    health = run(OpenAIEngine(spec(nobodys)), lambda e: e.health())
    assert not health.ok
    assert "Connection refused" in health.detail


@pytest.mark.parametrize(
    "url",
    [
        "",
        "laut",
        "ftp://h/v1",
        "http://",
        "http://h:0x1",
        "http://u@h",
        "http://h/v1#x",
        "http://h/ v1",
        "http://é/",
    ],
)
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(Misused, match="url"):
        base_url(url)


def test_urls_have_ports_and_brackets() -> None:
    assert (base_url("https://h").port, base_url("http://h").port) == (443, 80)
    assert (base_url("http://[::1]:8/v1").host, base_url("http://[::1]:8/v1").netloc) == ("::1", "[::1]:8")
