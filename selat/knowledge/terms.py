"""A Malay-English-Chinese-Tamil glossary: which words in the other languages say the same thing.

Files are `glossary/*.tsv`; the first line names the columns: `ms`, `en`, `zh`, `ta` hold synonyms parted by
`|`, `domain` what the row is about, `acronym` a further synonym. `shortforms.tsv` (`short`, `standard`) is
read by `short_forms`. Lines that open with `#` are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from selat.knowledge.language import stopwords
from selat.knowledge.words import pairs, stems, words

Stems = tuple[str, ...]
_STATE_WORDS: tuple[Stems, ...] = (("negeri",), ("state",))
_DISTRICT_WORDS: tuple[Stems, ...] = (("daerah",), ("district",), ("negeri",), ("state",))
_COUNTRY_WORDS = ("negara", "country", "warganegara", "kewarganegaraan", "nationality", "citizenship")
FEW = 8
LANGUAGES = ("ms", "en", "zh", "ta")
EVERYDAY = "everyday"  # the domain of words that seldom are what a question is about
PLACES = "places"
COUNTRIES = "countries"
# A question names a place where a document that covers all places names their kind.
_STATE_NAMES = (
    "johor kedah kelantan melaka pahang perak perlis sabah sarawak selangor terengganu labuan putrajaya"
    " negeri-sembilan pulau-pinang kuala-lumpur"
)
_STATES = frozenset(_STATE_NAMES.split())
FOLDER = Path(__file__).parent / "glossary"


@dataclass(slots=True)
class Glossary:
    """Lookup from a phrase's stems to the stems of its equals. Chinese phrases are looked up as written."""

    _ids: dict[Stems, list[int]] = field(default_factory=dict)
    _entries: list[tuple[tuple[Stems, str], ...]] = field(default_factory=list)
    _chinese: dict[str, list[int]] = field(default_factory=dict)
    _tamil: dict[str, list[tuple[Stems, int]]] = field(default_factory=dict)
    _telling: set[Stems] = field(default_factory=set)
    _everyday: set[Stems] = field(default_factory=set)
    _places: dict[Stems, tuple[Stems, ...]] = field(default_factory=dict)
    _countries: set[Stems] = field(default_factory=set)
    _written: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    _pairs: dict[str, list[int]] = field(default_factory=dict)
    longest: int = 1
    longest_chinese: int = 1

    def add(self, columns: Iterable[tuple[str, str]], domain: str = "") -> None:
        """Take one row: pairs of language and its synonyms parted by `|`."""
        kind = self._everyday if domain == EVERYDAY else self._telling
        entry: list[tuple[Stems, str]] = []
        number = len(self._entries)
        columns = list(columns)
        key_word = columns[0][1].split("|")[0].lower().replace(" ", "-")
        kinds = _STATE_WORDS if key_word in _STATES else _DISTRICT_WORDS
        for language, cell in columns:
            for phrase in cell.split("|"):
                phrase = phrase.strip()
                if not phrase:
                    continue
                if language == "zh":
                    self._chinese.setdefault(phrase.lower(), []).append(number)
                    self.longest_chinese = max(self.longest_chinese, len(phrase))
                    if len(phrase) > 2:
                        for pair in pairs(phrase):
                            self._pairs.setdefault(pair, []).append(number)
                key = phrase_stems(phrase)
                if not key:
                    continue
                entry.append((key, language))
                kind.add(key)
                if domain == PLACES and key_word != "malaysia":
                    self._places.setdefault(key, kinds)
                elif domain == COUNTRIES:
                    self._places.setdefault(key, _country_kinds())
                    self._countries.add(key)
                self._ids.setdefault(key, []).append(number)
                self.longest = max(self.longest, len(key))
                if language == "ta":
                    self._written.setdefault(tuple(words(phrase)), []).append(number)
                    self._tamil.setdefault(key[0][:3], []).append((key, number))
        self._entries.append(tuple(dict.fromkeys(entry)))

    def equals(self, phrase: Stems) -> list[tuple[Stems, str]]:
        """Stems and language of all that means the same as `phrase`, itself left out; empty when unknown."""
        return self._equals(self._ids.get(phrase, ()), phrase)

    def equals_chinese(self, phrase: str) -> list[tuple[Stems, str]]:
        """As `equals`, for a Chinese phrase as written."""
        return self._equals(self._chinese.get(phrase, ()), phrase_stems(phrase))

    def around_chinese(self, pair: str) -> list[tuple[Stems, str]]:
        """Equals of the longer phrases that a two-character piece is part of; none for a common piece."""
        numbers = self._pairs.get(pair, ())
        return self._equals(numbers, (pair,)) if len(numbers) <= FEW else []

    def kinds_of_place(self, phrase: Stems) -> tuple[Stems, ...]:
        """What a document on all places calls one of them (`state`, `district`); empty for no place."""
        return self._places.get(phrase, ())

    def is_country(self, phrase: Stems) -> bool:
        """Whether a phrase names a country other than Malaysia, or a group of them."""
        return phrase in self._countries

    def equals_tamil(self, found: Sequence[str]) -> list[tuple[Stems, str]]:
        """Equals of some words: as written, else by their stems, else by a shared beginning of each."""
        phrase = tuple(stems(found))
        written = self._written.get(tuple(found))
        exact = self._equals(written, phrase) if written else self.equals(phrase)
        if exact or not phrase:
            return exact
        near = [
            number
            for key, number in self._tamil.get(phrase[0][:3], ())
            if len(key) == len(phrase) and all(map(_alike, key, phrase))
        ]
        return self._equals(near, phrase)

    def is_everyday(self, phrase: Stems) -> bool:
        """Whether a phrase is in the glossary only as an everyday word."""
        return phrase in self._everyday and phrase not in self._telling

    def _equals(self, numbers: Iterable[int], phrase: Stems) -> list[tuple[Stems, str]]:
        found = (pair for number in numbers for pair in self._entries[number] if pair[0] != phrase)
        return list(dict.fromkeys(found))

    def __len__(self) -> int:
        return len(self._entries)


def _alike(one: str, other: str) -> bool:
    """Whether two Tamil stems share their beginning: 4 code points and all but 3 of the longer."""
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared >= 4 and shared >= max(len(one), len(other)) - 3


@cache
def _country_kinds() -> tuple[Stems, ...]:
    return tuple(dict.fromkeys(phrase_stems(word) for word in _COUNTRY_WORDS))


@cache
def phrase_stems(phrase: str) -> Stems:
    """The stems of a phrase without words that carry no subject, unless it holds nothing else."""
    found = words(phrase)
    return tuple(stems([word for word in found if word not in stopwords()] or found))


def load(folder: Path = FOLDER) -> Glossary:
    """The glossary of all files in a folder, in order of their names."""
    glossary = Glossary()
    for path in sorted(folder.glob("*.tsv")):
        for row in _rows(path):
            columns = [(language, row.get(language, "")) for language in LANGUAGES]
            if "short" not in row:
                glossary.add([*columns, ("ms", row.get("acronym", ""))], row.get("domain", ""))
    phrase_stems.cache_clear()
    return glossary


@cache
def short_forms() -> dict[str, str]:
    """Chat spellings to the words they stand for, the usual reading of each."""
    data = Path(__file__).parent / "data"
    rows = [row for path in (FOLDER / "shortforms.tsv", data / "shortforms.tsv") for row in _rows(path)]
    return {row["short"]: row["standard"].split("|")[0].replace("-", " ") for row in rows}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table as column name to cell."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    names = lines[0].split("\t")
    return (dict(zip(names, line.split("\t"), strict=False)) for line in lines[1:])


@cache
def shared() -> Glossary:
    """The project's own glossary, read at first need and kept."""
    return load()
