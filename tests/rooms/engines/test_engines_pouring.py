"""An answer that is poured: every byte in order, never more held than agreed, and an end that is told."""

from __future__ import annotations

import asyncio

import pytest
from engines_kit import chat, read, run, spec

from selat.core.errors import EngineUnreachable
from selat.engines import OpenAIEngine, pour
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
        await asyncio.sleep(0.3)
        assert len(held) == 1, "nothing more is given before the first is done"
        assert answer.size <= 2.5 * HIGH_WATER_BYTES  # type: ignore[attr-defined]
        held[0].set_result(None)
        await asyncio.sleep(0.05)
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
        await asyncio.sleep(0.05)
        assert engine.in_flight == 0, "the connection was broken, so that the engine stops"

    run(OpenAIEngine(spec(upstream.url)), story)


def test_an_engine_that_breaks_off_is_told_after_all_that_came(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        got: list[bytes] = []
        with pytest.raises(EngineUnreachable):
            await pour(await engine.send(chat("dies:2", stream=True)), got.append)
        assert got

    run(OpenAIEngine(spec(upstream.url)), story)
