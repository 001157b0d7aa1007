"""Reads tables as text, CSV, Markdown or SQL: the heading says what stands in each column below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from selat.core.finding import Finding
from selat.guard import facts
from selat.guard.dates import DATE

_HEADINGS = {
    "NAME": r"(?:nama|name|full[ _]?name|nama[ _]penuh|customer[ _]?name|nama[ _](?:pekerja|pelajar|pelanggan|pesakit|waris|murid)"
    r"|employee|patient|student|customer|pelanggan|pesakit|姓名|名字|பெயர்)",
    "MYKAD": r"(?:ic|i/c|nric|mykad|kp|k/p|no\.?[ _]?(?:ic|kp|k/p|mykad)|ic[ _]?(?:no|num|number)\.?|no\.?[ _]?kad[ _]?pengenalan|nric[ _]?no"
    r"|kad[ _]pengenalan|identity[ _]?(?:card|no)|身份证(?:号码|号)?|அடையாள அட்டை)",
    "PHONE": r"(?:phone|tel|telefon|telephone|no\.?[ _]?(?:tel|telefon|hp|phone)|hp|mobile|mobile[ _]?no|phone[ _]?(?:no|number)|handphone|contact"
    r"|contact[ _]?no|电话|手机|தொலைபேசி)",
    "DOB": r"(?:dob|d\.o\.b|birth[ _]?date|date[ _]of[ _]birth|tarikh[ _]?lahir|tkh[ _]?lahir|birthday|出生日期|生日|பிறந்த தேதி)",
    "ADDRESS": r"(?:address|alamat|home[ _]address|alamat[ _]rumah|地址|住址|முகவரி)",
    "BANK_ACCOUNT": r"(?:account[ _]?(?:no|number)|acc[ _]?no|no\.?[ _]?akaun|bank[ _]?account|akaun|acct)",
    "PASSPORT": r"(?:passport|pasport|passport[ _]?no|no\.?[ _]?pasport|护照)",
    "EMAIL": r"(?:e-?mail|emel|email[ _]?address)",
    "PLATE": r"(?:plate|plat|no\.?[ _]?plat|plate[ _]?no|no\.?[ _]?pendaftaran|reg[ _]?no)",
}
_ANY = "|".join(_HEADINGS.values())
_ASCII = "|".join(
    branch
    for kind in ("MYKAD", "PHONE", "DOB", "PASSPORT", "EMAIL")
    for branch in [re.sub(r"\|[^|()]*[^\x00-\x7f][^|()]*(?:\([^)]*\)\?)?", "", _HEADINGS[kind])]
)
TRIGGERS: tuple[str, ...] = (rf"(?i)[\n,;|\t(] ?[\"'`]?(?:{_ASCII})[\"'`]? ?[,;|\t)\n]",)

_KIND = re.compile("|".join(f"(?P<{kind}>{words})" for kind, words in _HEADINGS.items()), re.I)
_CELL = {mark: re.compile(rf' *(?:"[^"\n]*"|\'[^\'\n]*\'|[^{re.escape(mark)}\n]*)') for mark in ",;|\t"}
_VALUES = re.compile(r"\)\s*values\s*", re.I)
_TUPLE = re.compile(r"\s*,?\s*\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
_PERSON = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .,'’/@-]){1,58}[^\W\d_.]?\.?\Z")
_MAX_ROWS = 400


class Cell(NamedTuple):
    start: int
    end: int


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = -1
    for end in ends:
        if end <= done:
            continue
        start = text.rfind("\n", 0, end - 1) + 1
        stop = text.find("\n", end - 1)
        stop = len(text) if stop < 0 else stop
        done = stop
        values = _VALUES.search(text, start, min(len(text), stop + 80))
        if values:
            opening = text.rfind("(", start, values.start())
            heading, rows = _cells(text, opening + 1, values.start(), ","), _tuples(text, values.end())
        else:
            mark = max(",;|\t", key=lambda mark: text.count(mark, start, stop))
            heading = _cells(text, start, stop, mark)
            rows = _lines(text, stop + 1, mark, len(heading))
        kinds = _kinds(text, heading)
        for row in rows if kinds else ():
            done = row[-1].end
            for kind, cell in zip(kinds, row, strict=False):
                if kind and _fits(kind, text[cell.start : cell.end]):
                    yield Finding(cell.start, cell.end, kind, 0.9)


def _cells(text: str, start: int, stop: int, mark: str) -> list[Cell]:
    """The cells of a row, without quotes and spaces around them."""
    found, at = [], start
    while at <= stop:
        match = _CELL[mark].match(text, at, stop)
        end = match.end() if match else at
        first, last = at, end
        while first < last and text[first] in " \"'`":
            first += 1
        while last > first and text[last - 1] in " \"'`":
            last -= 1
        found.append(Cell(first, last))
        after = text.find(mark, end, stop)
        if after < 0:
            break
        at = after + 1
    return found


def _lines(text: str, start: int, mark: str, width: int) -> Iterator[list[Cell]]:
    for _ in range(_MAX_ROWS):
        if start >= len(text):
            return
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        row = _cells(text, start, stop, mark)
        if len(row) != width:
            return
        yield row
        start = stop + 1


def _tuples(text: str, start: int) -> Iterator[list[Cell]]:
    for _ in range(_MAX_ROWS):
        match = _TUPLE.match(text, start)
        if match is None:
            return
        yield _cells(text, match.start(1), match.end(1), ",")
        start = match.end()


def _kinds(text: str, heading: list[Cell]) -> list[str]:
    """What stands in each column; nothing where only names do, since menus have names too."""
    kinds = []
    for cell in heading:
        match = _KIND.fullmatch(text[cell.start : cell.end])
        kinds.append((match.lastgroup or "") if match else "")
    return kinds if len(heading) > 1 and set(kinds) - {"", "NAME", "ADDRESS"} else []


def _fits(kind: str, value: str) -> bool:
    digits = "".join(char for char in value if char.isdigit())
    plain = not any(char.isalpha() for char in value)
    if kind == "NAME":
        return _PERSON.match(value) is not None and value.lower() not in ("null", "none", "nama", "name", "n/a")
    if kind == "MYKAD":
        return plain and facts.is_mykad(digits)
    if kind == "PHONE":
        return plain and 8 <= len(digits) <= 14
    if kind == "DOB":
        return DATE.fullmatch(value) is not None
    if kind == "ADDRESS":
        return len(value) >= 10 and any(char.isalpha() for char in value)
    if kind == "BANK_ACCOUNT":
        return plain and 7 <= len(digits) <= 17
    return kind == "PASSPORT" and re.fullmatch(r"[A-Za-z]{1,2}\d{6,8}[A-Z]?", value) is not None
