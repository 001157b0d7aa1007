"""The second look at the best candidates: how much of the question each passage holds, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from selat.core.passage import Passage
from selat.knowledge.question import Concept, Question
from selat.knowledge.words import stems, words

TITLE_SHARE = 0.5
ANSWERS = 0.45  # least share of a question, weighted by rarity, that an answering passage holds


class Frequencies(Protocol):
    """How rare a stem is."""

    @property
    def size(self) -> int: ...

    def frequency(self, stem: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its final score and the share (0 to 1) of the question that it holds."""

    passage: Passage
    score: float
    share: float

    @property
    def answers(self) -> bool:
        return self.share >= ANSWERS


def rank(question: Question, found: Sequence[tuple[Passage, float]], rarity: Frequencies) -> list[Candidate]:
    """Candidates best first: text score (relative to the best) and share of the question held, half each."""
    if not found:
        return []
    weights = [weight(concept, rarity) for concept in question.concepts]
    total = sum(weights) or 1.0
    top = max(score for _, score in found) or 1.0
    candidates = []
    for passage, score in found:
        body = frozenset(stems(words(passage.text)))
        title = frozenset(stems(words(f"{passage.source.title} {passage.heading}")))
        held = sum(w * holds(c, body, title) for c, w in zip(question.concepts, weights, strict=True))
        candidates.append(Candidate(passage, score / top + held / total, min(1.0, held / total)))
    return sorted(candidates, key=lambda one: -one.score)


def weight(concept: Concept, rarity: Frequencies) -> float:
    """How much a concept tells passages apart: the inverse frequency of its most telling wording."""
    size = rarity.size + 1
    best = 0.0
    for way, worth in concept.clause.alternatives:
        rare = [math.log(1 + size / (1 + rarity.frequency(stem))) for stem in way]
        seen = [rarity.frequency(stem) > 0 for stem in way]
        if all(seen):
            best = max(best, worth * sum(rare) / len(rare) ** 0.5)
    unseen = math.log(1 + size)
    return (best or unseen) * concept.part


def holds(concept: Concept, body: frozenset[str], title: frozenset[str]) -> float:
    """How fully a text holds a concept in its best wording, 0 to 1; words in the title count as held."""
    best = 0.0
    for way, worth in concept.clause.alternatives:
        inside = sum(1.0 if stem in title or stem in body else 0.0 for stem in way) / len(way)
        best = max(best, inside * inside * worth)
    return best
