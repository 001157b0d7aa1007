"""Whether a passage answers a question or only stands near it: signs weighed by a regression over known questions.

A passage on the same subject holds most of a question's words and yet no answer. What tells the two apart: how
much of the title's own subject was asked for (units, places and groups of people left out: `by state` is on every
page), how dense the question's words stand, and whether what is demanded (a price, a fine, a salary) or a foreign
country is missing altogether.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from selat.knowledge.facets import HALF, Looked, lacks
from selat.knowledge.language import stopwords
from selat.knowledge.question import Concept, Question
from selat.knowledge.terms import Glossary, shared
from selat.knowledge.words import stem, stems, words

# WEIGHTS and BIAS: logistic regression over the questions of bench/knowledge that may be tuned on (dev, dev2,
# near, edge), each with and without its right documents in the library (`bench/evidence.py`).
ANSWERS = 0.2  # evidence from which a question is answered: 6 % of the answerable ones lie below
LENGTH = 100  # stems of a usual passage
K1, B = 1.2, 0.75  # Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009
_DATA = Path(__file__).parent / "data"


class Frequencies(Protocol):
    """How rare a stem is."""

    @property
    def size(self) -> int: ...

    def frequency(self, stem: str) -> int: ...


class Signs(NamedTuple):
    """What speaks for and against a passage, each 0 to 1 but `dense` (0 to 2.2) and `told` (0 and up).

    `rarest` is the rarity of the rarest word that the document lacks (`share` counts such a word too heavily, and
    this makes up for it), `told` the rarity of all that it holds.
    """

    share: float
    fit: float
    subject: float
    dense: float
    rarest: float
    told: float
    demanded: float
    abroad: float
    absent: float = 0.0
    level: float = 0.0
    outside: float = 0.0
    steps: float = 0.0
    other: float = 0.0


WEIGHTS = Signs(2.54, 2.3, 1.86, 1.63, 1.72, 0.5, -1.1, -3.22, -3.05, -1.43, -4.46, -4.12, -4.57)
BIAS = -6.6


def evidence(signs: Signs) -> float:
    """The chance (0 to 1) that a passage with these signs answers."""
    return 1 / (1 + math.exp(-BIAS - sum(sign * weight for sign, weight in zip(signs, WEIGHTS, strict=True))))


def read_signs(question: Question, looked: Looked, weights: list[float], rarity: Frequencies) -> Signs:
    """The signs of one passage. `weights` say how much each concept tells."""
    concepts = question.concepts
    total = sum(weights) or 1.0

    def share(parts: list[float]) -> float:
        return sum(part * weight for part, weight in zip(parts, weights, strict=True)) / total

    counts = Counter(looked.stems.split())
    norm = K1 * (1 - B + B * counts.total() / LENGTH)
    pairs = list(zip(concepts, looked.held, strict=True))
    listed = zip(concepts, weights, looked.whole or looked.held, strict=True)
    whole = [(weight, held) for one, weight, held in listed if one.part >= 1]
    rare = math.log(2 + rarity.size)  # what a word that no document holds weighs
    fit, subject = _fits(looked.passage.source.title, question, rarity)
    headed = likeness(concepts, weights, looked.passage.heading)
    return Signs(
        share=share(list(looked.held)),
        fit=max(fit, headed),
        subject=max(subject, headed),
        dense=share([_dense(concept, counts, norm) for concept in concepts]),
        rarest=max((weight for weight, held in whole if held < HALF), default=0.0) / rare,
        told=sum(weight for weight, held in whole if held >= HALF) / rare,
        demanded=max((1 - held for one, held in pairs if one.part >= 1 and _among(one, _demands())), default=0.0),
        abroad=float(any(held < HALF and _is_country(one, shared()) for one, held in pairs)),
        **lacks(question, looked, weights)._asdict(),
    )


def likeness(concepts: Sequence[Concept], weights: Sequence[float], path: str) -> float:
    """How alike a question and the last heading of a path are, 0 to 1: the harmonic mean of the shares that each
    holds of the other. A heading is often the question itself.
    """
    heading = _heading(path)
    total = sum(weights)
    if not heading or not total:
        return 0.0
    asked = frozenset(stem for concept in concepts for stem in concept.stems)
    of_heading = len(heading & asked) / len(heading)
    held = sum(weight for one, weight in zip(concepts, weights, strict=True) if _holds(one, heading))
    return 2 * of_heading * held / total / (of_heading + held / total) if of_heading and held else 0.0


@lru_cache(maxsize=4096)
def _heading(path: str) -> frozenset[str]:
    last = path.rsplit(" › ", 1)[-1]
    return frozenset(stems(word for word in words(last) if word not in stopwords()))


def _holds(concept: Concept, inside: frozenset[str]) -> bool:
    return any(worth > HALF and inside.issuperset(way) for way, worth in concept.clause.alternatives)


def _dense(concept: Concept, counts: Counter[str], norm: float) -> float:
    """How often a text holds a concept in its best wording, saturating as in BM25."""
    best = 0.0
    for way, worth in concept.clause.alternatives:
        often = min(counts[stem] for stem in way)
        best = max(best, worth * often * (K1 + 1) / (often + norm))
    return best


def _fits(title: str, question: Question, rarity: Frequencies) -> tuple[float, float]:
    """The share of a title that was asked for: of all its words, and of its subject; its better half counts."""
    asked = question.stems
    best = (0.0, 0.0)
    for half in title.split(" / "):
        inside = frozenset(stems(words(half)))
        found = _asked_for(inside, asked, rarity), _asked_for(inside - dimensions(), asked, rarity)
        best = max(best[0], found[0]), max(best[1], found[1])
    return best


def _asked_for(inside: frozenset[str], asked: frozenset[str], rarity: Frequencies) -> float:
    rare = {stem: math.log(1 + (rarity.size + 1) / (1 + rarity.frequency(stem))) for stem in inside}
    return sum(worth for stem, worth in rare.items() if stem in asked) / (sum(rare.values()) or 1.0)


def _among(concept: Concept, listed: frozenset[str]) -> bool:
    """Whether a short wording of a concept begins or ends with a listed stem."""
    ways = [way for way, worth in concept.clause.alternatives if worth > HALF]
    return any(way[0] in listed or (len(way) < 3 and way[-1] in listed) for way in ways)


def _is_country(concept: Concept, terms: Glossary) -> bool:
    return any(terms.is_country(way) for way, _ in concept.clause.alternatives)


@cache
def dimensions() -> frozenset[str]:
    """Stems of units, places, groups and kinds of number: what titles have in common."""
    return _listed("dimensions.txt")


@cache
def _demands() -> frozenset[str]:
    return _listed("demands.txt")


def _listed(name: str) -> frozenset[str]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return frozenset(stem(word) for line in lines if not line.startswith("#") for word in line.split())
