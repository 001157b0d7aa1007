"""A model of random weights in a real llama.cpp sits an exam: it scores at chance, and the result says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chat_kit import CALLER, Office
from compiled import compiled
from tiny_model import make_model

from selat.core.caller import Caller, Site
from selat.engines import EngineSpec, OpenAIEngine
from selat.evals import FIRST_TOKEN, GENERATION, Scored, find_pack
from selat.evals.report import Account, markdown
from selat.evals.run import COMPLETE, Budget, Run
from selat.evals.store import Store
from selat.evals.summary import Summary, summarise
from selat.evals.weigh import digest_file
from selat.flows.evaluate import Terms, evaluate, opened, planned, putting, subject_of

pytest.importorskip("gguf", reason="needs the gguf package to write a model")
xllamacpp = pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")
EXAMINER = Caller("default", "key_1", CALLER.roles, CALLER.clearance, frozenset({"eval"}))
PACK = find_pack("tatabahasa")


@dataclass(frozen=True)
class Llama:
    url: str
    weights: Path


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    weights = make_model(tmp_path_factory.mktemp("model") / "rawak.gguf")
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(weights)
    wanted.n_ctx, wanted.n_parallel, wanted.port, wanted.n_gpu_layers, wanted.verbosity = 8192, 4, 0, 0, 0
    wanted.cpuparams.n_threads = 1
    server = xllamacpp.Server(wanted)
    yield Llama(f"{server.listening_address}/v1", weights)
    del server


def sat(folder: Path, llama: Llama, scoring: str) -> tuple[Run, list[Scored], Summary, Account]:
    engine = OpenAIEngine(EngineSpec("llama", "openai", Site("MY"), (("rawak", "rawak"),), llama.url))
    office = Office(folder / "ledger", compiled(), engine)  # type: ignore[arg-type]
    store = Store(folder / "evals.db")
    subject = subject_of(engine, "rawak", digest_file(llama.weights))
    plan = planned("R1", lambda: "2026-11-22", subject, [PACK], Terms(scoring=scoring, budget=Budget(4)))

    async def once() -> tuple[Run, list[Scored]]:
        try:
            return await evaluate(plan, opened(putting(office.desk, EXAMINER, subject)), store)
        finally:
            await engine.close()

    try:
        ended, scored = asyncio.run(once())
        replies = store.replies(subject.digest, [one.sample for one in scored])
    finally:
        office.journal.close()
        store.close()
    summary = summarise(PACK, scored, ended.total)
    return ended, scored, summary, Account(ended, (PACK,), (summary,), tuple(scored), replies)


def test_random_weights_score_at_chance_by_first_token_and_the_report_says_so(
    tmp_path: Path, llama: Llama
) -> None:
    ended, scored, summary, account = sat(tmp_path, llama, FIRST_TOKEN)
    assert (ended.state, len(scored)) == (COMPLETE, len(PACK.items))
    assert dict(summary.counts)["invalid"] <= 3
    assert len({one.score.answer for one in scored}) > 1
    assert summary.at_chance, summary.score
    told = markdown(account, "en")
    assert "at chance" in told
    assert "log-probabilities" in told
    assert digest_file(llama.weights) in told


def test_babble_is_counted_as_truncated_and_invalid_not_as_an_answer(tmp_path: Path, llama: Llama) -> None:
    ended, _, summary, _ = sat(tmp_path, llama, GENERATION)
    counts = dict(summary.counts)
    assert ended.state == COMPLETE
    assert counts["truncated"] > len(PACK.items) / 2
    assert counts["invalid"] > len(PACK.items) / 4
    assert summary.score.low <= 0.25
