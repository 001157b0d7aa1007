"""Reads numbers that are spelled out: `kosong satu dua …`, `zero one two …`, `零一二…`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard import facts
from selat.guard.labels import label_before

_WORDS = {
    "kosong": "0", "sifar": "0", "zero": "0", "oh": "0", "nol": "0", "o": "0", "satu": "1", "one": "1", "dua": "2",
    "two": "2", "tiga": "3", "three": "3", "empat": "4", "four": "4", "lima": "5", "five": "5", "enam": "6", "six": "6",
    "tujuh": "7", "seven": "7", "lapan": "8", "delapan": "8", "eight": "8", "sembilan": "9", "nine": "9",
    "பூஜ்ஜியம்": "0", "பூஜ்யம்": "0", "சுழியம்": "0", "ஒன்று": "1", "இரண்டு": "2", "மூன்று": "3", "நான்கு": "4", "ஐந்து": "5",
    "ஆறு": "6", "ஏழு": "7", "எட்டு": "8", "ஒன்பது": "9",
}  # fmt: skip
_CHINESE = dict(zip("零〇一二三四五六七八九幺", "001234567891", strict=True))
_TIMES = {"double": 2, "dabel": 2, "triple": 3, "tripel": 3}
_NAMES = "|".join(sorted(_WORDS, key=len, reverse=True))
_COMMON = "|".join(word for word in _WORDS if word.isascii() and len(word) > 2)
TRIGGERS = (
    rf"(?i)(?:{_COMMON})[ ,\-]{{1,3}}(?:{_COMMON}|double|triple|dabel)[ ,\-]{{1,3}}(?:{_COMMON}|double|triple|dabel)"
    rf"[ ,\-]{{1,3}}(?:{_COMMON}|double|triple|dabel)",
    rf"(?i)(?:{_COMMON})[ ,\-]{{1,3}}(?:{_COMMON}|double|triple|dabel)[ ,\-]{{1,3}}[0-9]{{3}}",
    "(?:" + "|".join(_CHINESE) + "){9}",
    "(?:" + "|".join(word for word in _WORDS if not word.isascii()) + r")[ ,]{1,2}(?:"
    + "|".join(word for word in _WORDS if not word.isascii()) + r")[ ,]{1,2}",
)  # fmt: skip

_STEP = rf"(?:{_NAMES}|double|dabel|triple|tripel|\d{{1,5}})"
_RUN = re.compile(
    rf"(?<![A-Za-z\d])(?:{_STEP}(?:[ ,.\-]{{1,3}}|[ ,]*(?:dash|sengkang)[ ,]*)){{3,19}}{_STEP}(?![A-Za-z\d])"
    rf"|[{''.join(_CHINESE)}]{{9,14}}",
    re.I,
)
_TOKEN = re.compile(rf"{_STEP}|[{''.join(_CHINESE)}]", re.I)


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        match = _RUN.search(text, max(done, end - 48), min(len(text), end + 160))
        if match is None:
            continue
        digits = _digits(match[0])
        kind = _kind(digits, label_before(text, match.start()).name)
        if kind:
            done = match.end()
            yield Finding(match.start(), match.end(), kind, 0.85)


def _digits(words: str) -> str:
    found, times = [], 1
    for token in _TOKEN.findall(words):
        token = token.lower()
        if token in _TIMES:
            times = _TIMES[token]
            continue
        found.append((_WORDS.get(token) or _CHINESE.get(token) or token) * times)
        times = 1
    return "".join(found)


def _kind(digits: str, label: str) -> str:
    if label != "PHONE" and facts.is_mykad(digits):
        return "MYKAD"
    national = digits[2:] if digits.startswith("60") else digits[1:] if digits.startswith("0") else ""
    if len(national) in facts.national_lengths(national):
        return "PHONE"
    return "BANK_ACCOUNT" if label == "BANK" and 9 <= len(digits) <= 17 else ""
