"""Whether a cited sentence is held up by its passage: by its numbers, its words and a model of entailment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from selat.core.passage import Citation, Passage
from selat.core.sources import markers
from selat.knowledge.language import stopwords
from selat.knowledge.sentences import sentence_spans, sentences
from selat.knowledge.terms import Glossary, shared
from selat.knowledge.words import stems, words

LEAST = 0.5  # share of a sentence's subject words that its passage must hold
MARK = "[?]"  # what stands after a sentence that none of its sources holds up
_MARKERS = re.compile(r"(?:\s*\[\d{1,3}\])+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Claim(NamedTuple):
    """What an answer says and the [n] under which it says so."""

    text: str
    marker: int


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer whose every marker is supported. `dropped` counts the markers taken out of it, `unsupported` the
    sentences that no source of theirs holds up: they are marked with [?], or gone.
    """

    text: str
    citations: tuple[Citation, ...]
    dropped: int = 0
    unsupported: int = 0


class _Cited(NamedTuple):
    """A sentence with markers: where both begin and end in the answer; a sentence before may have said it all."""

    claim: str
    start: int
    at: int
    end: int
    markers: tuple[int, ...]


def claims(answer: str, passages: tuple[Passage, ...]) -> list[Claim]:
    """What in an answer a model should judge: cited claims that are no quotes of their passages, each once."""
    found = [Claim(one.claim, marker) for one in _cited(answer) for marker in one.markers]
    known = [one for one in found if 0 < one.marker <= len(passages)]
    return list(dict.fromkeys(one for one in known if one.text not in passages[one.marker - 1].text))


def check(
    answer: str, passages: tuple[Passage, ...], entailed: Mapping[Claim, bool] | None = None, drop: bool = False
) -> Checked:
    """Keep the [n] markers whose passage holds up their sentence; take the others out of the text.

    A marker stands for the sentence it ends or follows; one that names no passage is taken out. A sentence that
    keeps no marker gets [?], or goes when `drop` is set. `entailed` is what a model says of the claims that it
    judged; of the others wording decides. Quotes are the passages' own best sentences.
    """
    kept: dict[int, Citation] = {}
    dropped = unsupported = at = 0
    text = ""
    for one in _cited(answer):
        shown = ""
        for marker in one.markers:
            passage = passages[marker - 1] if 0 < marker <= len(passages) else None
            verdict = (entailed or {}).get(Claim(one.claim, marker))
            citation = support(one.claim, passage, marker, entailed=verdict) if passage else None
            if citation:
                kept.setdefault(marker, citation)
                shown += f" [{marker}]"
            else:
                dropped += 1
        if not shown:
            unsupported += 1
        if shown or not drop:
            text += answer[at : one.at] + (shown or f" {MARK}")
            at = one.end
        else:
            text += answer[at : one.start]
            at = one.end + (answer[one.end : one.end + 1] in (".", "。"))
    return Checked((text + answer[at:]).strip(), tuple(kept.values()), dropped, unsupported)


def _cited(answer: str) -> Iterator[_Cited]:
    claim, at = "", 0
    for group in _MARKERS.finditer(answer):
        spans = list(sentence_spans(answer, at, group.start()))
        start = spans[-1][0] if spans else group.start()
        claim = answer[start : spans[-1][1]] if spans else claim
        yield _Cited(claim, start, group.start(), group.end(), tuple(markers(group[0])))
        at = group.end()


def support(
    claim: str, passage: Passage, marker: int, terms: Glossary | None = None, entailed: bool | None = None
) -> Citation | None:
    """The passage's sentence that best holds up a claim, or None when the passage does not.

    Every number of the claim must be in the passage or its headings. Beyond that a model's word decides where
    there is one (`entailed`); else half of the claim's subject words must be there, each in itself or in an
    equal from the glossary.
    """
    if claim in passage.text:
        return Citation(marker, passage, claim)
    whole = f"{passage.source.title}\n{passage.heading}\n{passage.text}"
    numbers = set(_NUMBER.findall(whole))
    if entailed is False or any(number not in numbers for number in _NUMBER.findall(claim)):
        return None
    said = stems(word for word in words(claim) if word not in stopwords())
    terms = terms or shared()
    if entailed is None and (not said or _share(said, frozenset(stems(words(whole))), terms) < LEAST):
        return None
    spoken = sentences(passage.text) or [passage.text]
    best = max(spoken, key=lambda text: _share(said, frozenset(stems(words(text))), terms))
    return Citation(marker, passage, best)


def _share(said: list[str], inside: frozenset[str], terms: Glossary) -> float:
    held = 0
    for stem in said:
        held += stem in inside or any(inside.issuperset(way) for way, _ in terms.equals((stem,)))
    return held / len(said) if said else 0.0
