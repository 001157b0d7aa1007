"""An answer that is poured: every byte in order, never more held than agreed, and an end that is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engines_kit import OK, chat, read, run, scripted, spec, until

from selat.core.errors import EngineUnreachable
from selat.engines import OpenAIEngine, at_hand, begin, flow, flows, pour
from selat.engines.limits import HIGH_WATER_BYTES
from selat.testing import Upstream

pytestmark = pytest.mark.usefixtures("each_loop")


def test_what_is_poured_is_what_is_read(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        got: list[bytes] = []
        await pour(await engine.send(chat("echo", "satu dua tiga", stream=True)), got.append)
        assert b"".join(got) == await read(await engine.send(chat("echo", "satu dua tiga", stream=True)))
        assert engine.in_flight == 0

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_sink_that_asks_to_wait_holds_the_engine_up(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("endless", stream=True))
        held: list[asyncio.Future[None]] = []

        def sink(piece: bytes) -> asyncio.Future[None]:
            held.append(asyncio.get_running_loop().create_future())
            return held[-1]

        pouring = asyncio.create_task(pour(answer, sink))
        assert await until(lambda: len(held) > 0)
        await asyncio.sleep(0.3)
        assert len(held) == 1, "nothing more is given before the first is done"
        assert answer.size <= 2.5 * HIGH_WATER_BYTES  # type: ignore[attr-defined]
        held[0].set_result(None)
        assert await until(lambda: len(held) > 1)
        assert len(held) == 2
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)


def test_what_a_sink_raises_ends_the_exchange_and_is_told(upstream: Upstream) -> None:
    def sink(piece: bytes) -> None:
        raise ValueError("no more")

    async def story(engine: OpenAIEngine) -> None:
        with pytest.raises(ValueError, match="no more"):
            await pour(await engine.send(chat("endless", stream=True)), sink)
        assert await until(lambda: engine.in_flight == 0), "the connection was broken, so that the engine stops"

    run(OpenAIEngine(spec(upstream.url)), story)


def test_an_engine_that_breaks_off_is_told_after_all_that_came(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        got: list[bytes] = []
        with pytest.raises(EngineUnreachable):
            await pour(await engine.send(chat("dies:2", stream=True)), got.append)
        assert got

    run(OpenAIEngine(spec(upstream.url)), story)


# By plain calls.


def test_what_flows_is_what_is_read_and_its_end_is_told_once(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for stream in (True, False):
            call = chat("echo", "satu dua tiga", stream=stream)
            whole = await read(await engine.send(call))
            got: list[bytes] = []
            over: list[Exception | None] = []
            answer: Any = await engine.send(call)
            answer.flow(got.append, over.append)
            assert await until(lambda over=over: bool(over))  # type: ignore[misc]
            assert (b"".join(got), over) == (whole, [None])
            assert at_hand(answer) is None
        assert len(engine._pool._idle) == 1

    run(OpenAIEngine(spec(upstream.url)), story)


def test_what_breaks_off_flows_as_far_as_it_came_and_its_error_is_told(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        got: list[bytes] = []
        over: list[Exception | None] = []
        answer: Any = await engine.send(chat("dies:2", "satu dua tiga empat", stream=True))
        answer.flow(got.append, over.append)
        assert await until(lambda: bool(over))
        assert got
        assert isinstance(over[0], EngineUnreachable)
        assert len(over) == 1

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_sink_that_fails_or_drops_the_answer_ends_what_flows(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for drops in (True, False):
            over: list[Exception | None] = []
            answer: Any = await engine.send(chat("endless:0.002", stream=True))

            def sink(piece: bytes, answer: Any = answer, drops: bool = drops) -> asyncio.Future[None]:
                if not drops:
                    raise ValueError("no more")
                answer.drop()
                return asyncio.get_running_loop().create_future()

            answer.flow(sink, over.append)
            assert await until(lambda over=over: bool(over))  # type: ignore[misc]
            await asyncio.sleep(0.02)
            assert [type(one) for one in over] == [type(None) if drops else ValueError]
        assert await until(lambda: engine._pool.open == 0)

    run(OpenAIEngine(spec(upstream.url)), story)


def test_what_is_told_to_stop_flows_no_more_and_tells_nobody(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        got: list[bytes] = []
        over: list[Exception | None] = []
        answer = await engine.send(chat("endless:0.002", stream=True))
        assert flows(answer)
        stop = flow(answer, got.append, over.append)
        assert await until(lambda: len(got) > 1)
        stop()
        passed = len(got)
        await answer.close()
        assert await until(lambda: engine._pool.open == 0)
        assert (len(got), over) == (passed, [])

    run(OpenAIEngine(spec(upstream.url)), story)


def test_what_comes_and_ends_while_the_sink_waits_flows_when_it_goes_on() -> None:
    events = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 6\r\n\r\n"

    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        (connection,) = engine._pool._idle
        told: list[Any] = []
        assert begin(engine, chat("echo", stream=True), told.append) is not None
        connection.data_received(events + b"ab")
        got: list[bytes] = []
        over: list[Exception | None] = []
        held: list[asyncio.Future[None]] = []

        def sink(piece: bytes) -> asyncio.Future[None]:
            got.append(piece)
            held.append(asyncio.get_running_loop().create_future())
            return held[-1]

        told[0].flow(sink, over.append)
        connection.data_received(b"cd")
        connection.data_received(b"ef")
        assert (got, over, len(engine._pool._idle)) == ([b"ab"], [], 1)
        for _ in range(2):
            held[-1].set_result(None)
            await asyncio.sleep(0)
        assert (got, over) == ([b"ab", b"cdef"], [None])

    with scripted([OK, b""]) as server:
        run(OpenAIEngine(spec(server.url)), story)
