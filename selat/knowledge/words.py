"""Text to words and stems: one way for documents and questions, whatever language a word is from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from selat.knowledge.english import english_stem
from selat.knowledge.malay import malay_root, roots, strip_circumfix
from selat.knowledge.tamil import tamil_stem

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
TAMIL = "\u0b80-\u0bff"
_ASCII = re.compile(r"[a-z]{0,3}[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+")
_ANY = re.compile(rf"[a-z]{{0,3}}[0-9]+(?:[.,][0-9]+)+|[a-z0-9]+|[{HAN}]+|[{TAMIL}]+|[^\W_]+")
_HAN_RUN = re.compile(f"[{HAN}]+")
_ZERO_WIDTH = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD])
_DECIMALS = re.compile(r"\.[0-9]"), re.compile(",[0-9]")  # a fixed first letter is found six times as fast
# ASCII to lower-case letters and digits, all else to spaces: five times faster than the pattern.
_LETTERS = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
_MAX_CACHE = 300_000
# Words whose ends only look like affixes, under the stem they keep: an `orange` is no person, a baby no pig.
_FAMILIES = (
    "orange oranges", "baby babies", "base bases based", "partial partially", "united", "peanut peanuts", "goods",
    "fare fares", "lived", "family families", "supply supplies supplied supplying", "assembly assemblies",
)  # fmt: skip
_KEPT = {form: forms.split()[0] for forms in _FAMILIES for form in forms.split()}


def _bare_letters() -> dict[int, str]:
    table = {}
    for code in range(0xC0, 0x250):
        base = unicodedata.normalize("NFKD", chr(code))[0]
        if base.isascii() and base.isalpha():
            table[code] = base
    return table


_BARE = _bare_letters()


def normalise(text: str) -> str:
    """NFKC, lower case, zero-width characters and Latin accents dropped: a form to match in, never to show."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH)
    return text.casefold().translate(_BARE)


def words(text: str) -> list[str]:
    """The words of a text in order; Chinese runs come as overlapping pairs of characters."""
    if text.isascii():
        if not (_DECIMALS[0].search(text) or _DECIMALS[1].search(text)):
            return text.translate(_LETTERS).split()
        return [word.replace(",", "") for word in _ASCII.findall(text.lower())]
    text = normalise(text)
    out: list[str] = []
    for word in _ANY.findall(text):
        if word[0] >= "\u3400" and _HAN_RUN.match(word):
            out.extend(pairs(word))
        else:
            out.append(word.replace(",", ""))
    return out


def pairs(run: str) -> Iterator[str]:
    """Overlapping two-character pieces of a Chinese run; the run itself when it is one character."""
    if len(run) == 1:
        yield run
    for at in range(len(run) - 1):
        yield run[at : at + 2]


class _Stems(dict[str, str]):
    """Stems computed once a word; a text of 50,000 words has few thousand forms."""

    def __missing__(self, word: str) -> str:
        if len(self) > _MAX_CACHE:
            self.clear()
        stem = self[word] = _stem(word)
        return stem


def _stem(word: str) -> str:
    if TAMIL[0] <= word[0] <= TAMIL[-1]:
        return tamil_stem(word)
    if not word.isascii() or not word.isalpha() or len(word) < 4:
        return word
    kept = _KEPT.get(word) or malay_root(word)
    if kept:
        return kept
    if word[-1] == "s" and word[:-1] in roots():
        return word[:-1]  # `hospitals`: a root that both languages have
    bare = strip_circumfix(word)
    return bare if bare != word else english_stem(word)


_STEMS = _Stems()


def stem(word: str) -> str:
    """The stem of one normalised word: its Malay root when one is known, else its English or Tamil stem."""
    return _STEMS[word]


def stems(found: Iterable[str]) -> list[str]:
    return list(map(_STEMS.__getitem__, found))


def one_slip(one: str, other: str) -> bool:
    """Whether one letter was changed, dropped, added, or swapped with the next."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    at = next((i for i, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), None)
    if at is None:
        return True
    left, right = one[at:], other[at:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or swapped
