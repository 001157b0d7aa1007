"""A call begun by plain calls: told once what `send` would give or raise, in every state it can be left in."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from engines_kit import OK, chat, goes_through, read, run, scripted, spec, until
from msgspec.structs import replace
from waiting import CEILING_S

from selat.core.caller import Site
from selat.core.errors import EngineError, EngineGarbage, EngineTimeout, EngineUnreachable
from selat.engines import (
    CHAT,
    Answer,
    Call,
    Capacity,
    ExtractiveEngine,
    Leave,
    OpenAIEngine,
    Timeouts,
    at_hand,
    begin,
    pour,
)
from selat.engines.http1 import Connection
from selat.engines.limits import AT_ONCE_BYTES, HIGH_WATER_BYTES
from selat.testing import Upstream

pytestmark = pytest.mark.usefixtures("each_loop")

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def content(body: bytes) -> str:
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


class Told(list[Any]):
    """What was told, and that none of it was told inside `begin`."""

    def __init__(self) -> None:
        super().__init__()
        self.beginning = False

    def __call__(self, outcome: Answer | EngineError | None) -> None:
        assert not self.beginning
        self.append(outcome)

    def begin(self, engine: OpenAIEngine, call: Call) -> Leave:
        self.beginning = True
        leave = begin(engine, call, self)
        self.beginning = False
        assert leave is not None
        return leave

    async def one(self) -> Any:
        assert await until(lambda: len(self) > 0)
        await asyncio.sleep(0.01)
        assert len(self) == 1
        return self[0]

    async def answer(self) -> Answer:
        answer: Answer = await self.one()
        assert not isinstance(answer, EngineError | None), answer
        return answer


async def warm(engine: OpenAIEngine, connections: int = 1) -> None:
    """Leave so many connections idle."""
    answers = await asyncio.gather(*(engine.send(chat("echo", stream=True)) for _ in range(connections)))
    for answer in answers:
        await read(answer)
    assert await until(lambda: len(engine._pool._idle) == connections)


def idle(engine: OpenAIEngine) -> Connection:
    (connection,) = engine._pool._idle
    return connection


def test_what_is_told_is_what_send_gives_and_the_same_leaves(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        call = replace(chat("echo", "selat"), trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
        sent = await engine.send(call)
        whole = await read(sent)
        told = Told()
        told.begin(engine, call)
        assert engine.in_flight == 1
        answer = await told.answer()
        assert (answer.status, answer.content_type, await read(answer)) == (200, sent.content_type, whole)
        assert engine.in_flight == 0

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 1
    assert upstream.received[0] == upstream.received[1]
    assert upstream.received[0].headers["traceparent"].startswith("00-aaa")


def test_a_stream_is_told_at_its_first_byte_and_poured(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        got: list[bytes] = []
        told = Told()
        leave = told.begin(engine, chat("slow:0.01", "satu dua tiga", stream=True))
        answer = await told.answer()
        leave()  # of an answer told already it is no leaving
        await pour(answer, got.append)
        assert b"".join(got).endswith(b"data: [DONE]\n\n")
        assert len(engine._pool._idle) == 1
        begun = Told()
        begun.begin(engine, chat("hangs-midway", stream=True))
        await (await begun.answer()).close()  # told, though its end never comes

    run(OpenAIEngine(spec(upstream.url)), story)


@pytest.mark.parametrize("hold_s", [None, 0, 0.05])
@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_before_the_answer_is_told_nothing_and_the_engine_is_hung_up_on(
    upstream: Upstream, hold_s: float | None, stream: bool
) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        told = Told()
        leave = told.begin(engine, chat("hangs", stream=stream))
        if hold_s is not None:
            await asyncio.sleep(hold_s)
        leave()
        leave()
        assert await until(lambda: engine._pool.open == 0)
        assert engine.in_flight == 0
        assert told == []

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.settles(lambda: upstream.open == 0)


def test_who_leaves_in_the_turn_the_answer_was_told_in_breaks_nothing(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        leaves: list[Leave] = []
        told: list[Any] = []

        def tell(answer: Any) -> None:
            leaves[0]()
            told.append(answer)

        leave = begin(engine, chat("echo", "lagi"), tell)
        assert leave is not None
        leaves.append(leave)
        assert await until(lambda: bool(told))
        leave()
        assert content(await read(told[0])) == "lagi"
        again = Told()
        again.begin(engine, chat("echo", "kedua"))
        leave()  # its connection is another call's by now
        assert content(await read(await again.answer())) == "kedua"

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 1


def test_who_leaves_half_way_through_an_answer_is_told_nothing_of_its_end(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        connection, told = idle(engine), Told()
        leave = told.begin(engine, chat("hangs"))
        connection.data_received(OK[:-1])
        leave()
        connection.data_received(OK[-1:])
        assert connection.is_closing()
        assert await until(lambda: engine._pool.open == 0)
        await asyncio.sleep(0.01)
        assert told == []

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_hang_up_while_the_answer_is_poured_breaks_the_connection(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        told, got = Told(), list[bytes]()
        told.begin(engine, chat("endless:0.005", stream=True))
        answer = await told.answer()
        pouring = asyncio.create_task(pour(answer, got.append))
        assert await until(lambda: len(got) > 2)
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        await answer.close()
        assert await until(lambda: engine._pool.open == 0)

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.settles(lambda: upstream.hangups == 1)


def ends(part: bytes | None, call: Call) -> Any:
    """What is told where an engine, on a kept connection, says `part` of an answer and closes."""

    async def story(engine: OpenAIEngine) -> Any:
        assert await read(await engine.send(chat("echo"))) == b'"ok"'
        told = Told()
        told.begin(engine, call)
        outcome = await told.one()
        assert await until(lambda: engine._pool.open == 0)
        return outcome

    with scripted([OK, part], [OK]) as server:
        outcome = run(OpenAIEngine(spec(server.url)), story)
        assert server.requests == 2
    return outcome


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_closed_before_a_byte_is_told_as_none_and_the_call_sent_again(stream: bool) -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert await read(await engine.send(chat("echo"))) == b'"ok"'
        told = Told()
        told.begin(engine, chat("echo", stream=stream))
        assert await told.one() is None
        assert engine._pool.open == engine.in_flight == 0
        assert await read(await engine.send(chat("echo", stream=stream))) == b'"ok"'

    with scripted([OK, None], [OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)
        assert (server.accepted, server.requests) == (2, 3)


@pytest.mark.parametrize("part", [OK[:1], OK[:12], OK[: OK.index(b"\r\n\r\n") + 4], OK[:-3]])
def test_a_connection_closed_amid_an_answer_is_an_error_and_nothing_is_sent_again(part: bytes) -> None:
    outcome = ends(part, chat("echo"))
    assert isinstance(outcome, EngineUnreachable)
    assert ("broke off its answer" in str(outcome)) == (b"\r\n\r\n" in part)


@pytest.mark.parametrize(
    "part", [b"SSH-2.0\r\n\r\n", OK.replace(b"Length: 4", b"Length: +4"), OK.replace(b"200 OK", b"302 Found")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_garbage_and_redirects_are_told_as_garbage(part: bytes, stream: bool) -> None:
    outcome = ends(part, chat("echo", stream=stream))
    assert isinstance(outcome, EngineGarbage)
    assert ("redirects (status 302)" in str(outcome)) == (b"302" in part)


def test_a_redirect_that_never_ends_is_garbage_and_hung_up_on() -> None:
    assert isinstance(ends(STREAM.replace(b"200", b"307") + b"3\r\na: \r\n", chat("echo")), EngineGarbage)


@pytest.mark.parametrize(
    ("model", "limits", "phase"),
    [
        ("hangs", {"first_byte_s": 0.3}, "first_byte"),
        ("hangs", {"total_s": 0.3}, "total"),
        ("dies", {"between_s": 0.1}, "between"),
    ],
)
def test_what_takes_too_long_is_told_with_its_phase(model: str, limits: dict[str, float], phase: str) -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert await read(await engine.send(chat("echo"))) == b'"ok"'
        engine._pool.timeouts = Timeouts(**limits)  # only now: the call before may take its time
        told = Told()
        told.begin(engine, chat(model))
        outcome = await told.one()
        assert isinstance(outcome, EngineTimeout)
        assert f"timeout '{phase}'" in str(outcome)
        assert await until(lambda: engine._pool.open == 0)

    half = OK[:-2] if phase == "between" else b""
    with scripted([OK, half, OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)


def test_a_stream_that_stops_is_told_to_who_reads_it() -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert await read(await engine.send(chat("echo"))) == b'"ok"'
        told = Told()
        told.begin(engine, chat("echo", stream=True))
        answer = await told.answer()
        engine._pool.timeouts = Timeouts(between_s=0.2)
        with pytest.raises(EngineTimeout, match="between"):
            await pour(answer, lambda piece: None)
        assert len(told) == 1

    with scripted([OK, STREAM + b"3\r\na: \r\n", OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)


def test_an_engine_closed_in_between_still_answers_and_then_begins_no_more(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine, 2)
        told = Told()
        told.begin(engine, chat("slow:0.05", "akhir"))
        await engine.close()
        assert begin(engine, chat("echo"), Told()) is None
        assert content(await read(await told.answer())) == "akhir"
        assert begin(engine, chat("echo"), Told()) is None
        assert await until(lambda: engine._pool.open == 0)

    run(OpenAIEngine(spec(upstream.url)), story)


def test_the_next_call_may_be_begun_where_the_last_is_told(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        got: list[str] = []
        over = asyncio.get_running_loop().create_future()

        def told(answer: Any) -> None:
            assert engine.in_flight == 0
            whole = at_hand(answer)
            got.append(content(whole))
            if len(got) == 50:
                over.set_result(None)
            else:
                assert begin(engine, chat("echo", str(len(got))), told) is not None

        assert begin(engine, chat("echo", "0"), told) is not None
        async with asyncio.timeout(60):
            await over
        assert got == [str(number) for number in range(50)]

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 1


def test_the_next_call_may_be_begun_where_a_failure_is_told() -> None:
    async def story(engine: OpenAIEngine) -> None:
        await asyncio.gather(*(engine.send(chat("echo")) for _ in range(2)))
        second = Told()

        def told(outcome: Any) -> None:
            assert isinstance(outcome, EngineGarbage)
            assert engine._pool.open == 2  # until the loop has closed the broken one
            second.begin(engine, chat("echo"))

        assert begin(engine, chat("echo"), told) is not None
        assert isinstance(await second.one(), EngineGarbage)

    with scripted([OK, b"garbage\r\n\r\n", OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)


def test_nobody_who_waits_is_overtaken(upstream: Upstream) -> None:
    order: list[str] = []

    async def wait(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("echo"))
        order.append("waited")
        await read(answer)

    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)

        def told(answer: Any) -> None:
            order.append("told")
            assert begin(engine, chat("echo"), told) is None, "the connection is theirs who wait"

        assert begin(engine, chat("slow:0.02"), told) is not None
        waiting = [asyncio.create_task(wait(engine)) for _ in range(3)]
        await asyncio.sleep(0)
        assert engine.waiting == 3
        assert begin(engine, chat("echo"), told) is None
        await asyncio.gather(*waiting)
        again = Told()
        again.begin(engine, chat("echo"))
        await again.answer()

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=1))), story)
    assert order == ["told", "waited", "waited", "waited"]


def test_begun_and_sent_calls_share_connections_and_leave_none_behind(upstream: Upstream) -> None:
    """Good, slow, dying, hung up on: in the end nothing is in flight, and what was told was told once."""
    models = [
        "echo",
        "slow:0.01",
        "dies:1",
        "refuses",
        "garbage",
        "hangs",
        "says-close",
        "redirect",
        "endless:0.01",
    ]
    told: list[list[Any]] = []
    begun = 0

    async def story(engine: OpenAIEngine) -> None:
        nonlocal begun
        await warm(engine, 8)
        engine._pool.timeouts = Timeouts(first_byte_s=0.4, total_s=0.5)
        for number in range(150):
            model = models[number % len(models)]
            call = chat(model, stream=number % 2 == 0)
            told.append([])
            leave = begin(engine, call, told[-1].append)
            if leave is None:
                told.pop()
                answering = asyncio.create_task(engine.send(call))
                # The good ones are waited for, however slow the machine: they leave connections to begin on.
                done, _ = await asyncio.wait({answering}, timeout=CEILING_S if model == "echo" else 0.02)
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
                if done and answering.exception() is None:
                    await answering.result().close()
                continue
            begun += 1
            await asyncio.sleep(0.003 * (number % 4))
            if number % 3 == 0:
                leave()
        await asyncio.sleep(0.6)
        for one in told:
            assert len(one) <= 1
            if one and not isinstance(one[0], EngineError | None):
                await one[0].close()
        assert await until(lambda: engine.in_flight == 0)
        await goes_through(engine)

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=8))), story)
    assert begun > 20


def test_a_large_answer_is_told_before_its_end_and_held_back(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        told = Told()
        told.begin(engine, replace(chat("echo", "x" * 200_000 * 10), body=b'{"model": "fat"}'))
        answer: Any = await told.answer()
        await asyncio.sleep(0.05)
        assert answer.size <= 2.5 * HIGH_WATER_BYTES
        assert at_hand(answer) is None or answer.connection is None
        await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)


def test_what_fails_where_it_is_told_breaks_nothing_else(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)

        def told(answer: Any) -> None:
            raise ValueError("ours")

        with caplog.at_level(logging.ERROR):
            begin(engine, chat("echo"), told)
            assert await until(lambda: "whoever asked it failed" in caplog.text)
        again = Told()
        again.begin(engine, chat("echo"))
        await again.answer()

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 1


# When it does nothing.


def test_nothing_is_begun_without_an_idle_connection_or_with_a_very_large_body(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert begin(engine, chat("echo"), Told()) is None
        await warm(engine)
        assert begin(engine, Call(CHAT, b"x" * (AT_ONCE_BYTES + 1), False), Told()) is None
        assert len(engine._pool._idle) == 1
        idle(engine)._transport.abort()
        assert begin(engine, chat("echo"), Told()) is None
        assert await until(lambda: engine._pool.open == 0)
        assert begin(engine, chat("echo"), Told()) is None

    run(OpenAIEngine(spec(upstream.url)), story)
    assert len(upstream.received) == 1


def test_nothing_is_begun_on_a_connection_of_another_loop(upstream: Upstream) -> None:
    engine = OpenAIEngine(spec(upstream.url))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(warm(engine))
    connection = idle(engine)

    async def other(engine: OpenAIEngine) -> None:
        assert begin(engine, chat("echo"), Told()) is None
        assert content(await read(await engine.send(chat("echo", "lain")))) == "lain"

    run(engine, other)
    connection.abandon()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


def test_nothing_is_begun_at_other_kinds_of_engine_or_one_with_a_send_of_its_own(upstream: Upstream) -> None:
    class Failing(OpenAIEngine):
        async def send(self, call: Call) -> Answer:
            raise EngineUnreachable("as it was told to")

    async def story(engine: OpenAIEngine) -> None:
        await warm(engine)
        failing = Failing(spec(upstream.url))
        failing._pool = engine._pool
        failing._heads = engine._heads
        assert begin(failing, chat("echo"), Told()) is None

        def quote(*_: Any) -> Any: ...

        assert begin(ExtractiveEngine(quote, Site("MY")), chat("echo"), Told()) is None

    run(OpenAIEngine(spec(upstream.url)), story)
