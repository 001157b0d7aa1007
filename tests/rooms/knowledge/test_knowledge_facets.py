"""What a document near the subject lacks of a question is told: a breakdown, a year, steps, the other of two."""

from __future__ import annotations

import pytest

from selat.core.label import LOWEST
from selat.core.passage import Passage, Source
from selat.knowledge.facets import Lacks, Looked, lacks
from selat.knowledge.question import understand
from selat.knowledge.rank import holds
from selat.knowledge.terms import shared
from selat.knowledge.words import stems, words

TEXT = "Bilangan katil di hospital awam mengikut negeri. Monthly landings of fish by state from 2018 to 2023."


def lacking(asked: str, text: str = TEXT) -> Lacks:
    question = understand(asked, shared())
    inside = frozenset(stems(words(text)))
    held = tuple(holds(one, inside) for one in question.concepts)
    passage = Passage(Source("d", "Katil dan ikan"), 1, 0, len(text), text, LOWEST)
    return lacks(question, Looked(passage, " ".join(stems(words(text))), held), [1.0] * len(held))


@pytest.mark.parametrize(
    ("asked", "sign", "there"),
    [
        ("fish landings in 1995", "outside", 1.0),
        ("fish landings in 2020", "outside", 0.0),
        ("pendaratan ikan 2031", "outside", 1.0),
        ("fish landings by district", "level", 1.0),
        ("fish landings by state", "level", 0.0),
        ("berapa katil hospital swasta", "other", 1.0),
        ("berapa katil hospital awam", "other", 0.0),
        ("私立医院有多少张病床？", "other", 1.0),
        ("How do I catch fish?", "steps", 1.0),
        ("How do I find fish landings?", "steps", 0.0),
        ("macam mana nk tahu pendaratan ikan", "steps", 0.0),
        ("macam mana nk tangkap ikan", "steps", 1.0),
        ("怎样捕鱼？", "steps", 1.0),
    ],
)
def test_what_is_missing_is_told(asked: str, sign: str, there: float) -> None:
    assert getattr(lacking(asked), sign) == there


def test_steps_that_are_there_are_not_missed() -> None:
    assert lacking("How do I apply for a bed?", "Fill in the form and submit it.").steps == 0


def test_only_words_with_known_equals_count_as_absent() -> None:
    assert lacking("gaji jururawat").absent == 1
    assert lacking("zorblatt qwyx").absent == 0


def test_a_year_in_the_text_is_not_outside_its_years() -> None:
    assert lacking("banci 1991", "Figures from 2018 to 2023, beside the census of 1991.").outside == 0
