"""Reads dates of birth: a date close to a word about being born, never a date by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding

TRIGGERS = (
    r"(?i)(?:lahir|birth|(?:^|[^a-z])(?:born|d\.?o\.?b|bday|t\.?/l)[^a-z]|hari jadi)",
    "(?:出生|生日|生于|生於|诞生|誕生|பிறந்த|பிறப்பு)",
)

_WORD = re.compile(
    r"(?<![A-Za-z])(?:(?:ke|di)?lahir(?:kan|an)?|(?:date[ _]of[ _])?birth(?:[ _]?da(?:te|y))?|born|d\.?o\.?b|hari jadi|bday"
    r"|t\.?/l(?:ahir)?|tkh[ _.]?lahir)(?![A-Za-z])|(?<=_)(?:lahir|birth|dob)(?![A-Za-z])|出生|生日|生[于於]|[诞誕]生"
    r"|பிறந்த|பிறப்பு",
    re.I,
)
_MONTH = (
    r"(?:jan(?:uari|uary)?|feb(?:ruari|ruary)?|mac|mar(?:ch)?|apr(?:il)?|mei|may|jun[ei]?|julai?|july?|og(?:os|o)?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|okt(?:ober)?|oct(?:ober)?|nov(?:ember)?|dis(?:ember)?|dec(?:ember)?)\.?"
    r"|ஜனவரி|பிப்ரவரி|மார்ச்|ஏப்ரல்|மே|ஜூன்|ஜூலை|ஆகஸ்ட்|செப்டம்பர்|அக்டோபர்|நவம்பர்|டிசம்பர்"
)
_YEAR = r"(?:19\d\d|20[0-2]\d)"
DATE = re.compile(
    rf"(?<![\d/.-])(?:(?:0?[1-9]|[12]\d|3[01]) ?[-/.] ?(?:0?[1-9]|1[0-2]) ?[-/.] ?(?:{_YEAR}|\d\d)"
    rf"|{_YEAR} ?[-/.] ?(?:0?[1-9]|1[0-2]) ?[-/.] ?(?:0?[1-9]|[12]\d|3[01])"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|hb| ?hari ?bulan)?[ -](?:of )?(?:{_MONTH}),?[ -](?:{_YEAR}|\d\d)"
    rf"|(?:{_MONTH}) (?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,? {_YEAR}"
    rf"|{_YEAR} ?年 ?\d{{1,2}} ?月 ?\d{{1,2}} ?[日号號]"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|{_YEAR} (?:{_MONTH}) \d{{1,2}})(?![\d/-])",
    re.I,
)
_OTHERS = re.compile(
    r"syarikat|negara|company|parti|merdeka|pertubuhan|persatuan|kemerdekaan|berhad|bhd|universiti|organisasi"
    r"|公司|独立|国家",
    re.I,
)
_AHEAD, _BACK = 56, 28


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        words = list(_WORD.finditer(text, max(0, end - 24), min(len(text), end + 4)))
        if not words:
            continue
        finding = _after(text, words[-1]) or _before(text, words[-1])
        if finding and finding.start >= done:
            done = finding.end
            yield finding


def _after(text: str, word: re.Match[str]) -> Finding | None:
    match = DATE.search(text, word.end(), min(len(text), word.end() + _AHEAD))
    if match is None or _OTHERS.search(text, max(0, word.start() - 40), match.start()):
        return None
    between = text[word.end() : match.start()]
    if any(mark in between for mark in ("\n\n", "。", "; ", "? ")) or re.search(r"[a-z]\. [A-Z]", between):
        return None
    return Finding(match.start(), match.end(), "DOB", 0.95 if len(between) < 20 else 0.8)


def _before(text: str, word: re.Match[str]) -> Finding | None:
    """`1990年3月12日出生`, `12/3/1990 (tarikh lahir)`: close before, with little between."""
    dates = list(DATE.finditer(text, max(0, word.start() - _BACK), word.start()))
    if not dates:
        return None
    match = dates[-1]
    if word.start() - match.end() > 14 or "\n" in text[match.end() : word.start()]:
        return None
    return Finding(match.start(), match.end(), "DOB", 0.8)
