"""An engine orders passages anew by the governed road; where it may not, cannot or does not in time, scores do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import CALLER, Office

from selat.core.label import HIGHEST, LOWEST, parse_label
from selat.core.passage import Passage, Source
from selat.engines import load_engines, makers
from selat.flows.documents import answer_documents
from selat.flows.helpers import Helpers
from selat.flows.rerank import EngineReranker, Ranker
from selat.flows.score import Exam, sit
from selat.guard import Guard
from selat.knowledge import RERANK_FALLBACK, Document, Library, Models, Query
from selat.knowledge.quote import quote
from selat.testing import EchoEngine, Upstream

SHORT, LONG = "minyak sawit", "sedikit minyak sawit di dapur sebelah kedai runcit milik pak cik Ali"
SECRET = parse_label("rahsia/confidential/none/MY")
TABLE = """
[[engine]]
name = "{name}"
kind = "openai"
url = "{url}"
models = {{ "rank" = "{model}" }}
site = {{ jurisdiction = "{where}", operator = "ujian" }}
timeouts = {{ connect = 60.0, first_byte = 600.0, between = 600.0 }}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A real server whose `/v1/rerank` puts longer texts first."""
    with Upstream() as served:
        yield served


class Shelf:
    """An engine that answers, and the engines of a file."""

    def __init__(self, *engines: Any) -> None:
        self.engines = engines

    def lookup(self, model: str) -> list[Any]:
        return [engine for engine in self.engines if model in engine.models]

    def models(self) -> tuple[str, ...]:
        return tuple(sorted({model for engine in self.engines for model in engine.models}))


Opens = Callable[..., Office]


@pytest.fixture
def opened(tmp_path: Path, guard: Guard, upstream: Upstream) -> Iterator[Opens]:
    made: list[Office] = []

    def open_(model: str = "echo", where: str = "MY") -> Office:
        told = tmp_path / "engines.toml"
        told.write_text(TABLE.format(name="penyusun", url=upstream.url, model=model, where=where))
        office = Office(tmp_path / "office", guard)
        shelf = Shelf(EchoEngine(), *load_engines(told, makers(quote), ()).engines)
        office.desk = replace(office.desk, shelf=shelf)  # type: ignore[arg-type]
        made.append(office)
        return office

    upstream.received.clear()
    yield open_
    for office in made:
        office.journal.close()


def filled(folder: Path, models: Models | None = None, label: Any = LOWEST) -> Library:
    library = Library(folder, models)
    for identity, text in (("pendek", SHORT), ("panjang", LONG)):
        passage = Passage(Source(identity, identity), 1, 0, len(text), text, label)
        library.add("default", "c", Document(passage.source, label, "1", [passage]))
    return library


async def hang_up(desk: Any) -> None:
    for engine in desk.shelf.engines[1:]:
        await engine.close()


class Tidy(EngineReranker):
    """Lets go of its connections too, which a process that ends need not."""

    def close(self) -> None:
        self._aside.run(hang_up)
        super().close()


def by_engine(office: Office, timeout_s: float = 30.0) -> Models:
    cleared = replace(CALLER, clearance=HIGHEST)
    ranker = Tidy(lambda: office.desk, lambda _: cleared, Ranker("rank", timeout_s))
    return Models(reranker=lambda: ranker)


def search(library: Library) -> tuple[list[str], str]:
    try:
        hits, order = library.find(Query("default", "c", "minyak sawit", HIGHEST))
        return [hit.passage.source.document for hit in hits], order
    finally:
        library.close()


def test_an_engine_orders_what_a_search_finds_and_it_is_booked(
    opened: Opens, tmp_path: Path, upstream: Upstream
) -> None:
    assert search(filled(tmp_path / "k")) == (["pendek", "panjang"], "score")
    office = opened()
    assert search(filled(tmp_path / "m", by_engine(office))) == (["panjang", "pendek"], "reranked")
    (received,) = upstream.received
    assert received.path == "/v1/rerank"
    assert received.ask["query"] == "minyak sawit"
    assert [SHORT in text or LONG in text for text in received.ask["documents"]] == [True, True]
    kinds = [(leaf["kind"], leaf.get("api")) for leaf in office.leaves()]
    assert [kind for kind, _ in kinds] == ["opened", "closed"]
    assert kinds[0][1] == "rerank"


def test_passages_that_policy_keeps_from_the_engine_stay_in_their_order(
    opened: Opens, tmp_path: Path, upstream: Upstream
) -> None:
    office = opened(where="SG")
    library = filled(tmp_path / "k", by_engine(office), SECRET)
    assert search(library) == (["pendek", "panjang"], RERANK_FALLBACK)
    assert upstream.received == []
    (leaf,) = office.leaves()
    assert (leaf["kind"], leaf["label"]["official"], leaf["label"]["cloud"]) == (
        "refused",
        "rahsia",
        "confidential",
    )


@pytest.mark.parametrize("model", ["hangs", "error:500", "garbage", "refuses"])
def test_an_engine_that_gives_no_order_in_time_is_done_without(
    opened: Opens, tmp_path: Path, caplog: pytest.LogCaptureFixture, model: str
) -> None:
    """The engine itself would be waited for much longer. A second may be too little even to book the ask."""
    for turn, timeout_s in enumerate((1.0, 60.0) if model == "hangs" else (60.0,)):
        office = opened(model)
        library = filled(tmp_path / f"k{turn}", by_engine(office, timeout_s))
        caplog.clear()
        assert search(library) == (["pendek", "panjang"], RERANK_FALLBACK)
        assert ("reranking model: TimeoutError" in caplog.text) == (model == "hangs")
        if kinds := [leaf["kind"] for leaf in office.leaves()]:
            break
    assert kinds.count("opened") == kinds.count("closed") == 1


def answered(office: Office, library: Library, ranker: Ranker) -> dict[str, Any]:
    ask = office.ask("minyak sawit")
    ask = ask._replace(caller=replace(ask.caller, clearance=SECRET))

    async def asked() -> Any:
        try:
            return await answer_documents(office.desk, library, ask, "c", Helpers(ranker=ranker))
        finally:
            await hang_up(office.desk)

    reply = asyncio.run(asked())
    library.close()
    told: dict[str, Any] = json.loads(reply.body)["selat"]
    return told


def test_an_answer_has_its_sources_ordered_in_the_callers_name(
    opened: Opens, tmp_path: Path, upstream: Upstream
) -> None:
    office = opened()
    told = answered(office, filled(tmp_path / "k", label=SECRET), Ranker("rank", 30))
    assert told["order"] == "reranked"
    assert len(upstream.received) == 1
    first, second = (leaf for leaf in office.leaves() if leaf["kind"] == "opened")
    assert (first["api"], first["caller"], first["label"]["official"]) == ("rerank", CALLER.key, "rahsia")
    assert second["api"] == "chat.completions"


def test_an_exam_counts_what_was_not_ordered_anew(tmp_path: Path) -> None:
    class Silent:
        def scores(self, question: str, texts: Any, label: Any, tenant: str) -> None: ...

        def close(self) -> None: ...

    library = filled(tmp_path / "k", Models(reranker=Silent))
    exams = [Exam(str(at), "minyak sawit", frozenset({"pendek"}), "ms", "c") for at in range(3)]
    scores = asyncio.run(sit(library, "default", exams, None, lambda: None))
    library.close()
    assert (scores["all"].fell_back, scores["all"].recall[1]) == (3, 1.0)


def test_an_answer_says_that_its_sources_were_not_ordered_anew(opened: Opens, tmp_path: Path) -> None:
    told = answered(opened("hangs"), filled(tmp_path / "k"), Ranker("rank", 0.3))
    assert told["order"] == RERANK_FALLBACK


def test_without_a_model_that_ranks_nothing_is_sent(opened: Opens, tmp_path: Path, upstream: Upstream) -> None:
    assert answered(opened(), filled(tmp_path / "k"), Ranker())["order"] == "score"
    assert upstream.received == []
