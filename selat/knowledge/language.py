"""Which language a text is in: by script and small words, Indonesian told apart from Malay."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from selat.knowledge.words import HAN, TAMIL, normalise, words

_DATA = Path(__file__).parent / "data"
_HAN = re.compile(f"[{HAN}]")
_TAMIL = re.compile(f"[{TAMIL}]")
_LATIN = re.compile("[a-z]")


def detect(text: str, default: str = "ms") -> str:
    """`zh`, `ta`, `ms` or `en`; `default` when a Latin text says too little. Indonesian counts as `ms` here.

    A text is Chinese or Tamil when a quarter of its letters are: product names in Latin do not sway it.
    """
    text = normalise(text[:4000])
    if not text.isascii():
        han, tamil, latin = (len(pattern.findall(text)) for pattern in (_HAN, _TAMIL, _LATIN))
        if max(han * 3, tamil) * 3 > latin and max(han, tamil):
            return "zh" if han * 2 > tamil else "ta"
    found = words(text)
    malay = sum(map(_small_words("ms").__contains__, found))
    english = sum(map(_small_words("en").__contains__, found))
    if malay == english:
        malay += sum(_looks_malay(word) for word in found)
        english += sum(_looks_english(word) for word in found)
    if malay == english:
        return default
    return "ms" if malay > english else "en"


def is_indonesian(text: str) -> bool:
    """Whether a Malay-type text is written in Indonesian: it holds words that Malaysian spelling has not."""
    found = words(text[:4000])
    return sum(word in _small_words("id") for word in found) * 25 > len(found)


@cache
def _small_words(language: str) -> frozenset[str]:
    for line in (_DATA / "language_words.tsv").read_text(encoding="utf-8").splitlines():
        code, _, listed = line.partition("\t")
        if code == language:
            return frozenset(listed.split())
    return frozenset()


@cache
def stopwords(language: str = "") -> frozenset[str]:
    """Words that carry no subject: Malay, English and chat in one list, `zh` and `ta` in their own."""
    name = f"stopwords_{language}.txt" if language else "stopwords.txt"
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _looks_malay(word: str) -> bool:
    return (
        len(word) > 5 and word.endswith(("an", "kan")) and word.startswith(("pe", "ke", "me", "ber", "ter", "di"))
    )


def _looks_english(word: str) -> bool:
    return len(word) > 4 and word.endswith(("tion", "ing", "ment", "ity", "ness", "ers", "ies", "ed", "th"))
