"""Hedging, where a setting asks for it: a slow engine's ask goes to a second one too, booked before it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import Office, hung_up

from selat.core.caller import Site
from selat.core.errors import EngineError
from selat.engines import Capacity, EngineSpec, OpenAIEngine, Timeouts
from selat.flows.chat import Streamed, Whole, chat, one_by_one
from selat.guard import Guard
from selat.testing import Upstream
from selat.testing.behaviours import BEHAVIOURS, Exchange

MYKAD = "900101-14-5678"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


Made = Callable[..., tuple[Office, list[OpenAIEngine]]]


@pytest.fixture
def made(guard: Guard, upstream: Upstream, tmp_path: Path) -> Iterator[Made]:
    """An office whose engines all serve `echo`, each by the upstream's model given; the first is asked first."""
    offices: list[Office] = []

    def make(
        *models: str, after_s: float = 0.1, site: str = "MY", first_s: float = 30.0
    ) -> tuple[Office, list[OpenAIEngine]]:
        engines = [
            OpenAIEngine(
                EngineSpec(
                    f"enjin-{number}",
                    "openai",
                    Site("MY" if number == 0 else site),
                    (("echo", model),),
                    upstream.url,
                    timeouts=Timeouts(first_byte_s=first_s, between_s=30.0),
                    capacity=Capacity(max_connections=8),
                )
            )
            for number, model in enumerate(models)
        ]
        office = Office(tmp_path, guard, *engines)  # type: ignore[arg-type]
        office.desk = replace(office.desk, hedge_after_s=after_s)
        office.desk.router.weight = lambda engine: 10**6 if engine.name == "enjin-0" else 0
        offices.append(office)
        return office, engines

    yield make
    for office in offices:
        office.journal.close()


async def story(office: Office, engines: list[OpenAIEngine], *, stream: bool = False, text: str = "hai") -> bytes:
    try:
        _, body = await office.answer(office.ask(text, stream=stream))
        return body
    finally:
        await asyncio.sleep(0.05)
        for engine in engines:
            await engine.close()


def kinds(office: Office) -> list[str]:
    return [leaf["kind"] for leaf in office.leaves()]


@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_engine_is_overtaken_and_hung_up_on(made: Made, upstream: Upstream, stream: bool) -> None:
    office, engines = made("hangs", "echo:3")
    body = asyncio.run(story(office, engines, stream=stream))
    assert b"hai" in body
    assert upstream.settles(lambda: upstream.hangups == 1)
    assert [engine.in_flight for engine in engines] == [0, 0]
    leaves = office.leaves()
    assert [leaf["kind"] for leaf in leaves] == ["opened", "rerouted", "closed"]
    assert [leaf.get("engine") for leaf in leaves[:2]] == ["enjin-0", "enjin-1"]
    assert leaves[2]["outcome"] == "complete"


def test_one_that_begins_in_time_is_asked_alone(made: Made, upstream: Upstream) -> None:
    office, engines = made("echo", "echo", after_s=30.0)
    asyncio.run(story(office, engines))
    assert len(upstream.received) == 1
    assert kinds(office) == ["opened", "closed"]


def test_off_a_slow_engine_is_waited_for(made: Made, upstream: Upstream) -> None:
    office, engines = made("slow:0.3", "echo", after_s=0.0)
    asyncio.run(story(office, engines))
    assert [received.ask["model"] for received in upstream.received] == ["slow:0.3"]


def test_the_first_may_still_win(made: Made, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(x: Exchange) -> None:
        """Replies once the second was asked."""
        while len(upstream.received) < 2:
            await asyncio.sleep(0.01)
        await x.json(x.whole())

    monkeypatch.setitem(BEHAVIOURS, "late", late)
    office, engines = made("late", "hangs")
    body = asyncio.run(story(office, engines))
    assert json.loads(body)["choices"]
    assert upstream.settles(lambda: upstream.hangups == 1)
    assert kinds(office) == ["opened", "rerouted", "closed"]


@pytest.mark.parametrize(("first", "second"), [("slow:0.4", "error:503"), ("slow:0.4", "refuses")])
def test_a_second_that_fails_leaves_it_to_the_first(made: Made, first: str, second: str) -> None:
    office, engines = made(first, second)
    assert b"hai" in asyncio.run(story(office, engines))
    assert engines[0].in_flight == engines[1].in_flight == 0


def test_one_that_fails_before_the_hedge_gives_way_as_ever(made: Made) -> None:
    office, engines = made("refuses", "echo", after_s=30.0)
    assert b"hai" in asyncio.run(story(office, engines))
    assert kinds(office) == ["opened", "rerouted", "closed"]


def test_when_both_fail_the_firsts_error_is_told_and_the_end_booked(made: Made) -> None:
    office, engines = made("hangs", "error:503", first_s=1.0)
    with pytest.raises(EngineError, match="enjin-"):
        asyncio.run(story(office, engines))
    assert kinds(office)[-1] == "closed"


def test_abroad_the_second_gets_it_masked_and_the_answer_is_restored(made: Made, upstream: Upstream) -> None:
    office, engines = made("hangs", "echo", site="SG")
    body = asyncio.run(story(office, engines, text=f"MyKad saya {MYKAD}"))
    assert MYKAD in json.loads(body)["choices"][0]["message"]["content"]
    sent = {received.ask["model"]: received.body.decode() for received in upstream.received}
    assert MYKAD in sent["hangs"]
    assert MYKAD not in sent["echo"]


def test_a_caller_who_leaves_while_both_are_asked_leaves_none_at_work(made: Made, upstream: Upstream) -> None:
    office, engines = made("hangs", "hangs")

    async def leaving() -> None:
        asking = asyncio.ensure_future(chat(office.desk, office.ask("hai")))
        while len(upstream.received) < 2:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while any(engine.in_flight for engine in engines):
            await asyncio.sleep(0.01)
        for engine in engines:
            await engine.close()

    asyncio.run(leaving())
    assert upstream.settles(lambda: upstream.hangups == 2)
    assert office.leaves()[-1]["outcome"] == "cancelled"


def test_a_stream_that_won_may_be_left_like_any_other(made: Made, upstream: Upstream) -> None:
    office, engines = made("hangs", "endless:0.02")

    async def leaving() -> None:
        reply: Any = await chat(office.desk, office.ask("hai", stream=True))
        assert isinstance(reply, Streamed)
        assert not isinstance(reply, Whole)
        async with hung_up(one_by_one(reply)) as first:
            assert first
        reply.close()
        await asyncio.sleep(0.1)
        for engine in engines:
            await engine.close()

    asyncio.run(leaving())
    assert upstream.settles(lambda: upstream.hangups == 2)
    assert office.leaves()[-1]["outcome"] == "cancelled"
