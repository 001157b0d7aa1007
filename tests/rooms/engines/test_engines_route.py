from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from engines_kit import until
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import EngineUnreachable
from selat.engines import Router, watch
from selat.engines.breaker import Breaker, BreakerRule, RetryBudget, State
from selat.engines.route import Candidate, Route, affinity_key, choose
from selat.testing import EchoEngine

THREE = (Candidate("a"), Candidate("b"), Candidate("c"))
KEYS = [affinity_key("default", ["sistem", f"soalan {number}"]) for number in range(3000)]


def picked(candidates: tuple[Candidate, ...], keys: list[bytes]) -> dict[bytes, str]:
    found = {}
    for key in keys:
        route = choose(candidates, {}, key, 0.0)
        assert route is not None
        found[key] = route.engine
    return found


def shares(candidates: tuple[Candidate, ...], turns: int = 3000) -> Counter[str]:
    tally: Counter[str] = Counter()
    for turn in range(turns):
        route = choose(candidates, {}, b"", 0.0, turn)
        assert route is not None
        tally[route.engine] += 1
    return tally


# Choosing.


def test_weights_are_shares_with_and_without_affinity() -> None:
    candidates = (Candidate("a", 1), Candidate("b", 3))
    assert 0.70 < shares(candidates)["b"] / 3000 < 0.80
    assert 0.70 < Counter(picked(candidates, KEYS).values())["b"] / 3000 < 0.80


def test_the_least_loaded_for_its_weight_is_first() -> None:
    route = choose((Candidate("a", 1, 3), Candidate("b", 4, 8), Candidate("c", 1, 9)), {}, b"", 0.0)
    assert route == Route("b", "least-load", ("a", "c"))


def test_one_conversation_keeps_to_one_engine_and_losing_another_does_not_move_it() -> None:
    before = picked(THREE, KEYS)
    assert before == picked(tuple(reversed(THREE)), KEYS)
    after = picked(THREE[:2], KEYS)
    assert all(after[key] == engine for key, engine in before.items() if engine != "c")
    assert {after[key] for key, engine in before.items() if engine == "c"} == {"a", "b"}


def test_an_engine_with_more_than_its_share_gives_the_conversation_away() -> None:
    key = KEYS[0]
    home = choose(THREE, {}, key, 0.0)
    assert home is not None
    assert home.why == "affinity"
    crowded = tuple(Candidate(one.name, 1, 20 if one.name == home.engine else 2) for one in THREE)
    away = choose(crowded, {}, key, 0.0)
    assert away is not None
    assert (away.engine != home.engine, away.why) == (True, "overflow")


def test_a_last_resort_is_used_only_when_nothing_else_is_left() -> None:
    candidates = (Candidate("last", 0), Candidate("first", 1, 500))
    assert choose(candidates, {}, b"", 0.0) == Route("first", "only", ("last",))
    broken = Breaker(BreakerRule(failures=1))
    broken.record(False, 0.0)
    assert choose(candidates, {"first": broken}, b"", 1.0) == Route("last", "last-resort")


def test_no_engine_is_chosen_when_every_breaker_is_open() -> None:
    broken = Breaker(BreakerRule(failures=1))
    broken.record(False, 0.0)
    assert choose(THREE, dict.fromkeys("abc", broken), b"", 1.0) is None
    assert choose((), {}, b"", 0.0) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), min_size=1, max_size=6),
    st.binary(max_size=16),
    st.integers(0, 2**32),
)
def test_a_route_names_each_candidate_once_and_no_other(
    rows: list[tuple[int, int]], key: bytes, turn: int
) -> None:
    candidates = [Candidate(str(number), *row) for number, row in enumerate(rows)]
    route = choose(candidates, {}, key, 0.0, turn)
    assert route is not None
    assert sorted((route.engine, *route.then)) == [one.name for one in candidates]
    weights = {one.name: one.weight for one in candidates}
    in_order = [bool(weights[name]) for name in (route.engine, *route.then)]
    assert in_order == sorted(in_order, reverse=True)


def test_later_turns_of_a_conversation_have_its_key_and_another_tenant_has_not() -> None:
    first = affinity_key("default", ["sistem", "soalan satu"])
    assert affinity_key("default", iter(["sistem", "soalan satu", "jawapan", "soalan dua"])) == first
    assert affinity_key("lain", ["sistem", "soalan satu"]) != first
    assert affinity_key("default", ["sistemsoalan", " satu"]) != affinity_key("default", ["sistem", "soalan satu"])
    assert affinity_key("default", []) != affinity_key("default", [""])


# The breaker.


def tripped(rule: BreakerRule | None = None) -> Breaker:
    breaker = Breaker(rule or BreakerRule())
    for _ in range(breaker.rule.failures):
        breaker.record(False, 1.0)
    return breaker


def test_a_breaker_opens_after_failures_that_are_half_of_all() -> None:
    breaker = Breaker()
    for _ in range(6):
        breaker.record(True, 0.0)
    for _ in range(5):
        breaker.record(False, 0.0)
    assert breaker.state(0.0) is State.CLOSED
    breaker.record(False, 0.0)
    assert breaker.state(0.0) is State.OPEN
    assert not breaker.allows(4.9)


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker()
    for second in range(100):
        breaker.record(False, second * 3.0)
    assert breaker.state(300.0) is State.CLOSED


def test_half_open_lets_one_through_and_its_end_decides() -> None:
    breaker = tripped()
    assert breaker.state(6.5) is State.HALF_OPEN
    breaker.begin(6.5)
    assert not breaker.allows(6.6)
    breaker.record(True, 7.0)
    assert breaker.state(7.0) is State.CLOSED
    assert breaker.allows(7.0)


def test_a_failed_trial_doubles_the_pause_up_to_its_limit() -> None:
    breaker, now, pauses = tripped(), 1.0, []
    for _ in range(6):
        pauses.append(breaker.wait_s(now))
        now += breaker.wait_s(now)
        breaker.begin(now)
        breaker.record(False, now)
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_trial_whose_caller_left_decides_nothing_and_the_next_may_try() -> None:
    breaker = tripped()
    breaker.begin(6.5)
    breaker.record(None, 6.6)
    assert breaker.state(6.7) is State.HALF_OPEN
    assert breaker.allows(6.7)


def test_calls_that_began_before_it_opened_do_not_close_it() -> None:
    breaker = tripped()
    breaker.record(True, 2.0)
    assert breaker.state(2.0) is State.OPEN
    breaker.record(True, 6.5)
    assert breaker.state(6.5) is State.HALF_OPEN


def test_callers_who_leave_never_open_it() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.record(None, 0.0)
    assert breaker.state(0.0) is State.CLOSED


@given(st.lists(st.tuples(st.sampled_from(["begin", "ok", "bad", "left"]), st.floats(0, 20))))
def test_a_breaker_always_comes_to_allow_a_call_again(steps: list[tuple[str, float]]) -> None:
    breaker, now, under_way = Breaker(), 0.0, 0
    for step, passed in steps:
        now += passed
        if step == "begin":
            if breaker.allows(now):
                breaker.begin(now)
                under_way += 1
        elif under_way:
            under_way -= 1
            breaker.record({"ok": True, "bad": False, "left": None}[step], now)
    for _ in range(under_way):
        breaker.record(None, now)
    assert breaker.allows(now + breaker.wait_s(now))


def test_second_tries_are_a_tenth_of_first_ones() -> None:
    budget = RetryBudget(saved=0.0)
    retries = 0
    for _ in range(1000):
        budget.earn()
        retries += budget.spend()
    assert 95 <= retries <= 100


# The router.


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_router_earns_second_tries_by_first_ones_alone() -> None:
    router = Router(lambda engine: 1, Clock(), budget=RetryBudget(saved=0.0))
    for _ in range(11):
        router.begin("a")
    for _ in range(100):
        router.begin("b", first=False)
    assert [router.may_retry(), router.may_retry()] == [True, False]
    for _ in range(200):
        router.begin("a")
    assert sum(router.may_retry() for _ in range(20)) == 10


def test_a_router_leaves_a_failing_engine_alone_and_comes_back_to_it() -> None:
    clock = Clock()
    router = Router(lambda engine: 1, clock)
    good, bad = EchoEngine("good"), EchoEngine("bad")
    for _ in range(5):
        router.begin("bad")
        router.end("bad", False)
    for _ in range(20):
        route, order = router.order([good, bad])
        assert route == Route("good", "only")
        assert order == [good]
    assert router.states()["bad"].state is State.OPEN
    assert router.wait_s([bad]) == 5.0
    assert router.order([bad]) == (None, [])
    clock.now = 5.0
    assert {router.order([good, bad])[1][0].name for _ in range(20)} == {"good", "bad"}
    router.begin("bad")
    router.end("bad", True)
    assert router.states()["bad"].state is State.CLOSED


@pytest.mark.parametrize("key", [b"", b"k"])
def test_a_router_orders_what_it_was_given(key: bytes) -> None:
    router = Router(lambda engine: 1, Clock())
    engines = [EchoEngine("a", in_flight=4), EchoEngine("b"), EchoEngine("c", in_flight=1)]
    route, order = router.order(engines, key)
    assert route is not None
    assert [one.name for one in order] == [route.engine, *route.then]
    assert key or [one.name for one in order] == ["b", "c", "a"]


def test_an_engine_found_well_again_is_tried_at_once_and_a_call_decides() -> None:
    clock = Clock()
    router = Router(lambda engine: 1, clock)
    engine = EchoEngine("laut")
    for _ in range(5):
        router.begin("laut")
        router.end("laut", False)
    assert router.failing() == {"laut"}

    async def story() -> None:
        watching = asyncio.create_task(watch(lambda: [engine], router, 0.005))
        engine.fails = EngineUnreachable("down")
        await asyncio.sleep(0.03)
        assert router.order([engine]) == (None, [])
        engine.fails = None
        assert await until(lambda: router.order([engine])[1] == [engine])
        watching.cancel()

    asyncio.run(story())
    assert router.states()["laut"].state is State.HALF_OPEN
    router.begin("laut")
    router.end("laut", True)
    assert router.states()["laut"].state is State.CLOSED
    assert router.failing() == frozenset()
