"""Where sentences begin and end in Malay, English, Chinese and Tamil text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」）]*|\n+")
_SHORT_FORMS = (
    "no bil dr en pn sdn bhd mr mrs ms prof st vs eg ie dsb dll spt cth al inc ltd co fig art sec para hlm ss s"
    " p.u cf tn hj dato"
)
_ABBREVIATIONS = frozenset(_SHORT_FORMS.split())
_DOTTED = re.compile(r"[a-z](?:\.[a-z])+")
_LAST_WORD = re.compile(r"([\w.]+)\.$")


def sentence_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of the sentences in `text[start:end]`, without the white space between them.

    An abbreviation (`No.`, `Sdn. Bhd.`), a single letter or a number (`1.`) ends no sentence.
    """
    begin = start
    for match in _END.finditer(text, start, end):
        stop = match.end()
        if match[0] == "." and _is_abbreviation(text[max(begin, stop - 12) : stop]):
            continue
        trimmed = _trim(text, begin, stop)
        if trimmed:
            yield trimmed
        begin = stop
    trimmed = _trim(text, begin, end)
    if trimmed:
        yield trimmed


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text, 0, len(text))]


def _is_abbreviation(tail: str) -> bool:
    word = _LAST_WORD.search(tail)
    if word is None:
        return False
    last = word[1].lower()
    if _DOTTED.fullmatch(last):  # `e.g.`, `i.e.`, `p.m.`
        return True
    return last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha()) or (last.isdigit() and len(last) < 3)


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if end > start else None
