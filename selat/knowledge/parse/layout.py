"""What the lines of a document's pages are: running heads, columns, tables, headings, paragraphs.

Nothing but places, sizes and weights is looked at, and few words that number chapters: it works in any language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from selat.core.passage import Box
from selat.knowledge.parse.lines import Cell, Line, Page

BAND = 0.1  # of a page's height, at its head and foot, where running lines stand
REPEATED = 3  # pages that show the same line there
LARGER = 1.1  # than the text: a heading
LONGEST_HEADING = 150  # characters
MOST_HEADINGS = 0.3  # of all lines; where more are bold, boldness tells nothing
LEADING = 1.6  # of a line's height: a wider step down begins a paragraph
LEAST_COLUMN = 15  # characters of a line of prose in a column
LEAST_INTERLEAVED = 4  # lines side by side that make columns
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|muka surat|halaman|hlm\.?|m/s|பக்கம்|第)\s*)?#\s*"
    r"(?:(?:of|daripada|dari|/|页|頁|共|-)\s*#?\s*)*页?\W*"
)
_ITEM = re.compile(r"(?:[•▪●◦*–-]|\(?(?:\d{1,3}|[a-z]|[ivx]+)[.)])\s")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2})*)\.?\s+\S")
_CHAPTER = re.compile(
    r"(?:BAB|BAHAGIAN|LAMPIRAN|CHAPTER|PART|APPENDIX|SECTION|SEKSYEN)\s+(?:[IVXLC]+|\d+|[A-Z])\b|第.{1,3}[章节部]",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;,。；，!?！？]$")
_BREAK_AFTER = re.compile(r"[.!?:;。！？]$")
_BREAK_BEFORE = re.compile(r"[A-Z0-9•(]")


class Item(NamedTuple):
    """A heading (`level` from 1), a paragraph (`level` 0) or a table (`rows`), and where it stands."""

    page: int
    box: Box
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """How a document sets its text, and the sizes and weights of its headings, the highest first."""

    size: float
    bold: bool
    headings: tuple[tuple[float, bool], ...] = ()


def read_layout(pages: Sequence[Page], headings: bool = True) -> Iterator[Item]:
    """The items of all pages in reading order; without `headings`, all text is paragraphs."""
    pages = [page._replace(lines=_columns(page)) for page in _without_running(pages)]
    style = _style(pages) if headings else None
    for page in pages:
        lines = page.lines
        at = 0
        while at < len(lines):
            rows = _table(lines, at)
            if rows:
                taken = lines[at : at + rows]
                yield Item(page.number, _around(line.box for line in taken), rows=_rows(taken))
                at += rows
                continue
            taken, level = _run(lines, at, style)
            text = _text(taken)
            if text:
                yield Item(page.number, _around(line.box for line in taken), text, level)
            at += len(taken)


def _without_running(pages: Sequence[Page]) -> list[Page]:
    """The pages without lines that come again at their heads or feet, and without page numbers."""
    seen: Counter[tuple[str, int]] = Counter()
    for page in pages:
        seen.update({_running(line) for line in page.lines if _in_band(line, page)})
    kept = []
    for page in pages:
        lines = []
        for line in page.lines:
            key = _running(line)
            number = _PAGE_NUMBER.fullmatch(key[0]) and (seen[key] > 1 or len(pages) == 1)
            if not (_in_band(line, page) and (seen[key] >= REPEATED or number)):
                lines.append(line)
        kept.append(page._replace(lines=lines))
    return kept


def _running(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line.text.casefold()), round(line.bottom / 4)


def _in_band(line: Line, page: Page) -> bool:
    return line.bottom > page.height * (1 - BAND) or line.top < page.height * BAND


def _columns(page: Page) -> list[Line]:
    """The page's lines, those of columns that were drawn side by side put one column after the other."""
    lines = page.lines
    out: list[Line] = []
    at = 0
    while at < len(lines):
        end, gutter = at, (0.0, page.width)
        while end < len(lines) and _is_interleaved(lines[end], page.width):
            left, right = lines[end].cells
            narrower = max(gutter[0], left.right), min(gutter[1], right.left)
            if narrower[0] >= narrower[1]:
                break
            end, gutter = end + 1, narrower
        if end - at < LEAST_INTERLEAVED:
            out.append(lines[at])
            at += 1
            continue
        for side in (0, 1):
            out.extend(line._replace(cells=(line.cells[side],)) for line in lines[at:end])
        at = end
    return out


def _is_interleaved(line: Line, width: float) -> bool:
    """Whether two pieces of prose stand side by side."""
    return len(line.cells) == 2 and all(
        len(cell.text) >= LEAST_COLUMN and cell.right - cell.left >= 0.2 * width for cell in line.cells
    )


def _style(pages: Sequence[Page]) -> Style:
    """The text's own size and weight are those of most letters; what is larger, or bold where it is not, heads."""
    letters: Counter[tuple[float, bool]] = Counter()
    counts: Counter[tuple[float, bool]] = Counter()
    for page in pages:
        for line in page.lines:
            letters[_key(line)] += len(line.text)
            counts[_key(line)] += 1
    if not letters:
        return Style(0.0, False)
    size, bold = letters.most_common(1)[0][0]
    heads = {key for key in counts if key[0] >= size * LARGER}
    heavy = {key for key in counts if key[1] and not bold and size <= key[0] < size * LARGER}
    if sum(counts[key] for key in heavy) <= MOST_HEADINGS * counts.total():
        heads |= heavy
    return Style(size, bold, tuple(sorted(heads, reverse=True)))


def _key(line: Line) -> tuple[float, bool]:
    return round(line.size * 2) / 2, line.bold


def _level(line: Line, style: Style | None) -> int:
    """The heading level of a line, 0 for text: by its size and weight, within these by how deep it is numbered."""
    text = line.text
    if style is None or len(line.cells) > 1 or len(text) > LONGEST_HEADING or not any(map(str.isalpha, text)):
        return 0
    numbered = _NUMBERED.match(text)
    depth = numbered[1].count(".") + 1 if numbered else 0
    if _key(line) in style.headings:
        return 0 if _SENTENCE_END.search(text) else 10 * (style.headings.index(_key(line)) + 1) + depth
    capitals = text.isupper() and bool(numbered)
    if (capitals or (_CHAPTER.match(text) and len(text) < LONGEST_HEADING / 2)) and not _SENTENCE_END.search(text):
        return 10 * (len(style.headings) + 1) + depth
    return 0


def _run(lines: Sequence[Line], at: int, style: Style | None) -> tuple[list[Line], int]:
    """The lines of one heading or paragraph from `at` on, and the heading's level."""
    first = lines[at]
    level = _level(first, style)
    taken = [first]
    for place in range(at + 1, len(lines)):
        line = lines[place]
        if not _goes_on(taken[-1], line) or _table(lines, place):
            break
        other = _level(line, style)
        if level or other:
            # A heading over two lines: the second is no item of its own, and not numbered anew.
            if not (level and other) or _key(line) != _key(first) or _NUMBERED.match(line.text) or len(taken) > 2:
                break
        elif _ITEM.match(line.text) or (_BREAK_AFTER.search(taken[-1].text) and _BREAK_BEFORE.match(line.text)):
            break
        taken.append(line)
    return taken, level


def _goes_on(line: Line, following: Line) -> bool:
    """Whether the next line follows close below, in the same column."""
    step = line.bottom - following.bottom
    beside = following.cells[0].left < line.cells[-1].right and line.cells[0].left < following.cells[-1].right
    return 0 < step <= LEADING * max(line.size, following.size) and beside


def _text(lines: Sequence[Line]) -> str:
    """Lines as running text; a word that is parted at a line's end is put together."""
    whole = "\n".join(line.text for line in lines).replace("\ufffe", "-")
    return " ".join(whole.replace("-\n", "").split())


def _table(lines: Sequence[Line], at: int) -> int:
    """How many lines from `at` on are rows of a table: cells that stand under each other; 0 for none."""
    end = at
    cells = 0
    spans: list[tuple[float, float]] = []
    while end < len(lines):
        line = lines[end]
        if end > at and not _is_below(lines[end - 1], line):
            break
        if len(line.cells) > 1:
            joined = _spans(spans, line.cells)
            if len(joined) < max(2, len(line.cells)) or (spans and len(joined) < len(spans)):
                break
            spans, cells = joined, cells + 1
        elif not (end > at and any(left > spans[0][1] for left in (line.cells[0].left,))):
            break
        end += 1
    return end - at if cells >= 3 or (cells == 2 and len(spans) > 2) else 0


def _is_below(line: Line, following: Line) -> bool:
    return 0 < line.bottom - following.bottom <= 3 * max(line.size, following.size)


def _spans(spans: Sequence[tuple[float, float]], cells: Iterable[Cell]) -> list[tuple[float, float]]:
    """Columns with a row's cells in them: what overlaps is one column."""
    out: list[tuple[float, float]] = []
    for left, right in sorted([*spans, *((cell.left, cell.right) for cell in cells)]):
        if out and left <= out[-1][1]:
            out[-1] = out[-1][0], max(right, out[-1][1])
        else:
            out.append((left, right))
    return out


def _rows(lines: Sequence[Line]) -> tuple[tuple[str, ...], ...]:
    """The rows, each cell in its column; a line with a single cell goes on the row above it."""
    spans: list[tuple[float, float]] = []
    for line in lines:
        spans = _spans(spans, line.cells)
    rows: list[list[str]] = []
    for line in lines:
        row = [""] * len(spans)
        for cell in line.cells:
            place = next(number for number, span in enumerate(spans) if cell.left <= span[1])
            row[place] = f"{row[place]} {cell.text}".strip()
        if len(line.cells) == 1 and rows:
            rows[-1] = [f"{one} {more}".strip() for one, more in zip(rows[-1], row, strict=True)]
        else:
            rows.append(row)
    return tuple(tuple(row) for row in rows)


def _around(boxes: Iterable[Box]) -> Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)
