"""A passage near the subject is told apart from one that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import selat.kits
from selat.core.label import LOWEST
from selat.flows.ingest import Intake, ingest
from selat.knowledge import Library, Query
from selat.knowledge.evidence import Signs, evidence
from selat.knowledge.question import understand
from selat.knowledge.terms import shared

GUIDES = Path(selat.kits.__file__).parent / "guides"
QUESTIONS = Path(__file__).parents[3] / "bench" / "knowledge" / "questions.jsonl"
SIGNS = Signs(0.6, 0.3, 0.5, 0.8, 0.0, 3, 0.0, 0.0)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("knowledge"))
    ingest(library, [GUIDES], Intake("t", "guides", LOWEST), lambda document: None)
    return library


def answers(library: Library, question: str) -> bool:
    return bool(library.evidence(Query("t", "guides", question, LOWEST, 6)).hits)


@pytest.mark.parametrize("name", ["share", "fit", "subject", "dense", "told"])
def test_more_of_the_question_is_more_evidence(name: str) -> None:
    more = SIGNS._replace(**{name: getattr(SIGNS, name) + 0.3})
    assert evidence(more) > evidence(SIGNS)


@pytest.mark.parametrize("name", ["demanded", "abroad", "absent", "level", "outside", "steps", "other"])
def test_what_is_demanded_and_missing_is_less_evidence(name: str) -> None:
    assert evidence(SIGNS._replace(**{name: 1.0})) < evidence(SIGNS)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Apakah kod negeri untuk Kelantan dalam e-invois?", True),
        ("What is the fine for breaking the PDPA?", True),
        ("What is the fine under the Singapore PDPA?", False),
        ("Berapa yuran mendaftar pegawai perlindungan data?", False),
        ("gaji data protection officer brp sebulan", False),
        ("数据保护官的薪水是多少？", False),
        ("தரவு பாதுகாப்பு அதிகாரியின் சம்பளம் எவ்வளவு?", False),
    ],
)
def test_the_subject_alone_is_no_answer(library: Library, asked: str, answered: bool) -> None:
    assert answers(library, asked) is answered


def test_near_subject_questions_over_the_guides_are_mostly_refused(library: Library) -> None:
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] == "near"]
    refused = {True: 0, False: 0}
    for row in rows:
        refused[bool(row["gold"])] += not answers(library, row["query"])
    answerable = sum(bool(row["gold"]) for row in rows)
    assert refused[False] >= 0.55 * (len(rows) - answerable)
    assert refused[True] <= 0.2 * answerable


def test_a_country_is_read_as_a_nationality_not_as_a_state() -> None:
    concept = understand("pelancong dari Singapura", shared()).concepts[-1]
    ways = {way for way, _ in concept.clause.alternatives}
    assert ("negara",) in ways
    assert ("negeri",) not in ways
    assert shared().is_country(concept.asked)
