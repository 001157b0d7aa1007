"""What a question asks for: its concepts, each with all the ways a document may word it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from selat.knowledge.index import Clause
from selat.knowledge.language import detect, stopwords
from selat.knowledge.terms import Glossary, Stems
from selat.knowledge.words import HAN, TAMIL, normalise, pairs, stem, words

TRANSLATED = 0.85  # weight of an equal in another language, against the question's own words
SAME_LANGUAGE = 0.8
CORRECTED = 0.7
PART = 0.6
LEFTOVER = 0.35  # weight of a Chinese pair or Tamil word that no glossary entry explains
_PIECE = re.compile(rf"[a-z]{{0,3}}[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[{HAN}]+|[{TAMIL}]+|[^\W_]+")
_TWICE = re.compile(r"^([a-z]{3,})2$")
_STRETCHED = re.compile(r"([a-z])\1{2,}")


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing asked for. `asked` are its stems as worded; `clause` holds these and their equals.

    `part` is the share of one whole concept that this is: pairs of an unexplained Chinese run are parts.
    """

    asked: Stems
    clause: Clause
    part: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    language: str
    concepts: tuple[Concept, ...]

    @property
    def clauses(self) -> list[Clause]:
        return [concept.clause for concept in self.concepts]


def understand(text: str, glossary: Glossary, mend: Callable[[str], list[str]] | None = None) -> Question:
    """Read a question of any of the four languages or a mix of them.

    `mend` gives near spellings of a stem that no document holds (empty when one does).
    """
    text = text[:4000]
    concepts: list[Concept] = []
    latin: list[str] = []
    tamil: list[str] = []
    for piece in [*_PIECE.findall(normalise(text)), ""]:
        is_tamil = "\u0b80" <= piece[:1] <= "\u0bff"
        if latin and (is_tamil or not piece.isascii() or not piece):
            concepts.extend(_latin(latin, glossary, mend))
            latin = []
        if tamil and not is_tamil:
            concepts.extend(_tamil(tamil, glossary))
            tamil = []
        if is_tamil:
            tamil.append(piece)
        elif "\u3400" <= piece[:1] <= "\u9fff":
            concepts.extend(_chinese(piece, glossary))
        elif piece:
            latin.extend(_spelled_out(piece))
    unique = {concept.asked: concept for concept in concepts}
    return Question(detect(text), tuple(unique.values()))


def _spelled_out(word: str) -> Iterator[str]:
    """A word as written in full: short forms, `kedai2`, `mahalll`."""
    full = _short_forms().get(word)
    if full is None and not word.isdigit():
        word = _STRETCHED.sub(r"\1", word)
        twice = _TWICE.match(word)
        word = twice[1] if twice else word
        full = _short_forms().get(word)
    yield from (word,) if full is None else full.replace("-", " ").split()


def _latin(found: list[str], glossary: Glossary, mend: Callable[[str], list[str]] | None) -> Iterator[Concept]:
    kept = [stem(word) for word in found if word not in stopwords()]
    at = 0
    while at < len(kept):
        for size in range(min(glossary.longest, len(kept) - at), 0, -1):
            asked = tuple(kept[at : at + size])
            equals = glossary.equals(asked)
            if equals or size == 1:
                break
        yield _concept(asked, equals, mend)
        at += size


def _concept(asked: Stems, equals: list[tuple[Stems, str]], mend: Callable[[str], list[str]] | None) -> Concept:
    ways: dict[Stems, float] = {asked: 1.0}
    for phrase, _ in equals:
        ways.setdefault(phrase, TRANSLATED)
    if mend and len(asked) == 1 and not equals:
        for near in mend(asked[0]):
            ways.setdefault((near,), CORRECTED)
    return Concept(asked, Clause(tuple(ways.items())))


def _chinese(run: str, glossary: Glossary) -> Iterator[Concept]:
    """Longest match against the glossary; what stays between goes by pairs, at a small weight."""
    left: list[str] = []
    at = 0
    while at < len(run):
        for size in range(min(glossary.longest_chinese, len(run) - at), 0, -1):
            phrase = run[at : at + size]
            equals = glossary.equals_chinese(phrase)
            if equals or (phrase in stopwords("zh") and size > 1):
                break
        if equals:
            yield from _leftover(left)
            left = []
            ways = {tuple(pairs(phrase)): 1.0} | {way: 1.0 for way, language in equals if language != "ta"}
            yield Concept((phrase,), Clause(tuple(ways.items())))
        elif phrase in stopwords("zh"):
            yield from _leftover(left)
            left = []
        else:
            left.append(phrase)
        at += size


def _leftover(characters: list[str]) -> Iterator[Concept]:
    if len(characters) > 1:
        for pair in pairs("".join(characters)):
            yield Concept((pair,), Clause((((pair,), 1.0),), LEFTOVER), PART)


def _tamil(found: list[str], glossary: Glossary) -> Iterator[Concept]:
    kept = [stem(word) for word in found if word not in _tamil_small()]
    at = 0
    while at < len(kept):
        for size in range(min(4, len(kept) - at), 0, -1):
            asked = tuple(kept[at : at + size])
            equals = glossary.equals_tamil(asked)
            if equals or size == 1:
                break
        ways = {asked: 1.0} | {way: 1.0 for way, language in equals if language != "zh"}
        yield Concept(asked, Clause(tuple(ways.items()), 1.0 if equals else LEFTOVER))
        at += size


@cache
def _short_forms() -> dict[str, str]:
    lines = (Path(__file__).parent / "data" / "shortforms.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


@cache
def _tamil_small() -> frozenset[str]:
    return frozenset(word for listed in stopwords("ta") for word in words(listed))
