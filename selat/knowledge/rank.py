"""The second look at the best candidates: how much of the question a document holds, and how much else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import mul

from selat.core.passage import Passage
from selat.knowledge.evidence import ANSWERS, Frequencies, evidence, read_signs
from selat.knowledge.facets import HALF, Looked, levels
from selat.knowledge.question import Concept, Question
from selat.knowledge.store import Stored
from selat.knowledge.words import stems, words

# Weights of a candidate's parts, set on the questions in bench/knowledge (dev split).
TEXT, WHOLE, SHARE, SHARE_WHOLE, TITLE, FIT = 0.6, 0.15, 0.8, 0.5, 0.1, 1.5
EVERYTHING = 0.12  # for a document that holds all that was asked for
UNASKED = 0.12  # against each breakdown in its title that nobody asked for
SAME_LANGUAGE = 0.2  # for a document in the question's language: of two that say the same, the readable one
# How near a document is that is shown beside one that answers: what the passage and its document hold of the
# question, what title and headings hold, and how much of the title was asked for.
SAID, HELD, NAMED, FITS = 0.18, 0.24, 0.21, 0.37
SPELT_OUT = 0.8  # or one passage holds this share of a question of two telling concepts, whatever its title
FOLLOWS = 0.3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its score and how near it is to the question (0 to 1); `id` is the store's.

    `stems` are its own in order; `held` says how fully it, its title and its headings hold each concept, `whole`
    how fully its document does.
    """

    passage: Passage
    score: float
    near: float
    id: int = 0
    stems: str = field(default="", repr=False)
    held: tuple[float, ...] = field(default=(), repr=False)
    whole: tuple[float, ...] = field(default=(), repr=False)


@dataclass(slots=True)
class _Document:
    """What one document and its title hold, concept by concept."""

    held: list[float]
    title: list[float]
    fit: float
    unasked: int


@dataclass(frozen=True, slots=True)
class Found:
    """What the index found: passages and documents with text scores; and which stems of the question these
    documents hold.
    """

    passages: Sequence[tuple[Stored, float]]
    wholes: Mapping[int, float]
    texts: Mapping[int, frozenset[str]]


def rank(question: Question, found: Found, rarity: Frequencies) -> list[Candidate]:
    """Candidates best first.

    A passage's score joins the text scores of itself and its document (relative to the best), the shares of
    the question that both hold, the share that the document's title holds, and the share of the title that
    was asked for (of two documents that hold the same, the one that holds nothing else is meant).
    """
    if not found.passages:
        return []
    concepts = question.concepts
    weights = [weight(concept, rarity) for concept in concepts]
    total = sum(weights) or 1.0
    telling = sum(concept.part >= 1 for concept in concepts)
    top = max(score for _, score in found.passages) or 1.0
    top_whole = max(found.wholes.values(), default=top) or 1.0
    asked = question.stems
    documents: dict[int, _Document] = {}
    candidates = []
    for stored, score in found.passages:
        passage = stored.passage
        document = documents.get(stored.doc)
        if document is None:
            document = _document(passage.source.title, found.texts.get(stored.doc, frozenset()), question, rarity)
            documents[stored.doc] = document
        named = _held(concepts, _stems(passage.heading), document.title)
        held = _held(concepts, asked.intersection(stored.stems.split()), named)
        of_all = tuple(map(max, document.held, named))
        whole = _share(of_all, weights, total)
        in_title = _share(document.title, weights, total)
        share = _share(held, weights, total)
        text = TEXT * score / top + WHOLE * found.wholes.get(stored.doc, score) / top_whole
        value = text + SHARE * share + SHARE_WHOLE * whole + (TITLE + FIT * document.fit) * in_title
        value += EVERYTHING * (min(of_all) >= HALF) - UNASKED * document.unasked
        if passage.source.language == question.language:
            value += SAME_LANGUAGE
        near = SAID * share + HELD * whole + NAMED * _share(named, weights, total) + FITS * document.fit
        if telling > 1 and share >= SPELT_OUT:
            near = max(near, share)
        candidates.append(Candidate(passage, value, near, stored.id, stored.stems, tuple(held), of_all))
    # Of equals, the one whose name comes first: not the one that happened to be read first.
    return sorted(candidates, key=lambda one: (-one.score, one.passage.source.document, one.passage.number))


def _document(title: str, text: frozenset[str], question: Question, rarity: Frequencies) -> _Document:
    in_title, fit = _title(title, question, rarity)
    return _Document(_held(question.concepts, text, in_title), in_title, fit, _unasked(title, question.stems))


def _unasked(title: str, asked: frozenset[str]) -> int:
    """How many breakdowns a title names that were not asked for, in the half that names fewest; at most 3."""
    return min((min(len(levels().intersection(half) - asked), 3) for half in _halves(title)), default=0)


def _held(concepts: Sequence[Concept], inside: frozenset[str], before: list[float]) -> list[float]:
    """How fully each concept is held by a text, or before it by what stands over it."""
    if not inside:
        return before
    return [max(holds(one, inside), held) for one, held in zip(concepts, before, strict=True)]


def answering(
    question: Question, ranked: Sequence[Candidate], rarity: Frequencies, looked_at: int = 1
) -> list[Candidate]:
    """The candidates to answer from: none when the first `looked_at` say too little to answer."""
    weights = [weight(concept, rarity) for concept in question.concepts]
    for one in ranked[:looked_at]:
        if evidence(read_signs(question, look(one, ranked), weights, rarity)) >= ANSWERS:
            return [one for one in ranked if one.near >= FOLLOWS]
    return []


def look(one: Candidate, ranked: Sequence[Candidate]) -> Looked:
    """A candidate with all that was found of its document."""
    document = one.passage.source.document
    texts = tuple(other.passage.text for other in ranked if other.passage.source.document == document)
    return Looked(one.passage, one.stems, one.held, one.whole, texts)


def _share(held: Sequence[float], weights: Sequence[float], total: float) -> float:
    told: float = sum(map(mul, held, weights))
    return told / total


def _title(title: str, question: Question, rarity: Frequencies) -> tuple[list[float], float]:
    """How fully a title holds each concept, and the share of the title's own words that were asked for.

    A bilingual title (`Deaths / Kematian`) is judged by its better half.
    """
    asked = question.stems
    best: tuple[list[float], float] = ([0.0] * len(question.concepts), 0.0)
    for half in _halves(title):
        inside = frozenset(half)
        if asked.isdisjoint(inside):
            continue
        held = [holds(concept, inside) for concept in question.concepts]
        rare = {stem: math.log(1 + (rarity.size + 1) / (1 + rarity.frequency(stem))) for stem in inside}
        fit = sum(worth for stem, worth in rare.items() if stem in asked) / (sum(rare.values()) or 1.0)
        if sum(held) + fit > sum(best[0]) + best[1]:
            best = (held, fit)
    return best


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stems(words(text)))


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
    if concept.stems.isdisjoint(inside):
        return 0.0
    best = 0.0
    for way, worth in concept.clause.alternatives:
        if worth > best:
            if len(way) == 1:
                if way[0] in inside:
                    best = worth
            else:
                count = sum([stem in inside for stem in way])
                best = max(best, worth * (count / len(way)) ** 2)
    return best
