"""English stems: endings stripped lightly, enough for a word and its plural, verb and noun to meet."""

from __future__ import annotations

import re

_VOWEL = re.compile(r"[aeiouy]")
# Ending, what replaces it, and the fewest letters that must stay before it.
_PLURALS = (("sses", "ss", 2), ("ies", "i", 2), ("ss", "ss", 1), ("us", "us", 1), ("is", "is", 1), ("s", "", 2))
_VERBS = (("ingly", "", 3), ("edly", "", 3), ("ing", "", 3), ("ed", "", 3))
_NOUNS = (
    ("ization", "iz", 3), ("isation", "iz", 3), ("ational", "at", 3), ("fulness", "ful", 2), ("ousness", "ous", 2),
    ("iveness", "iv", 3), ("ation", "at", 3), ("ators", "at", 3), ("ator", "at", 3), ("ate", "at", 3),
    ("ically", "ic", 3), ("ical", "ic", 3), ("eri", "", 4), ("ery", "", 4), ("ment", "", 4), ("ness", "", 4),
    ("ally", "", 4), ("al", "", 4), ("iti", "", 4), ("ity", "", 4), ("ive", "", 4), ("iv", "", 4), ("ism", "", 4),
    ("ist", "", 4), ("ise", "iz", 3), ("ize", "iz", 3), ("ance", "", 4), ("ence", "", 4), ("able", "", 4),
    ("ion", "", 4), ("ly", "", 4), ("er", "", 4), ("or", "", 5), ("e", "", 3), 
)  # fmt: skip


def english_stem(word: str) -> str:
    """The stem of a lower-case word; words of three letters or fewer are left alone."""
    if len(word) <= 3 or not word.isalpha():
        return word
    word = _strip(word, _PLURALS)
    shorter = _strip(word, _VERBS)
    if shorter != word and _VOWEL.search(shorter):
        if shorter[-1] == shorter[-2] and shorter[-1] not in "lsz":
            shorter = shorter[:-1]
        word = shorter
    word = _strip(word, _NOUNS)
    return word[:-1] + "i" if word[-1] == "y" and len(word) > 3 else word


def _strip(word: str, endings: tuple[tuple[str, str, int], ...]) -> str:
    for ending, instead, least in endings:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            return word[: -len(ending)] + instead
    return word
