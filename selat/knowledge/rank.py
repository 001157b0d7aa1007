"""The second look at the best candidates: how much of the question a document holds, and how much else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from selat.core.passage import Passage
from selat.knowledge.question import Concept, Question
from selat.knowledge.store import Stored
from selat.knowledge.words import stems, words

# Weights of a candidate's parts, set on the questions in bench/knowledge (dev split).
TEXT, SHARE, TITLE, FIT = 1.0, 1.0, 0.6, 0.4
SAME_LANGUAGE = 0.15  # for a document in the question's language: of two that say the same, the readable one
ANSWERS = 0.45  # least share of a question, weighted by rarity, that an answering document holds


class Frequencies(Protocol):
    """How rare a stem is."""

    @property
    def size(self) -> int: ...

    def frequency(self, stem: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its final score and the share (0 to 1) of the question that its document holds."""

    passage: Passage
    score: float
    share: float

    @property
    def answers(self) -> bool:
        return self.share >= ANSWERS


@dataclass(slots=True)
class _Document:
    """What the candidates of one document hold together, concept by concept."""

    held: list[float]
    title: list[float]
    fit: float


def rank(question: Question, found: Sequence[tuple[Stored, float]], rarity: Frequencies) -> list[Candidate]:
    """Candidates best first.

    A passage's score joins its text score (relative to the best), the share of the question it holds, the
    share that its document's title holds, and the share of the title that was asked for (of two documents
    that hold the same, the one that holds nothing else is meant).
    """
    if not found:
        return []
    concepts = question.concepts
    weights = [weight(concept, rarity) for concept in concepts]
    total = sum(weights) or 1.0
    top = max(score for _, score in found) or 1.0
    documents: dict[int, _Document] = {}
    passages = []
    for stored, score in found:
        passage = stored.passage
        document = documents.get(stored.doc)
        if document is None:
            title, fit = _title(passage.source.title, concepts, rarity)
            document = documents[stored.doc] = _Document([0.0] * len(concepts), title, fit)
        body = frozenset(stems(words(f"{passage.heading} {passage.text}")))
        held = [
            max(holds(concept, body), in_title) for concept, in_title in zip(concepts, document.title, strict=True)
        ]
        document.held = [max(pair) for pair in zip(document.held, held, strict=True)]
        passages.append((stored, score / top, _share(held, weights, total)))
    candidates = []
    for stored, text, share in passages:
        document = documents[stored.doc]
        whole = _share(document.held, weights, total)
        named = _share(document.title, weights, total)
        score = TEXT * text + SHARE * (share + whole) / 2 + TITLE * named + FIT * document.fit * named
        if stored.passage.source.language == question.language:
            score += SAME_LANGUAGE
        candidates.append(Candidate(stored.passage, score, whole))
    return sorted(candidates, key=lambda one: -one.score)


def _share(held: Sequence[float], weights: Sequence[float], total: float) -> float:
    return sum(part * weight for part, weight in zip(held, weights, strict=True)) / total


def _title(title: str, concepts: Sequence[Concept], rarity: Frequencies) -> tuple[list[float], float]:
    """How fully a title holds each concept, and the share of the title's own words that were asked for.

    A bilingual title (`Deaths / Kematian`) is judged by its better half.
    """
    best: tuple[list[float], float] = ([0.0] * len(concepts), 0.0)
    for half in _halves(title):
        inside = frozenset(half)
        held = [holds(concept, inside) for concept in concepts]
        asked = {stem for concept in concepts for way, _ in concept.clause.alternatives for stem in way}
        rare = {stem: math.log(1 + (rarity.size + 1) / (1 + rarity.frequency(stem))) for stem in inside}
        fit = sum(worth for stem, worth in rare.items() if stem in asked) / (sum(rare.values()) or 1.0)
        if sum(held) + fit > sum(best[0]) + best[1]:
            best = (held, fit)
    return best


@lru_cache(maxsize=4096)
def _halves(title: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(stems(words(half))) for half in title.split(" / "))


def weight(concept: Concept, rarity: Frequencies) -> float:
    """How much a concept tells passages apart: the inverse frequency of its most telling wording."""
    size = rarity.size + 1
    best = 0.0
    for way, worth in concept.clause.alternatives:
        counts = [rarity.frequency(stem) for stem in way]
        if all(counts):
            best = max(best, worth * sum(math.log(1 + size / (1 + n)) for n in counts) / len(way) ** 0.5)
    unseen = math.log(1 + size)
    return (best or unseen) * concept.part


def holds(concept: Concept, inside: frozenset[str]) -> float:
    """How fully a text holds a concept in its best wording, 0 to 1."""
    best = 0.0
    for way, worth in concept.clause.alternatives:
        share = sum(stem in inside for stem in way) / len(way)
        best = max(best, share * share * worth)
    return best
