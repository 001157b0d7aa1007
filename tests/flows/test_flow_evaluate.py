"""A model sits an exam by the chat flow: every sample decided and booked once, none asked twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_kit import CALLER, Office

from selat.core.caller import Caller, Site
from selat.core.errors import EngineError, Misused, NotFound
from selat.engines import EngineSpec, OpenAIEngine
from selat.evals import FIRST_CHARACTER, FIRST_TOKEN, FULL_ANSWER, Pack, Reply, Scored, find_pack, samples
from selat.evals.read import read_means, read_reply
from selat.evals.run import COMPLETE, PARTIAL, Budget, Run, Subject
from selat.evals.store import Store
from selat.evals.summary import summarise
from selat.flows.evaluate import (
    Plan,
    Progress,
    Terms,
    choose_engine,
    evaluate,
    opened,
    planned,
    putting,
    resumed,
    subject_of,
)
from selat.guard import Guard
from selat.testing import Upstream
from selat.testing.exam import is_right, register

EXAMINER = Caller("default", "key_1", CALLER.roles, CALLER.clearance, frozenset({"chat", "eval"}))


@pytest.fixture(scope="module")
def pack() -> Pack:
    found = find_pack("tatabahasa")
    register([found])
    return found


class Hall:
    """An upstream that knows the answers, an office in front of it, and a store."""

    def __init__(self, folder: Path, guard: Guard, upstream: Upstream) -> None:
        self.upstream = upstream
        names = ("exam:0.7", "exam:0.7,b", "exam:1", "error:500", "exam:1,a,0.01")
        spec = EngineSpec("dekat", "openai", Site("MY"), tuple((n, n) for n in names), upstream.url)
        self.spec = spec
        self.engine = OpenAIEngine(spec)
        self.office = Office(folder / "ledger", guard, self.engine)  # type: ignore[arg-type]
        self.store = Store(folder / "evals" / "evals.db")

    async def close(self) -> None:
        """Close the engine with its event loop, and take a fresh one for the next run."""
        await self.engine.close()
        self.engine = OpenAIEngine(self.spec)
        self.office.desk.shelf.engines = [self.engine]  # type: ignore[attr-defined]

    def plan(self, model: str, *packs: Pack, run_id: str = "R1", terms: Terms | None = None) -> Plan:
        subject = subject_of(self.engine, model)
        return planned(run_id, lambda: "2026-11-22T00:00:00Z", subject, packs, terms or Terms())

    async def sit(self, plan: Plan, caller: Caller = EXAMINER) -> tuple[Run, list[Scored]]:
        return await evaluate(plan, opened(putting(self.office.desk, caller, plan.run.subject)), self.store)


@pytest.fixture
def hall(tmp_path: Path, guard: Guard) -> Iterator[Hall]:
    with Upstream() as upstream:
        made = Hall(tmp_path, guard, upstream)
        yield made
        made.store.close()
        made.office.journal.close()


def run(hall: Hall, plan: Plan, caller: Caller = EXAMINER) -> tuple[Run, list[Scored]]:
    async def once() -> tuple[Run, list[Scored]]:
        try:
            return await hall.sit(plan, caller)
        finally:
            await hall.close()

    return asyncio.run(once())


def test_score_is_the_known_accuracy_to_the_item(hall: Hall, pack: Pack) -> None:
    ended, scored = run(hall, hall.plan("exam:0.7", pack))
    assert (ended.state, ended.total, ended.asked, ended.cached) == (COMPLETE, len(pack.items), len(pack.items), 0)
    known = {item.id: is_right(item, 0.7) for item in pack.items}
    assert {one.item: bool(one.score.value) for one in scored} == known
    found = summarise(pack, scored, ended.total).score
    assert found.mean == pytest.approx(sum(known.values()) / len(known))
    assert found.low < 0.7 < found.high


@pytest.mark.parametrize("name", ["alat", "data-peribadi", "berasas", "keselamatan-3r", "suntikan", "berimbang"])
def test_other_kinds_are_scored_to_the_item_too(hall: Hall, name: str) -> None:
    found = find_pack(name)
    register([found])
    _, scored = run(hall, hall.plan("exam:0.7", found))
    assert {one.item: bool(one.score.value) for one in scored} == {i.id: is_right(i, 0.7) for i in found.items}


def test_every_sample_is_decided_and_booked_as_purpose_eval(hall: Hall, pack: Pack) -> None:
    _, scored = run(hall, hall.plan("exam:1", pack))
    leaves = hall.office.leaves()
    opened = [leaf for leaf in leaves if leaf["kind"] == "opened"]
    assert len(opened) == len(scored) == sum(leaf["kind"] == "closed" for leaf in leaves)
    assert {leaf["purpose"] for leaf in opened} == {"eval"}
    kept = hall.store.replies(hall.plan("exam:1").run.subject.digest, [one.sample for one in scored])
    assert {reply.receipt for reply in kept.values()} == {leaf["id"] for leaf in opened}


def test_answered_samples_are_not_asked_again(hall: Hall, pack: Pack) -> None:
    run(hall, hall.plan("exam:0.7", pack))
    asked = len(hall.upstream.received)
    ended, again = run(hall, hall.plan("exam:0.7", pack, run_id="R2"))
    assert len(hall.upstream.received) == asked
    assert (ended.asked, ended.cached) == (0, len(pack.items))
    assert again == hall.store.scored("R1")


def test_another_model_engine_weight_or_form_is_asked_anew(hall: Hall, pack: Pack) -> None:
    first, _ = run(hall, hall.plan("exam:0.7", pack))
    other, _ = run(hall, hall.plan("exam:0.7,b", pack, run_id="R2"))
    form, _ = run(hall, hall.plan("exam:0.7", pack, run_id="R3", terms=Terms(("kurungan",))))
    plan = hall.plan("exam:0.7", pack, run_id="R4")
    heavier = replace(plan, run=replace(plan.run, subject=replace(plan.run.subject, weights="ab" * 32)))
    weights, _ = run(hall, heavier)
    assert [(one.cached, one.state) for one in (first, other, form, weights)] == [(0, COMPLETE)] * 4


def test_denied_samples_never_reach_the_engine_and_are_not_scored_as_wrong(hall: Hall, pack: Pack) -> None:
    stranger = Caller("default", "key_1", frozenset({"builder"}), CALLER.clearance, frozenset({"chat"}))
    ended, scored = run(hall, hall.plan("exam:1", pack), stranger)
    assert hall.upstream.received == []
    assert {one.score.status for one in scored} == {"denied"}
    summary = summarise(pack, scored, ended.total)
    assert summary.score.n == 0
    assert dict(summary.counts)["denied"] == len(pack.items)


def test_what_leaves_the_country_is_masked_and_counted(hall: Hall) -> None:
    found = find_pack("data-peribadi")
    register([found])
    hall.spec = EngineSpec("dekat", "openai", Site("SG"), hall.spec.models, hall.upstream.url)
    asyncio.run(hall.close())
    ended, scored = run(hall, hall.plan("exam:1", found))
    counts = dict(summarise(found, scored, ended.total).counts)
    assert counts["masked"] + counts["denied"] == len(found.items)
    sent = b"".join(one.body for one in hall.upstream.received)
    assert b"880412-10-5544" not in sent


def test_a_refusal_in_a_field_of_its_own_is_read() -> None:
    body = (
        b'{"choices":[{"message":{"content":null,"refusal":"I cannot help with that."},"finish_reason":"stop"}]}'
    )
    assert read_reply(body, "dekat").text == "I cannot help with that."
    for bad in (b"", b"[]", b'{"choices":[]}', b'{"choices":[{"message":{"content":1}}]}'):
        with pytest.raises(EngineError, match="no chat completion"):
            read_reply(bad, "dekat")


def test_a_failing_engine_leaves_samples_missing_never_wrong(
    hall: Hall, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selat.flows.evaluate._WAIT_S", 0.0)
    ended, scored = run(hall, hall.plan("error:500", pack))
    assert (ended.state, scored) == (PARTIAL, [])
    assert 20 <= ended.failed < len(pack.items)
    assert summarise(pack, scored, ended.total).missing == len(pack.items)


@pytest.mark.parametrize(
    ("budget", "limit"), [(Budget(4, samples=10), 10), (Budget(1, tokens=200), 30), (Budget(1, seconds=0.5), 60)]
)
def test_a_budget_stops_a_run_which_then_goes_on(hall: Hall, pack: Pack, budget: Budget, limit: int) -> None:
    plan = hall.plan("exam:1,a,0.01", pack, terms=Terms(budget=budget))
    ended, scored = run(hall, plan)
    assert ended.state == PARTIAL
    assert 0 < len(scored) <= limit
    before = len(hall.upstream.received)
    rest, all_of_it = run(hall, resumed(hall.store.run("R1"), hall.store, lambda: "2026", Budget()))
    assert rest.state == COMPLETE
    assert len(all_of_it) == len(pack.items)
    assert len(hall.upstream.received) - before == len(pack.items) - len(scored)


def test_first_token_scoring_reads_log_probabilities(hall: Hall, pack: Pack) -> None:
    ended, scored = run(hall, hall.plan("exam:0.7", pack, terms=Terms(scoring=FIRST_TOKEN)))
    assert ended.scoring == FIRST_TOKEN
    assert {one.item: bool(one.score.value) for one in scored} == {
        item.id: is_right(item, 0.7) for item in pack.items
    }
    assert all(b'"top_logprobs"' in one.body for one in hall.upstream.received)


def test_full_answer_scoring_reads_how_likely_each_option_is(hall: Hall, pack: Pack) -> None:
    ended, scored = run(hall, hall.plan("exam:0.7", pack, terms=Terms(scoring=FULL_ANSWER)))
    assert (ended.state, ended.scoring) == (COMPLETE, FULL_ANSWER)
    assert {one.item: bool(one.score.value) for one in scored} == {i.id: is_right(i, 0.7) for i in pack.items}
    assert {one.path for one in hall.upstream.received} == {"/v1/completions"}
    sent = json.loads(hall.upstream.received[0].body)
    assert [text[-len(choice) :] for text, choice in zip(sent["prompt"], pack.items[0].choices, strict=True)] == [
        *pack.items[0].choices
    ]
    assert {leaf["kind"] for leaf in hall.office.leaves()} == {"opened", "closed"}, "these are booked too"


def test_an_engine_that_does_not_tell_how_likely_prompts_are_is_named(hall: Hall, pack: Pack) -> None:
    hall.spec = replace(hall.spec, models=(("echo", "echo"),))
    asyncio.run(hall.close())
    with pytest.raises(Misused, match=r"does not give log-probabilities of prompts.*--scoring first-token"):
        run(hall, hall.plan("echo", pack, terms=Terms(scoring=FULL_ANSWER)))


def test_means_leave_out_the_first_token_and_the_models_own() -> None:
    told = '{"choices":[{"index":%d,"logprobs":{"token_logprobs":[null,-1.0,-3.0,-0.1]}}]}'
    assert read_means((told % 0).encode(), "dekat").means == (-2.0,)
    with pytest.raises(EngineError, match="no completion"):
        read_means(b"[]", "dekat")


def test_a_run_scored_by_first_characters_takes_the_replies_that_are_kept(hall: Hall, pack: Pack) -> None:
    run(hall, hall.plan("exam:1", pack))
    asked = len(hall.upstream.received)
    ended, scored = run(hall, hall.plan("exam:1", pack, run_id="R2", terms=Terms(scoring=FIRST_CHARACTER)))
    assert (len(hall.upstream.received), ended.cached) == (asked, len(pack.items))
    assert {one.score.status for one in scored} == {"invalid"}, "'Jawapan: B' does not begin with its letter"


def test_progress_is_told_sample_by_sample(hall: Hall, pack: Pack) -> None:
    told: list[Progress] = []
    run(hall, replace(hall.plan("exam:1", pack), tell=told.append))
    assert [one.done for one in told] == list(range(len(pack.items) + 1))
    assert told[-1].total == len(pack.items)
    assert told[0].left_s is None
    assert told[-1].left_s == 0.0
    half = Progress(done=30, total=50, cached=10, failed=0, seconds=4.0)
    assert (half.per_s, half.left_s) == (5.0, 4.0)


def test_a_run_is_shown_with_the_pack_as_it_was(hall: Hall, pack: Pack) -> None:
    run(hall, hall.plan("exam:1", pack))
    assert hall.store.pack(pack.digest) == pack
    assert hall.store.run("last").id == hall.store.run("r1").id == "R1"
    with pytest.raises(NotFound):
        hall.store.run("X")


def test_packs_and_engines_are_named_once_and_exist(hall: Hall, pack: Pack) -> None:
    with pytest.raises(Misused, match="named twice"):
        hall.plan("exam:1", pack, pack)
    with pytest.raises(NotFound, match="no such model"):
        choose_engine(hall.office.desk.shelf, "tiada")
    with pytest.raises(NotFound, match="known: dekat"):
        choose_engine(hall.office.desk.shelf, "exam:1", "jauh")


def test_thousands_of_kept_samples_are_scored_and_nobody_is_asked(hall: Hall, pack: Pack) -> None:
    """How many a second is measured in bench/evals.py."""
    items = tuple(
        replace(item, id=f"{item.id}-{n}", question=f"{n} {item.question}")
        for n in range(40)
        for item in pack.items
    )
    big = replace(pack, items=items, digest="f" * 64)
    plan = hall.plan("exam:1", big)
    put = samples(big)
    hall.store.keep(plan.run.subject.digest, {one.digest: Reply("Jawapan: A") for one in put})
    ended, scored = run(hall, plan)
    assert ended.cached == len(scored) == len(items)


def test_subject_changes_with_everything_that_could_change_an_answer() -> None:
    one = Subject("m", "e", "openai", "http://a/v1", "up", "w", "t")
    changed = [replace(one, **{field: "x"}) for field in Subject.__dataclass_fields__]
    assert len({one.digest, *(other.digest for other in changed)}) == len(changed) + 1
