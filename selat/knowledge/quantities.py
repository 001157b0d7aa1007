"""Dates and amounts in a question, in every way that a document may write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from selat.knowledge.words import stem

Ways = list[tuple[str, ...]]

_MONTHS = (
    ("januari", "january"), ("februari", "february"), ("mac", "march"), ("april", "april"), ("mei", "may"),
    ("jun", "june"), ("julai", "july"), ("ogos", "august"), ("september", "september"), ("oktober", "october"),
    ("november", "november"), ("disember", "december"),
)  # fmt: skip
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_SCALES = {
    "ribu": 10**3, "thousand": 10**3, "k": 10**3, "juta": 10**6, "million": 10**6, "mil": 10**6,
    "bilion": 10**9, "billion": 10**9, "万": 10**4, "亿": 10**8,
}  # fmt: skip
_SPOKEN = {10**3: ("ribu", "thousand"), 10**6: ("juta", "million"), 10**9: ("bilion", "billion")}
_NAMES = "|".join(sorted(_NUMBER_OF, key=len, reverse=True))
_DAY_FIRST = re.compile(r"\b([0-3]?\d)[/.-]([01]?\d)[/.-]((?:19|20)\d\d)\b")
_YEAR_FIRST = re.compile(r"\b((?:19|20)\d\d)(?:-|年)([01]?\d)(?:-|月)([0-3]?\d)(?:\b|日)")
_NAMED = re.compile(rf"\b([0-3]?\d)(?:hb|st|nd|rd|th)?\s+(?:of\s+)?({_NAMES})\s+((?:19|20)\d\d)\b")
_AMOUNT = re.compile(
    r"\b(rm)?\s?(\d+(?:[.,]\d+)?)\s*(ribu|thousand|k|juta|million|mil|bilion|billion|万|亿)(?![a-z])"
)


def quantities(text: str) -> tuple[str, list[Ways]]:
    """A normalised question without its dates and amounts, and the stems of all spellings of each of these."""
    found: list[Ways] = []

    def taking(read: Callable[[re.Match[str]], Ways]) -> Callable[[re.Match[str]], str]:
        def take(match: re.Match[str]) -> str:
            ways = read(match)
            if not ways:
                return match[0]
            found.append(ways)
            return " "

        return take

    text = _YEAR_FIRST.sub(taking(lambda match: _date(match[3], match[2], match[1])), text)
    text = _DAY_FIRST.sub(taking(lambda match: _date(match[1], match[2], match[3])), text)
    text = _NAMED.sub(taking(lambda match: _date(match[1], str(_NUMBER_OF[match[2]]), match[3])), text)
    return _AMOUNT.sub(taking(_amount), text), found


def _date(day: str, month: str, year: str) -> Ways:
    """`3 Mac 2027`, `March 3, 2027`, `3/3/2027`, `03.03.2027`, `2027-03-03`; none for what is no date."""
    d, m = int(day), int(month)
    if not (1 <= d <= 31 and 1 <= m <= 12):
        return []
    ways = [(str(d), stem(name), year) for name in dict.fromkeys(_MONTHS[m - 1])]
    plain = [(str(d), str(m), year), (f"{d:02}", f"{m:02}", year)]
    joined = [(f"{d}.{m}.{year}",), (f"{d:02}.{m:02}.{year}",)]  # one word, as a decimal is
    return list(dict.fromkeys([*ways, *plain, *joined]))


def _amount(match: re.Match[str]) -> Ways:
    """`1.5 juta`, `1.5 million`, `1,500,000`, each with `RM` where the question has it."""
    money, number, scale = match[1] or "", match[2].replace(",", "."), _SCALES[match[3]]
    whole = round(float(number) * scale)
    return list(dict.fromkeys(_amounts(money, number, scale, whole)))


def _amounts(money: str, number: str, scale: int, whole: int) -> Iterator[tuple[str, ...]]:
    for before in dict.fromkeys((money, "")):
        for spoken in _SPOKEN.get(scale, ()):
            yield f"{before}{number}", stem(spoken)
        yield (f"{before}{whole}",)
