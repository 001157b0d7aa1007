"""A quota holds on the only road: reserved before the prompt goes, settled for whatever reason it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from chat_kit import CALLER, Office, chunks

from selat.core.errors import EngineUnreachable, Forbidden, HomeBroken, LedgerUnavailable, TooMany
from selat.database import Database
from selat.flows.chat import Streamed, chat
from selat.flows.meter import Price, metering, read_prices
from selat.guard import Guard
from selat.policy.quota import Limit, Quota
from selat.testing import EchoEngine

PRICES = {"echo": Price(2.0, 8.0)}


@pytest.fixture
def quota(tmp_path: Path) -> Quota:
    return Quota(Database(tmp_path / "quota.db"))


def metered(tmp_path: Path, guard: Guard, quota: Quota, engine: EchoEngine) -> Office:
    office = Office(tmp_path, guard, engine)
    office.desk = replace(office.desk, reserve=metering(quota, PRICES))
    return office


def used(quota: Quota) -> dict[str, int]:
    return {one.limit.unit: one.used for one in quota.usage("default")}


def limits(quota: Quota, **amounts: int) -> None:
    for unit, amount in amounts.items():
        quota.set(Limit("default", "tenant", "month", unit, amount))


def test_over_its_quota_a_request_reaches_no_engine_and_the_book_says_why(
    tmp_path: Path, guard: Guard, quota: Quota
) -> None:
    engine = EchoEngine()
    office = metered(tmp_path, guard, quota, engine)
    limits(quota, requests=1)
    asyncio.run(office.answer(office.ask("satu")))
    with pytest.raises(TooMany, match="1 requests per month"):
        asyncio.run(office.answer(office.ask("dua")))
    assert len(engine.calls) == 1
    assert [leaf["kind"] for leaf in office.leaves()] == ["opened", "closed", "refused"]
    refused = office.leaves()[-1]
    assert refused["decision"] == {"effect": "deny", "rules": ["quota:tenant/month/requests"]}
    assert "dua" not in str(refused)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_settled_by_what_it_used(tmp_path: Path, guard: Guard, quota: Quota, stream: bool) -> None:
    office = metered(tmp_path, guard, quota, EchoEngine())
    limits(quota, requests=10, tokens=100_000, microringgit=100_000_000)
    options = {"stream_options": {"include_usage": True}} if stream else {}
    asyncio.run(office.answer(office.ask("apa khabar", stream=stream, max_tokens=5000, **options)))
    closed = office.leaves()[-1]["usage"]
    assert used(quota) == {
        "requests": 1,
        "tokens": closed["prompt"] + closed["completion"],
        "microringgit": closed["prompt"] * 2 + closed["completion"] * 8,
    }


def test_what_an_answer_may_cost_is_set_aside_first(tmp_path: Path, guard: Guard, quota: Quota) -> None:
    office = metered(tmp_path, guard, quota, EchoEngine())
    limits(quota, tokens=3000)
    with pytest.raises(TooMany, match="3,000 tokens per month"):
        asyncio.run(office.answer(office.ask("apa khabar", max_tokens=5000)))
    with pytest.raises(TooMany):
        asyncio.run(office.answer(office.ask("apa khabar", max_tokens=1000, n=4)))
    asyncio.run(office.answer(office.ask("apa khabar", max_tokens=1000)))


def test_a_hang_up_is_settled(tmp_path: Path, guard: Guard, quota: Quota) -> None:
    office = metered(tmp_path, guard, quota, EchoEngine())
    limits(quota, tokens=100_000)

    async def leave() -> None:
        reply = await chat(office.desk, office.ask("satu dua tiga empat", stream=True, max_tokens=50_000))
        assert isinstance(reply, Streamed)
        await anext(chunks(reply))
        reply.close()

    asyncio.run(leave())
    assert 10 <= used(quota)["tokens"] < 1000, "the prompt was read, though no count came"
    assert office.leaves()[-1]["outcome"] == "cancelled"


def test_a_failed_engine_and_a_full_disk_give_back_what_was_set_aside(
    tmp_path: Path, guard: Guard, quota: Quota
) -> None:
    office = metered(tmp_path, guard, quota, EchoEngine(fails=EngineUnreachable("gone")))
    limits(quota, tokens=100_000, requests=10)
    with pytest.raises(EngineUnreachable):
        asyncio.run(office.answer(office.ask("satu", max_tokens=50_000)))
    assert used(quota) == {"tokens": 0, "requests": 0}
    office.journal.close()
    with pytest.raises(LedgerUnavailable):
        asyncio.run(office.answer(office.ask("satu", max_tokens=50_000)))
    assert used(quota) == {"tokens": 0, "requests": 0}


def test_a_denied_request_spends_nothing_and_a_purpose_may_need_a_passport(
    tmp_path: Path, guard: Guard, quota: Quota
) -> None:
    office = metered(tmp_path, guard, quota, EchoEngine())
    limits(quota, requests=10)
    ask = office.ask("satu")
    strict = ask._replace(caller=replace(CALLER, passport_purposes=frozenset({"chat"})))
    with pytest.raises(Forbidden) as caught:
        asyncio.run(office.answer(strict))
    assert caught.value.rules == ("passport-where-needed",)
    assert used(quota) == {"requests": 0}


def test_prices_are_read_or_refused_by_engine(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    assert read_prices(path) == {}
    path.write_text("[garuda]\nprompt_rm_per_million = 1.5\ncompletion_rm_per_million = 6\n")
    price = read_prices(path)["garuda"]
    assert price.cost(1000, 10) == 1560
    assert price.cost(1, 0) == 2
    for text in ("[garuda]\nprice = 1\n", "[garuda]\nprompt_rm_per_million = -1\n", "garuda = 3\n", "[x"):
        path.write_text(text)
        with pytest.raises(HomeBroken, match=r"prices\.toml"):
            read_prices(path)
