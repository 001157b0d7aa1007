"""What a question asks for: its concepts, each with all the ways a document may word it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from selat.knowledge.index import Clause
from selat.knowledge.language import detect, stopwords
from selat.knowledge.terms import Glossary, Stems, short_forms
from selat.knowledge.words import HAN, TAMIL, normalise, pairs, stem, words

TRANSLATED = 0.85  # weight of an equal in another language, against the question's own words
SAME_LANGUAGE = 0.8
CORRECTED = 0.7
WEAK = 0.5  # weight of everyday words: seldom what a question is about
WEAK_PART = 0.35
PART = 0.6
LEFTOVER = 0.35  # weight of a Chinese pair or Tamil word that no glossary entry explains
_PIECE = re.compile(rf"[a-z]{{0,3}}[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[{HAN}]+|[{TAMIL}]+|[^\W_]+")
_TWICE = re.compile(r"^([a-z]{3,})2$")
_STRETCHED = re.compile(r"([a-z])\1{2,}")

_WEAK_WORDS = (
    "data statistik statistics maklumat information jumlah bilangan number kadar rate senarai list purata"
)
_WEAK = frozenset(stem(word) for word in _WEAK_WORDS.split())


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
    """`text` is the question in lower case with short forms written in full."""

    language: str
    concepts: tuple[Concept, ...]
    text: str = ""

    @property
    def clauses(self) -> list[Clause]:
        return [concept.clause for concept in self.concepts]


def understand(text: str, glossary: Glossary, mend: Callable[[str], list[str]] | None = None) -> Question:
    """Read a question of any of the four languages or a mix of them.

    `mend` gives near spellings of a stem that no document holds (empty when one does).
    """
    text = text[:4000]
    concepts: list[Concept] = []
    spelled: list[str] = []
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
        spelled.extend(_spelled_out(piece))
    unique = {concept.asked: concept for concept in concepts}
    written = " ".join(spelled)
    return Question(detect(written), tuple(unique.values()), written)


def _spelled_out(word: str) -> Iterator[str]:
    """A word as written in full: short forms, `kedai2`, `mahalll`."""
    full = short_forms().get(word)
    if full is None and not word.isdigit():
        word = _STRETCHED.sub(r"\1", word)
        twice = _TWICE.match(word)
        word = twice[1] if twice else word
        full = short_forms().get(word)
    yield from (word,) if full is None else full.split()


def _latin(found: list[str], glossary: Glossary, mend: Callable[[str], list[str]] | None) -> Iterator[Concept]:
    kept = [stem(word) for word in found if word not in stopwords()]
    at = 0
    while at < len(kept):
        for size in range(min(glossary.longest, len(kept) - at), 0, -1):
            asked = tuple(kept[at : at + size])
            equals = glossary.equals(asked)
            if equals or size == 1:
                break
        yield _concept(asked, equals, glossary, mend)
        at += size


def _concept(
    asked: Stems, equals: list[tuple[Stems, str]], terms: Glossary, mend: Callable[[str], list[str]] | None
) -> Concept:
    ways: dict[Stems, float] = {asked: 1.0}
    for phrase, _ in equals:
        ways.setdefault(phrase, TRANSLATED)
    if mend and len(asked) == 1 and not equals:
        for near in mend(asked[0]):
            ways.setdefault((near,), CORRECTED)
    weak = len(asked) == 1 and (asked[0] in _WEAK or terms.is_everyday(asked))
    return Concept(asked, Clause(tuple(ways.items()), WEAK if weak else 1.0), WEAK_PART if weak else 1.0)


def _chinese(run: str, glossary: Glossary) -> Iterator[Concept]:
    """Longest match against the glossary; what stays between goes by pairs, at a small weight."""
    left: list[str] = []
    at = 0
    while at < len(run):
        for size in range(min(glossary.longest_chinese, len(run) - at), 0, -1):
            phrase = run[at : at + size]
            small = phrase in stopwords("zh")
            equals = [] if small else glossary.equals_chinese(phrase)
            if equals or (small and size > 1):
                break
        if equals:
            yield from _leftover(left)
            left = []
            ways = {tuple(pairs(phrase)): 1.0} | {way: 1.0 for way, language in equals if language != "ta"}
            weak = size == 1 or glossary.is_everyday(tuple(pairs(phrase)))
            part = WEAK_PART if weak else 1.0
            yield Concept((phrase,), Clause(tuple(ways.items()), WEAK if weak else 1.0), part)
        elif small:
            yield from _leftover(left)
            left = []
        else:
            left.append(phrase)
        at += size
    yield from _leftover(left)


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
        weak = glossary.is_everyday(asked)
        yield Concept(
            asked,
            Clause(tuple(ways.items()), (WEAK if weak else 1.0) if equals else LEFTOVER),
            WEAK_PART if weak else 1.0,
        )
        at += size


@cache
def _tamil_small() -> frozenset[str]:
    return frozenset(word for listed in stopwords("ta") for word in words(listed))
