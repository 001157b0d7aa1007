"""Reads what is not only digits: passports, tax numbers, old company numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard.labels import label_before

TRIGGERS = (
    r"(?:^|[^A-Za-z0-9])[A-Za-z]{1,2}[ \-]?[0-9](?:[ \-]?[0-9]){5}",
    r"(?:^|[^A-Za-z0-9])[ISOiso][Gg][ \-]{0,2}[0-9]{4}",
    r"(?:^|[^0-9])[0-9]{5,8} ?- ?[A-Z](?:[^A-Za-z0-9]|$)",
    r"LLP[0-9]{7}",
)

_PASSPORT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{1,2}[ -]?\d(?:[ -]?\d){5,8}[A-Z]?(?![A-Za-z0-9])")
_TIN = re.compile(r"(?<![A-Za-z0-9])[ISO]G(?:[ -]{0,2}\d){9,11}(?![A-Za-z0-9])", re.I)
_OLD_SSM = re.compile(r"(?<![A-Za-z0-9-])\d{5,8} ?- ?[A-Z](?![A-Za-z0-9])")
_LLP = re.compile(r"(?<![A-Za-z0-9])LLP\d{7}(?:-[A-Z]{3})?(?![A-Za-z0-9])")
_PASSPORT_WORD = re.compile(r"pas+port|pasport|travel document|护照|護照|பாஸ்போர்ட்|கடவுச்சீட்டு", re.I)
_COMPANY_WORD = re.compile(
    r"ssm|sdn|bhd|berhad|syarikat|company|co\.|reg|daftar|enterprise|plt|公司|注册|நிறுவன", re.I
)
_KEYWORD_REACH = 120


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        start = max(done, end - 24)
        for pattern, read in ((_TIN, _tin), (_PASSPORT, _passport), (_LLP, _llp), (_OLD_SSM, _old_ssm)):
            match = pattern.search(text, start, min(len(text), end + 12))
            finding = match and match.end() >= end - 1 and read(text, match)
            if finding:
                done = finding.end
                yield finding
                break


def _tin(_text: str, match: re.Match[str]) -> Finding:
    return Finding(match.start(), match.end(), "TIN", 0.97)


def _passport(text: str, match: re.Match[str]) -> Finding | None:
    """Malaysian: A, H or K and 8 digits. Others' shapes pass when the word stands close before."""
    value = re.sub("[ -]", "", match[0])
    before = text[max(0, match.start() - _KEYWORD_REACH) : match.start()]
    after = text[match.end() : match.end() + 24]
    near = [word.end() for word in _PASSPORT_WORD.finditer(before)]
    malaysian = len(value) == 9 and value[0] in "AHKahk"
    if not near:
        return (
            Finding(match.start(), match.end(), "PASSPORT", 0.8)
            if malaysian and _PASSPORT_WORD.search(after)
            else None
        )
    close = len(before) - near[-1] <= 32
    label = label_before(text, match.start())
    if not (malaysian or close) or (label.name not in ("PASSPORT", "") and label.tight):
        return None
    return Finding(match.start(), match.end(), "PASSPORT", 0.95 if malaysian and close else 0.75)


def _llp(_text: str, match: re.Match[str]) -> Finding:
    return Finding(match.start(), match.end(), "SSM", 0.9)


def _old_ssm(text: str, match: re.Match[str]) -> Finding | None:
    before = text[max(0, match.start() - 60) : match.start()]
    if _COMPANY_WORD.search(before):
        return Finding(match.start(), match.end(), "SSM", 0.8)
    return None
