"""A Malay-English-Chinese-Tamil glossary: which words in the other languages say the same thing.

Files are `glossary/*.tsv`; the first line names the columns: `ms`, `en`, `zh`, `ta` hold synonyms parted by
`|`, `domain` what the row is about, `acronym` a further synonym. `shortforms.tsv` (`short`, `standard`) is
read by `short_forms`. Lines that open with `#` are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from selat.knowledge.language import stopwords
from selat.knowledge.packed import Lists, Phrases
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
# What is known of a phrase: bits, and the kind of place that it is.
_TELLING, _EVERYDAY, _ABROAD = 1, 2, 4
_STATE, _DISTRICT, _COUNTRY = 1, 2, 3
_KINDS: tuple[tuple[Stems, ...], ...] = ((), _STATE_WORDS, _DISTRICT_WORDS)


class Glossary:
    """Lookup from a phrase's stems to the stems of its equals. Chinese phrases are looked up as written.

    All that is looked up is in one list of phrases, and what is said of each in arrays by its number.
    """

    def __init__(self) -> None:
        self._phrases = Phrases()
        self._ids, self._chinese, self._written, self._pairs = Lists(), Lists(), Lists(), Lists()
        self._alike_keys, self._alike_rows = Lists(), Lists()  # by the beginning of a Tamil phrase, side by side
        self._equal = Lists()  # by row: the number of a phrase and, in the last two bits, its language
        self._rows = 0
        self._marks, self._kinds = bytearray(), bytearray()
        self.longest = self.longest_chinese = 1

    def add(self, columns: Iterable[tuple[str, str]], domain: str = "") -> None:
        """Take one row: pairs of language and its synonyms parted by `|`."""
        entry: dict[int, None] = {}
        columns = list(columns)
        key_word = columns[0][1].split("|")[0].lower().replace(" ", "-")
        place = _STATE if key_word in _STATES else _DISTRICT
        for language, cell in columns:
            for phrase in filter(None, map(str.strip, cell.split("|"))):
                if language == "zh":
                    self._add_chinese(phrase)
                stems_ = phrase_stems(phrase)
                if not stems_:
                    continue
                key = self._number(stems_)
                entry[key << 2 | LANGUAGES.index(language)] = None
                self._marks[key] |= _EVERYDAY if domain == EVERYDAY else _TELLING
                if domain == PLACES and key_word != "malaysia":
                    self._kinds[key] = self._kinds[key] or place
                elif domain == COUNTRIES:
                    self._kinds[key] = self._kinds[key] or _COUNTRY
                    self._marks[key] |= _ABROAD
                self._ids.add(key, self._rows)
                self.longest = max(self.longest, len(stems_))
                if language == "ta":
                    self._written.add(self._number(words(phrase)), self._rows)
                    beginning = self._number((stems_[0][:3],))
                    self._alike_keys.add(beginning, key)
                    self._alike_rows.add(beginning, self._rows)
        for one in entry:
            self._equal.add(self._rows, one)
        self._rows += 1

    def equals(self, phrase: Stems) -> list[tuple[Stems, str]]:
        """Stems and language of all that means the same as `phrase`, itself left out; empty when unknown."""
        return self._equals(self._ids.of(self._phrases.find(phrase)), phrase)

    def equals_chinese(self, phrase: str) -> list[tuple[Stems, str]]:
        """As `equals`, for a Chinese phrase as written."""
        return self._equals(self._chinese.of(self._phrases.find((phrase,))), phrase_stems(phrase))

    def around_chinese(self, pair: str) -> list[tuple[Stems, str]]:
        """Equals of the longer phrases that a two-character piece is part of; none for a common piece."""
        rows = self._pairs.of(self._phrases.find((pair,)))
        return self._equals(rows, (pair,)) if len(rows) <= FEW else []

    def kinds_of_place(self, phrase: Stems) -> tuple[Stems, ...]:
        """What a document on all places calls one of them (`state`, `district`); empty for no place."""
        number = self._phrases.find(phrase)
        kind = self._kinds[number] if number >= 0 else 0
        return _country_kinds() if kind == _COUNTRY else _KINDS[kind]

    def is_country(self, phrase: Stems) -> bool:
        """Whether a phrase names a country other than Malaysia, or a group of them."""
        return bool(self._mark(phrase) & _ABROAD)

    def equals_tamil(self, found: Sequence[str]) -> list[tuple[Stems, str]]:
        """Equals of some words: as written, else by their stems, else by a shared beginning of each."""
        phrase = tuple(stems(found))
        written = self._written.of(self._phrases.find(found))
        exact = self._equals(written, phrase) if written else self.equals(phrase)
        if exact or not phrase:
            return exact
        beginning = self._phrases.find((phrase[0][:3],))
        candidates = zip(self._alike_keys.of(beginning), self._alike_rows.of(beginning), strict=True)
        near = []
        for number, row in candidates:
            key = self._phrases[number]
            if len(key) == len(phrase) and all(map(_alike, key, phrase)):
                near.append(row)
        return self._equals(near, phrase)

    def is_everyday(self, phrase: Stems) -> bool:
        """Whether a phrase is in the glossary only as an everyday word."""
        return self._mark(phrase) & (_EVERYDAY | _TELLING) == _EVERYDAY

    def _add_chinese(self, phrase: str) -> None:
        self._chinese.add(self._number((phrase.lower(),)), self._rows)
        self.longest_chinese = max(self.longest_chinese, len(phrase))
        if len(phrase) > 2:
            for pair in pairs(phrase):
                self._pairs.add(self._number((pair,)), self._rows)

    def _number(self, phrase: Sequence[str]) -> int:
        number = self._phrases.add(phrase)
        if number == len(self._marks):
            self._marks.append(0)
            self._kinds.append(0)
        return number

    def _mark(self, phrase: Stems) -> int:
        number = self._phrases.find(phrase)
        return self._marks[number] if number >= 0 else 0

    def _equals(self, rows: Iterable[int], phrase: Stems) -> list[tuple[Stems, str]]:
        found = dict.fromkeys(one for row in rows for one in self._equal.of(row))
        pairs_ = ((self._phrases[one >> 2], LANGUAGES[one & 3]) for one in found)
        return [pair for pair in pairs_ if pair[0] != phrase]

    def __len__(self) -> int:
        return self._rows


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


@lru_cache(256)
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
