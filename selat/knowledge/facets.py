"""What a question asks of its subject that a document near it may lack: a breakdown, a year, steps, one of two."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from selat.core.passage import Passage
from selat.knowledge.question import CORRECTED, Concept, Question, is_year
from selat.knowledge.words import normalise, stems, words

HALF = 0.5
_LAST = 9999
_RANGE = re.compile(
    r"((?:19|20)\d\d)年?\s*(?:-|–|—|to|until|and|hingga|sehingga|dan|至|到|முதல்)\s*((?:19|20)\d\d)"
)
_SINCE = re.compile(
    r"\b(?:since|sejak|from|dari|begins? in|bermula(?: pada)?)\s+((?:19|20)\d\d)(?!\s*(?:-|–|to|hingga))"
)
_HOW_TO = re.compile(
    r"\bcara\b|\bhow (?:(?:do|can|should|could) (?:i|we|you|one)|to)\b"
    r"|\b(?:bagaimana|bagaimanakah|macam mana) (?:cara|untuk|hendak|nak|mahu|saya|kita|boleh|kalau)\b"
    r"|如何|怎样|怎么(?!样)|எப்படி"
)
# `how do I find out …` asks for what is told, not for steps.
_LOOKING_UP = re.compile(
    r"\b(?:tahu|cari|semak|lihat|tengok|baca|dapatkan|find|see|check|know|get|look|read|download)\b"
    r"|查|找|知道|了解|பார்|அறி|தெரி"
)
_STEPS = re.compile(
    r"\b(?:cara|langkah|steps?|apply|mohon|permohonan|isi|borang|forms?|klik|click|hendaklah|mesti|must|submit|serah"
    r"|kemudian|then|notify|maklum\w*)\b|步骤|申请|填写|必须|படிவ|விண்ணப்ப"
)
_DATA = Path(__file__).parent / "data"


class Looked(NamedTuple):
    """A passage beside a question: its stems in order; how fully it, its title and headings hold each concept, and
    how fully its whole document does; and the texts of that document that were found.
    """

    passage: Passage
    stems: str
    held: tuple[float, ...]
    whole: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()


class Lacks(NamedTuple):
    """What speaks against a passage, each 0 to 1."""

    absent: float
    level: float
    outside: float
    steps: float
    other: float


def lacks(question: Question, looked: Looked, weights: list[float]) -> Lacks:
    """What a passage and its document lack of a question. `weights` say how much each concept tells.

    `absent` is the share of the question that the glossary knows in several wordings and the document holds in
    none; `level`: it is to be broken down by what the document never names; `outside`: it is of a year outside
    those that the document says it covers; `steps`: it asks how to do something and no step is there; `other`: it
    asks for one of two (private, public) and only the other is there.
    """
    whole = looked.whole or looked.held
    missing = [1 - held if held < HALF else 0.0 for held in whole]
    listed = list(zip(question.concepts, missing, weights, strict=True))
    absent = sum(share * weight for one, share, weight in listed if one.part >= 1 and _is_named(one))
    return Lacks(
        absent=absent / (sum(weights) or 1.0),
        level=float(any(share and _is_level(one) for one, share, _ in listed)),
        outside=float(_is_outside(question, looked)),
        steps=float(_asks_how_to(question.text) and not _STEPS.search(normalise(looked.passage.text))),
        other=float(_is_other(question, looked)),
    )


def _is_named(concept: Concept) -> bool:
    """Whether the glossary gives other wordings: a word without any may be absent for want of a synonym."""
    return not concept.asked[0][0].isdigit() and any(
        worth > CORRECTED for _, worth in concept.clause.alternatives[1:]
    )


def _is_level(concept: Concept) -> bool:
    ways = concept.clause.alternatives
    return any(worth > HALF and len(way) == 1 and way[0] in levels() for way, worth in ways)


def _asks_how_to(text: str) -> bool:
    return _HOW_TO.search(text) is not None and not _LOOKING_UP.search(text)


def _is_outside(question: Question, looked: Looked) -> bool:
    asked = [int(one.asked[0]) for one in question.concepts if is_year(one.asked)]
    if not asked:
        return False
    text = "\n".join((looked.passage.source.title, looked.passage.text, *looked.texts)).lower()
    spans = [(int(first), int(last)) for first, last in _RANGE.findall(text)]
    spans += [(int(first), _LAST) for first in _SINCE.findall(text)]
    covered = [any(first <= year <= last for first, last in spans) or str(year) in text for year in asked]
    return bool(spans) and not any(covered)


def _is_other(question: Question, looked: Looked) -> bool:
    """Whether one side of a pair is asked for, and the passage and its title hold the other alone."""
    asked = frozenset(stem for one in question.concepts for stem in stems(_written(one.asked)))
    there = frozenset(looked.stems.split()).union(stems(words(looked.passage.source.title)))
    return any(
        not asked.isdisjoint(one)
        and asked.isdisjoint(other)
        and there.isdisjoint(one)
        and not there.isdisjoint(other)
        for pair in _opposites()
        for one, other in (pair, pair[::-1])
    )


def _written(asked: Iterable[str]) -> list[str]:
    """The stems of a concept as asked; a Chinese phrase by its pairs."""
    return [word for one in asked for word in (words(one) if not one.isascii() else [one])]


@cache
def levels() -> frozenset[str]:
    """Stems of what figures are broken down by."""
    return frozenset(stem for line in _lines("levels.txt") for stem in stems(words(line)))


@cache
def _opposites() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    halves = [line.split("|") for line in _lines("opposites.txt")]
    return tuple((frozenset(stems(words(one))), frozenset(stems(words(other)))) for one, other in halves)


def _lines(name: str) -> list[str]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
