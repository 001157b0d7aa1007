"""Reads what is not only digits: passports, tax numbers, old company numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard.labels import label_before

# Words and prefixes that an automaton can look for as such: a letter and digits by themselves cost it dearly.
PASSPORT_TRIGGERS = (
    r"(?i)pas+po(?:r|t)",
    r"(?i)travel doc",
    r"(?i)dokumen perjalanan",
    "(?:护照|護照|பாஸ்போர்ட்|கடவுச்சீட்டு)",
)
TRIGGERS = (r"(?i)(?:ig|sg|og)[ \-]{0,2}[0-9]{3}", r"[0-9]{5} ?- ?[A-Z]\b", r"LLP[0-9]{7}")

_PASSPORT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,2}[ -]?\d(?:[ -]?\d){5,8}[A-Z]?(?![A-Za-z0-9])")
_TIN = re.compile(r"(?<![A-Za-z0-9])[ISO]G(?:[ -]{0,2}\d){9,11}(?![A-Za-z0-9])", re.I)
# Companies before October 2019, and businesses: `AS0123456-K`, `001234567-T`.
_OLD_SSM = re.compile(r"(?<![A-Za-z0-9-])(?:[A-Z]{2}\d{7}|\d{5,9}) ?- ?[A-Z](?![A-Za-z0-9])")
_LLP = re.compile(r"(?<![A-Za-z0-9])LLP\d{7}(?:-[A-Z]{3})?(?![A-Za-z0-9])")
_COMPANY_WORD = re.compile(
    r"ssm|sdn|bhd|berhad|syarikat|company|co\.|reg|daftar|enterprise|plt|business|perniagaan|\b(?:roc|rob|brn)\b|公司|注册|நிறுவன",
    re.I,
)
_AHEAD, _BACK = 72, 28


def find_passports(text: str, ends: list[int]) -> Iterator[Finding]:
    """Malaysian: A, H or K and 8 digits. Others' shapes pass when the word stands close before."""
    done = 0
    for end in ends:
        for match in _PASSPORT.finditer(text, max(done, end - _BACK), min(len(text), end + _AHEAD)):
            finding = _passport(text, match, end)
            if finding:
                done = match.end()
                yield finding


def _passport(text: str, match: re.Match[str], word_end: int) -> Finding | None:
    value = re.sub("[ -]", "", match[0])
    malaysian = len(value) == 9 and value[0] in "AHKahk"
    close = 0 <= match.start() - word_end <= 36 and "\n\n" not in text[word_end : match.start()]
    if not (malaysian or close):
        return None
    label = label_before(text, match.start())
    if label.tight and label.name not in ("PASSPORT", ""):
        return None
    return Finding(match.start(), match.end(), "PASSPORT", 0.95 if malaysian and close else 0.75)


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        start = max(done, end - 24)
        for pattern, read in ((_TIN, _tin), (_LLP, _llp), (_OLD_SSM, _old_ssm)):
            match = pattern.search(text, start, min(len(text), end + 12))
            finding = match and match.end() >= end - 1 and read(text, match)
            if finding:
                done = finding.end
                yield finding
                break


def _tin(_text: str, match: re.Match[str]) -> Finding:
    return Finding(match.start(), match.end(), "TIN", 0.97)


def _llp(_text: str, match: re.Match[str]) -> Finding:
    return Finding(match.start(), match.end(), "SSM", 0.9)


def _old_ssm(text: str, match: re.Match[str]) -> Finding | None:
    before = text[max(0, match.start() - 60) : match.start()]
    if _COMPANY_WORD.search(before):
        return Finding(match.start(), match.end(), "SSM", 0.8)
    return None
