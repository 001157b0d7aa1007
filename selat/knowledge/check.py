"""Whether a cited sentence is held up by its passage: its numbers are there, and most of its words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selat.core.passage import Citation, Passage
from selat.core.sources import markers
from selat.knowledge.language import stopwords
from selat.knowledge.sentences import sentences
from selat.knowledge.terms import Glossary, shared
from selat.knowledge.words import stems, words

LEAST = 0.5  # share of a sentence's subject words that its passage must hold
_MARKERS = re.compile(r"(?:\s*\[\d{1,3}\])+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer whose every marker is supported. `dropped` counts the markers taken out of it."""

    text: str
    citations: tuple[Citation, ...]
    dropped: int = 0


def check(answer: str, passages: tuple[Passage, ...]) -> Checked:
    """Keep the [n] markers whose passage holds up their sentence; take the others out of the text.

    A marker stands for the sentence it ends or follows; one that names no passage is taken out.
    Quotes are the passages' own best sentences.
    """
    kept: dict[int, Citation] = {}
    dropped = 0
    text = claim = ""
    at = 0
    for group in _MARKERS.finditer(answer):
        said = sentences(answer[at : group.start()])
        claim = said[-1] if said else claim
        shown = ""
        for marker in markers(group[0]):
            passage = passages[marker - 1] if 0 < marker <= len(passages) else None
            citation = support(claim, passage, marker) if passage else None
            if citation:
                kept.setdefault(marker, citation)
                shown += f" [{marker}]"
            else:
                dropped += 1
        text += answer[at : group.start()] + shown
        at = group.end()
    return Checked((text + answer[at:]).strip(), tuple(kept.values()), dropped)


def support(claim: str, passage: Passage, marker: int, terms: Glossary | None = None) -> Citation | None:
    """The passage's sentence that best holds up a claim, or None when the passage does not.

    Every number of the claim must be in the passage or its headings, and half of its subject words, each
    in itself or in an equal from the glossary.
    """
    if claim in passage.text:
        return Citation(marker, passage, claim)
    whole = f"{passage.source.title}\n{passage.heading}\n{passage.text}"
    numbers = set(_NUMBER.findall(whole))
    if any(number not in numbers for number in _NUMBER.findall(claim)):
        return None
    said = stems(word for word in words(claim) if word not in stopwords())
    terms = terms or shared()
    if not said or _share(said, frozenset(stems(words(whole))), terms) < LEAST:
        return None
    spoken = sentences(passage.text) or [passage.text]
    best = max(spoken, key=lambda text: _share(said, frozenset(stems(words(text))), terms))
    return Citation(marker, passage, best)


def _share(said: list[str], inside: frozenset[str], terms: Glossary) -> float:
    held = 0
    for stem in said:
        held += stem in inside or any(inside.issuperset(way) for way, _ in terms.equals((stem,)))
    return held / len(said)
