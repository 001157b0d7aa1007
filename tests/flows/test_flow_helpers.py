"""Models that help a search go the one road: decided, booked, and done without where policy or they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import CALLER, Office

from selat.core.caller import Site
from selat.core.label import HIGHEST, LOWEST, parse_label
from selat.core.passage import Passage, Source
from selat.engines import ExtractiveEngine
from selat.flows.embed import EngineEmbedder
from selat.flows.helpers import Helpers, help_search
from selat.guard import Guard
from selat.knowledge import Document, Library, Models, Query
from selat.knowledge.quote import quote
from selat.testing import EchoEngine

MODEL = "hash-embedding"


@pytest.fixture
def office(tmp_path: Path, guard: Guard) -> Iterator[Office]:
    inside: Any = ExtractiveEngine(quote, Site("MY"))
    abroad: Any = ExtractiveEngine(quote, Site("SG"), "luar", (("far", MODEL),))
    made = Office(tmp_path / "office", guard, EchoEngine(), inside, abroad)
    yield made
    made.journal.close()


def test_a_follow_up_is_written_out_by_a_model_and_both_are_booked(office: Office) -> None:
    ask = office.ask("Bagaimana dengan Johor?")
    asked = ["Berapa kadar pengangguran di Kedah?", "Bagaimana dengan Johor?"]
    helpers = Helpers(MODEL, "echo", "echo")
    helped = asyncio.run(help_search(office.desk, ask, helpers, asked))
    assert "Johor" in helped.question
    assert helped.meaning
    assert helped.vector is not None
    assert len(helped.vector) == 384
    leaves = office.leaves()
    assert [leaf["model"] for leaf in leaves if leaf["kind"] == "opened"] == ["echo", "echo", MODEL]
    assert sum(leaf["kind"] == "closed" for leaf in leaves) == 3


def test_a_helper_that_is_not_there_is_done_without(office: Office) -> None:
    helped = asyncio.run(help_search(office.desk, office.ask("apa"), Helpers("no", "no", "no"), ["satu", "dua"]))
    assert (helped.question, helped.meaning, helped.vector) == ("", "", ())


def test_a_question_that_policy_keeps_here_is_searched_by_full_text_alone(office: Office) -> None:
    ask = office.ask("apa")._replace(label=parse_label("rahsia/confidential/none/MY"))
    helped = asyncio.run(help_search(office.desk, ask, Helpers("far"), ["apa"]))
    assert helped.vector == ()


@pytest.mark.parametrize(("model", "vectors"), [(MODEL, 2), ("far", 1)])
def test_an_engine_makes_vectors_of_what_policy_lets_it_see(
    office: Office, tmp_path: Path, model: str, vectors: int
) -> None:
    cleared = replace(CALLER, clearance=HIGHEST)
    library = Library(
        tmp_path / "k", Models(lambda: EngineEmbedder(lambda: office.desk, lambda _: cleared, model))
    )
    for identity, label in (("a", LOWEST), ("b", parse_label("rahsia/confidential/none/MY"))):
        text = f"melaporkan kebocoran {identity}"
        passage = Passage(Source(identity, identity), 1, 0, len(text), text, label)
        library.add("default", "c", Document(passage.source, label, "1", [passage]))
    library.catch_up()
    assert f": {vectors} passages" in library.status().vectors
    hits = library.search(Query("default", "c", "laporkn kebocoran", HIGHEST))
    assert {hit.passage.source.document for hit in hits} == {"a", "b"}  # full text finds them all
    assert library.recall(["lapor"], "default", frozenset()) == 1.0
    library.close()
    denied = [leaf for leaf in office.leaves() if leaf["kind"] == "refused"]
    assert len(denied) == 2 - vectors
