"""Tamil stems: case, plural and clitic endings stripped, so that an inflected word meets its noun."""

from __future__ import annotations

# Longest first; endings as written, vowel signs included.
_WRITTEN = (
    "களிலிருந்து களுக்கான களுக்கு களின் களில் களால் களுடன் களையும் களும் களை களான கள் "
    "க்கான ுக்கான ிற்கான ற்கான த்திற்கான த்தின் த்தில் த்தை த்தால் த்திற்கு த்துக்கு த்துடன் த்தும் "
    "த்திலிருந்து யிலிருந்து ிலிருந்து லிருந்து ுக்கும் ுக்கு க்கும் க்கு ிற்கு ற்கு ின் யின் வின் ில் யில் வில் "
    "னின் னில் னை னால் டின் டில் ட்டின் ட்டில் ற்றின் ற்றில் றின் றில் "
    "ால் யால் ுடன் யுடன் ையும் யும் ும் ாக யாக ான யான ை யை வை த்து"
)
_ENDINGS = tuple(sorted(_WRITTEN.split(), key=len, reverse=True))
_SHORTEST = 3
_AFTER_N = ("டில்", "டின்")  # part of the noun after ண்: `ஆண்டில்` is in a year (`ஆண்டு`), not of males (`ஆண்`)
_SIGNS = "ாிீுூெேைொோௌ்"


def tamil_stem(word: str) -> str:
    """The word without its ending and without a trailing vowel sign or pulli; at least 3 code points stay."""
    for ending in _ENDINGS:
        if ending in _AFTER_N and word.endswith(f"ண்{ending}"):
            continue
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            word = word[: -len(ending)]
            break
    while len(word) > _SHORTEST and word[-1] in _SIGNS:
        word = word[:-1]
    if len(word) > _SHORTEST and word.endswith("ம"):
        word = word[:-1]
    return word
