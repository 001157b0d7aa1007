"""What /metrics tells: whole over several workers, never backwards, histograms that add up, no tenant."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from docs.specimens import CLOSING, OPENING
from doors_kit import Running, children, kill
from prometheus_client.parser import text_string_to_metric_families
from waiting import until

from selat.core.entry import Usage
from selat.core.finding import CLEAN, Finding, Scan
from selat.core.timing import Timing
from selat.gateway.metrics import BUCKETS_S, FOLD_AT, Metrics, load, load_others, render, save, total

SAY = [{"role": "user", "content": "apa khabar"}]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def text_of(selat: Running) -> str:
    with urllib.request.urlopen(f"{selat.address}/metrics") as reply:
        return str(reply.read().decode())


def scraped(text: str) -> Samples:
    """As Prometheus itself reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counted(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value for (own, held), value in samples.items() if own == name and labels.items() <= dict(held).items()
    )


def saved(selat: Running) -> float:
    """The whole answers that the workers have counted, as they saved it: once a second."""
    left = render(total(load_others(selat.home / "run" / "metrics", Path())))
    return counted(scraped(left.decode()), "selat_answers_total", outcome="complete")


def ask(selat: Running, model: str = "echo", stream: bool = False) -> None:
    client = selat.client()
    reply = client.chat.completions.create(model=model, messages=SAY, stream=stream)  # type: ignore[call-overload]
    if stream:
        for _ in reply:
            pass


@pytest.fixture
def three(fresh: Callable[..., Running]) -> Running:
    return fresh("--workers", "3")


def test_every_workers_counts_are_in_every_scrape_and_a_killed_one_takes_none_with_it(three: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(three), range(40)))
    before = scraped(text_of(three))

    def done(samples: Samples) -> float:
        return counted(samples, "selat_answers_total", outcome="complete")

    until(lambda: done(scraped(text_of(three))) >= 40)
    last: Samples = {}
    for _ in range(30):  # whichever worker answers
        now = scraped(text_of(three))
        for key, value in last.items():
            if key[0].endswith(("_total", "_bucket", "_count")) and not key[0].startswith("process_"):
                assert now.get(key, 0) >= value, key
        last = now
    assert counted(last, "selat_workers") == 3
    assert counted(last, "selat_requests_total", api="chat.completions") >= 40 >= counted(before, "selat_workers")
    until(lambda: saved(three) >= 40)
    kill(children(three.process)["gateway-0"])
    until(lambda: counted(scraped(text_of(three)), "selat_workers") == 3 and len(children(three.process)) == 4)
    assert done(scraped(text_of(three))) >= 40


def test_each_phase_has_a_histogram_that_adds_up(selat: Running) -> None:
    ask(selat)
    ask(selat, "slow:0.05", stream=True)
    phases = ("read", "scan", "decide", "book", "connect", "first_token", "between_tokens", "total")
    until(lambda: all(counted(scraped(text_of(selat)), "selat_phase_seconds_count", phase=one) for one in phases))
    samples = scraped(text_of(selat))
    for phase in phases:
        count = counted(samples, "selat_phase_seconds_count", phase=phase)
        assert count >= 1, phase
        buckets = sorted(
            (float(dict(held)["le"]), value)
            for (name, held), value in samples.items()
            if name == "selat_phase_seconds_bucket" and dict(held)["phase"] == phase
        )
        values = [value for _, value in buckets]
        assert len(buckets) == len(BUCKETS_S) + 1
        assert values == sorted(values)
        assert values[-1] == count
    slow = counted(samples, "selat_phase_seconds_bucket", phase="first_token", le="300")
    fast = counted(samples, "selat_phase_seconds_bucket", phase="first_token", le="0.025")
    assert slow > fast


def test_engines_show_calls_load_and_breakers(selat: Running) -> None:
    ask(selat)
    calls = {"engine": "dekat", "outcome": "complete"}
    until(lambda: counted(scraped(text_of(selat)), "selat_engine_calls_total", **calls) >= 1)
    samples = scraped(text_of(selat))
    assert ("selat_engine_in_flight", (("engine", "dekat"),)) in samples
    assert ("selat_engine_waiting", (("engine", "dekat"),)) in samples
    assert counted(samples, "selat_engine_breaker_state", engine="dekat") == 1


def test_no_tenant_is_told_without_a_key(selat: Running) -> None:
    ask(selat)
    text = text_of(selat)
    assert "tenant" not in text
    left = selat.home / "run" / "metrics" / "gateway-0.json"
    until(lambda: 'selat_tenant_requests_total{tenant="default"}' in load(left))


def test_what_a_killed_worker_left_is_where_the_next_begins(tmp_path: Path) -> None:
    first = Metrics()
    first.add('selat_refused_total{code="x"}', 3)
    save({**first.samples, "selat_ledger_waiting": 7.0}, tmp_path / "w.json")
    again = Metrics(load(tmp_path / "w.json"))
    again.add('selat_refused_total{code="x"}')
    assert again.samples['selat_refused_total{code="x"}'] == 4
    assert "selat_ledger_waiting" not in again.samples
    (tmp_path / "w.json").write_text('{"half')
    assert load(tmp_path / "w.json") == {}


def test_histograms_go_on_where_a_worker_ended(tmp_path: Path) -> None:
    timing = Timing()
    timing.begun, timing.scanned, timing.ended = 10.0, 10.5, 11.0
    first = Metrics()
    first.timed(timing, *_nothing())
    save(first.lasting, tmp_path / "w.json")
    again = Metrics(load(tmp_path / "w.json"))
    again.timed(timing, *_nothing())
    for _ in range(2):  # looking changes nothing
        samples = again.samples
        assert samples['selat_phase_seconds_count{phase="scan"}'] == 2
        assert samples['selat_phase_seconds_sum{phase="total"}'] == 2.0
        assert samples['selat_phase_seconds_bucket{phase="scan",le="0.25"}'] == 0
        assert samples['selat_phase_seconds_bucket{phase="scan",le="0.5"}'] == 2


def test_gauges_are_summed_but_a_lag_is_the_largest() -> None:
    lag, waiting = "selat_ledger_lag_seconds", "selat_ledger_waiting"
    assert total([{lag: 1.0, waiting: 2.0}, {lag: 3.0, waiting: 5.0}]) == {lag: 3.0, waiting: 7.0}


def test_a_gap_and_a_phase_fall_into_the_bucket_that_holds_them() -> None:
    metrics = Metrics()
    timing = Timing()
    timing.begun, timing.scanned, timing.decided, timing.ended = 10.0, 10.5, 10.5, 11.0
    metrics.timed(timing, *_nothing())
    metrics.gaps([0.001, 0.0011])
    metrics.gaps([400.0])
    samples = scraped(render(metrics.samples).decode())

    def within(phase: str, le: str) -> float:
        return counted(samples, "selat_phase_seconds_bucket", phase=phase, le=le)

    assert [within("between_tokens", le) for le in ("0.0005", "0.001", "0.0025", "300", "+Inf")] == [0, 1, 2, 2, 3]
    assert (within("scan", "0.25"), within("scan", "0.5")) == (0, 1)
    assert counted(samples, "selat_phase_seconds_sum", phase="total") == 1.0
    assert counted(samples, "selat_phase_seconds_count", phase="connect") == 0


def test_what_is_remembered_is_added_up_by_tenant_kind_engine_and_outcome() -> None:
    metrics = Metrics()
    for number in range(FOLD_AT + 3):
        tenant = f"t{number % 3}"
        scan = Scan((Finding(0, 1, "MYKAD"), Finding(2, 3, "EMAIL"))) if number % 2 else CLEAN
        opening = OPENING._replace(about=OPENING.about._replace(tenant=tenant, scan=scan))
        outcome = "cancelled" if number == 7 else "complete"
        closing = CLOSING._replace(tenant=tenant, outcome=outcome, usage=Usage(number, 2, "engine"))
        timing = Timing()
        timing.begun, timing.ended, timing.engine, timing.outcome = 1.0, 2.0, "dekat", outcome
        timing.left = ("jauh",) if number == 9 else ()
        metrics.count(opening)
        if number != 5:  # one that is still open
            metrics.count(closing)
            metrics.timed(timing, opening, closing)
    asked, done = FOLD_AT + 3, FOLD_AT + 2
    numbers = [number for number in range(asked) if number != 5]
    samples = metrics.samples
    assert samples["selat_answers_open"] == 1
    assert samples['selat_requests_total{api="chat.completions",effect="redact"}'] == asked
    assert samples['selat_answers_total{outcome="complete"}'] == done - 1
    assert samples['selat_answers_total{outcome="cancelled"}'] == 1
    assert samples['selat_tokens_total{direction="in"}'] == sum(numbers)
    assert samples['selat_tokens_total{direction="out"}'] == 2 * done
    for k in range(3):
        own = [number for number in numbers if number % 3 == k]
        assert samples[f'selat_tenant_tokens_total{{tenant="t{k}"}}'] == sum(own) + 2 * len(own)
    assert samples['selat_findings_total{kind="MYKAD",direction="in"}'] == asked // 2
    assert samples['selat_engine_calls_total{engine="dekat",outcome="complete"}'] == done - 1
    assert samples['selat_engine_calls_total{engine="jauh",outcome="left"}'] == 1
    assert samples['selat_phase_seconds_count{phase="total"}'] == done
    assert metrics.samples == samples, "nothing is added up twice"


def _nothing() -> Any:
    return None, None
