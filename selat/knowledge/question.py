"""What a question asks for: its concepts, each with all the ways a document may word it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from selat.knowledge.language import detect, stopwords
from selat.knowledge.quantities import quantities
from selat.knowledge.scope import Clause
from selat.knowledge.terms import Glossary, Stems, short_forms
from selat.knowledge.words import HAN, TAMIL, normalise, pairs, stem, words

TRANSLATED = 0.85  # weight of an equal in another language, against the question's own words
SAME_LANGUAGE = 0.8
CORRECTED = 0.7
PLACE = 0.55  # weight of a place's kind, for documents that cover all places
NEAR = 0.5
MOST = 64  # concepts of a question; a pasted page is read no further
WEAK = 0.5  # weight of everyday words: seldom what a question is about
WEAK_PART = 0.35
PART = 0.6
LATIN = ("ms", "en")
_BREAKS = ("mengikut", "menurut", "by")  # `doctors of the government by state` asks for no state government
_YEAR_WORDS = ("tahun", "year")
LEFTOVER = 0.35  # weight of a Chinese pair or Tamil word that no glossary entry explains
_PIECE = re.compile(rf"[a-z]{{0,3}}[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[{HAN}]+|[{TAMIL}]+|[^\W_]+")
_YEAR = re.compile(r"(?:19|20)[0-9][0-9]")
_VOWELS = frozenset("aeiou")
_TWICE = re.compile(r"^([a-z]{3,})2$")
_STRETCHED = re.compile(r"([a-z])\1{2,}")

_WEAK_WORDS = (
    "data statistik statistics maklumat information jumlah bilangan number kadar rate senarai list purata"
    " peratus peratusan percent percentage proportion nisbah ratio share history sejarah angka figures count total"
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
    stems: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stems", frozenset(stem for way, _ in self.clause.alternatives for stem in way))


class Vocabulary(Protocol):
    """The stems that documents hold."""

    def frequency(self, stem: str) -> int: ...

    def near(self, stem: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """`text` is the question in lower case with short forms written in full; `stems` are of all its wordings."""

    language: str
    concepts: tuple[Concept, ...]
    text: str = ""
    stems: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stems", frozenset(stem for one in self.concepts for stem in one.stems))

    @property
    def clauses(self) -> list[Clause]:
        return [concept.clause for concept in self.concepts]


def understand(text: str, glossary: Glossary, vocabulary: Vocabulary | None = None) -> Question:
    """Read a question of any of the four languages or a mix of them, against the words that documents hold."""
    text = text[:4000]
    concepts: list[Concept] = []
    spelled: list[str] = []
    latin: list[str] = []
    tamil: list[str] = []
    plain, counted = quantities(normalise(text))
    concepts += [Concept(ways[0], Clause(tuple((way, 1.0) for way in ways))) for ways in counted]
    for piece in [*_PIECE.findall(plain), ""]:
        is_tamil = "\u0b80" <= piece[:1] <= "\u0bff"
        if latin and (is_tamil or not piece.isascii() or not piece):
            concepts.extend(_latin(latin, glossary, vocabulary))
            latin = []
        if tamil and not is_tamil:
            concepts.extend(_tamil(tamil, glossary))
            tamil = []
        if is_tamil:
            tamil.append(piece)
        elif "\u3400" <= piece[:1] <= "\u9fff":
            concepts.extend(_chinese(piece, glossary))
        elif piece:
            latin.extend(_spelled_out(piece, vocabulary))
        spelled.extend(_spelled_out(piece, vocabulary))
    written = " ".join(spelled)
    return Question(detect(written), tuple(_once(concepts))[:MOST], written)


def _once(concepts: list[Concept]) -> Iterator[Concept]:
    """Each concept once, and none that the one before it has among its wordings: `epf kwsp` asks for one thing."""
    seen: set[Stems] = set()
    before: frozenset[Stems] = frozenset()
    for concept in concepts:
        if concept.asked not in seen and concept.asked not in before:
            yield concept
        seen.add(concept.asked)
        before = frozenset(way for way, worth in concept.clause.alternatives if worth >= SAME_LANGUAGE)


def is_year(asked: Stems) -> bool:
    """Whether a concept is a year: few documents name each one that they speak of."""
    return len(asked) == 1 and _YEAR.fullmatch(asked[0]) is not None


def _spelled_out(word: str, vocabulary: Vocabulary | None) -> Iterator[str]:
    """A word as written in full: short forms, `kedai2`, `mahalll`.

    A short form of words without subject is left alone where documents use it as a word (`gini`).
    """
    full = short_forms().get(word)
    if full and len(word) > 3 and vocabulary and vocabulary.frequency(stem(word)):
        full = None if stopwords().issuperset(full.split()) else full
    if full is None and not word.isdigit():
        word = _STRETCHED.sub(r"\1", word)
        twice = _TWICE.match(word)
        word = twice[1] if twice else word
        full = short_forms().get(word)
    yield from (word,) if full is None else full.split()


def _latin(found: list[str], glossary: Glossary, vocabulary: Vocabulary | None) -> Iterator[Concept]:
    """Concepts between the words that part what is asked for from what it is broken down by."""
    begin = 0
    for at, word in enumerate([*found, _BREAKS[0]]):
        if word in _BREAKS:
            yield from _run(found[begin:at], glossary, vocabulary)
            begin = at + 1


def _run(found: list[str], glossary: Glossary, vocabulary: Vocabulary | None) -> Iterator[Concept]:
    kept = [stem(word) for word in _without_year_words(found) if word not in stopwords()]
    at = 0
    while at < len(kept):
        for size in range(min(glossary.longest, len(kept) - at), 0, -1):
            asked = tuple(kept[at : at + size])
            equals = glossary.equals(asked)
            if equals or size == 1:
                break
        yield _concept(asked, equals, glossary, vocabulary)
        at += size


def _without_year_words(found: list[str]) -> Iterator[str]:
    """`tahun 1995` asks for 1995, and for nothing called a year."""
    for word, after in zip(found, [*found[1:], ""], strict=True):
        if word not in _YEAR_WORDS or not _YEAR.fullmatch(after):
            yield word


def _concept(
    asked: Stems, equals: list[tuple[Stems, str]], terms: Glossary, vocabulary: Vocabulary | None
) -> Concept:
    ways: dict[Stems, float] = {asked: 1.0}
    for phrase, _ in equals:
        ways.setdefault(phrase, TRANSLATED)
    for kind in terms.kinds_of_place(asked):
        ways.setdefault(kind, PLACE)
    if vocabulary and len(asked) == 1 and not equals and not vocabulary.frequency(asked[0]):
        for near in [*_with_schwa(asked[0], vocabulary), *vocabulary.near(asked[0])]:
            ways.setdefault((near,), CORRECTED)
            for phrase, _ in terms.equals((near,)):
                ways.setdefault(phrase, CORRECTED * TRANSLATED)
    weak = len(asked) == 1 and (asked[0] in _WEAK or terms.is_everyday(asked) or is_year(asked))
    return Concept(asked, Clause(tuple(ways.items()), WEAK if weak else 1.0), WEAK_PART if weak else 1.0)


def _with_schwa(word: str, vocabulary: Vocabulary) -> Iterator[str]:
    """Stems in use that a word becomes with an `e` put back between two consonants: `blanja`, `kmiskinan`."""
    if len(word) > 3 and word.isalpha():
        for at in range(1, len(word)):
            if _VOWELS.isdisjoint(word[at - 1 : at + 1]):
                found = stem(f"{word[:at]}e{word[at:]}")
                if vocabulary.frequency(found):
                    yield found


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
            yield from _leftover(left, glossary)
            left = []
            ways = {tuple(pairs(phrase)): 1.0} | {way: 1.0 for way, language in equals if language != "ta"}
            ways |= dict.fromkeys(glossary.kinds_of_place(tuple(pairs(phrase))), PLACE)
            weak = size == 1 or glossary.is_everyday(tuple(pairs(phrase)))
            part = WEAK_PART if weak else 1.0
            yield Concept((phrase,), Clause(tuple(ways.items()), WEAK if weak else 1.0), part)
        elif small:
            yield from _leftover(left, glossary)
            left = []
        else:
            left.append(phrase)
        at += size
    yield from _leftover(left, glossary)


def _leftover(characters: list[str], glossary: Glossary) -> Iterator[Concept]:
    """Pairs of a run that no entry explains, with what longer phrases around them mean."""
    for pair in pairs("".join(characters)) if characters else ():
        ways = {(pair,): 1.0} | {way: NEAR for way, language in glossary.around_chinese(pair) if language in LATIN}
        weight = LEFTOVER if len(ways) == 1 else 1.0
        yield Concept((pair,), Clause(tuple(ways.items()), weight), PART if len(pair) > 1 else WEAK_PART)


def _tamil(found: list[str], glossary: Glossary) -> Iterator[Concept]:
    kept = [word for word in found if word not in _tamil_small()]
    at = 0
    while at < len(kept):
        for size in range(min(4, len(kept) - at), 0, -1):
            equals = glossary.equals_tamil(kept[at : at + size])
            if equals or size == 1:
                break
        asked = tuple(stem(word) for word in kept[at : at + size])
        ways = {asked: 1.0} | {way: 1.0 for way, language in equals if language != "zh"}
        ways |= dict.fromkeys(glossary.kinds_of_place(asked), PLACE)
        weak = glossary.is_everyday(asked)
        weight = (WEAK if weak else 1.0) if equals else LEFTOVER
        yield Concept(asked, Clause(tuple(ways.items()), weight), WEAK_PART if weak else 1.0)
        at += size


@cache
def _tamil_small() -> frozenset[str]:
    return frozenset(word for listed in stopwords("ta") for word in words(listed))
