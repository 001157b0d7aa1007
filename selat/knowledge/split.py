"""Parsed text to passages: whole paragraphs under one heading and page, long ones cut between sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from selat.core.label import Label
from selat.core.passage import Box, Passage, Rows, Source
from selat.knowledge.parse.parsed import Block, ParsedText
from selat.knowledge.sentences import sentence_spans

TARGET_CHARACTERS = 900
LIMIT_CHARACTERS = 1_400


def split(parsed: ParsedText, label: Label, source: Source) -> list[Passage]:
    """Passages of at most 1,400 characters in reading order; each is exactly `text[start:end]`."""
    passages: list[Passage] = []
    for start, end, block in _spans(parsed):
        text = parsed.text[start:end]
        place = (block.heading, block.page, block.box, block.rows)
        passages.append(Passage(source, len(passages) + 1, start, end, text, label, *place))
    return passages


def _spans(parsed: ParsedText) -> Iterator[tuple[int, int, Block]]:
    """Neighbouring blocks of one heading and page are joined up to the target length."""
    open_start, open_end, first = 0, 0, None
    for block in parsed.blocks:
        if first is not None:
            same = (block.heading, block.page) == (first.heading, first.page)
            if same and block.end - open_start <= TARGET_CHARACTERS:
                open_end = block.end
                first = replace(first, box=_around(first.box, block.box), rows=_from_to(first.rows, block.rows))
                continue
            yield open_start, open_end, first
            first = None
        if block.end - block.start > LIMIT_CHARACTERS:
            for start, end in _cut(parsed.text, block):
                yield start, end, block
        else:
            open_start, open_end, first = block.start, block.end, block
    if first is not None:
        yield open_start, open_end, first


def _cut(text: str, block: Block) -> Iterator[tuple[int, int]]:
    """Spans of a long block, cut at sentences (table rows for a table), else at the limit."""
    start = end = block.start
    for unit_start, unit_end in _units(text, block):
        if unit_end - start > TARGET_CHARACTERS and end > start:
            yield start, end
            start = unit_start
        end = unit_end
    if end > start:
        yield start, end


def _units(text: str, block: Block) -> Iterator[tuple[int, int]]:
    spans = _rows(text, block) if block.table else sentence_spans(text, block.start, block.end)
    for start, end in spans:
        while end - start > LIMIT_CHARACTERS:
            cut = text.rfind(" ", start + LIMIT_CHARACTERS // 2, start + LIMIT_CHARACTERS)
            cut = cut if cut > 0 else start + LIMIT_CHARACTERS
            yield start, cut
            start = cut + (text[cut] == " ")
        yield start, end


def _rows(text: str, block: Block) -> Iterator[tuple[int, int]]:
    start = block.start
    while start < block.end:
        end = text.find("\n", start, block.end)
        end = block.end if end < 0 else end
        yield start, end
        start = end + 1


def _from_to(one: Rows | None, other: Rows | None) -> Rows | None:
    """The first of the one to the last of the other."""
    if one is None or other is None:
        return one or other
    return one[0], other[1]


def _around(one: Box | None, other: Box | None) -> Box | None:
    """The smallest box that holds both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
