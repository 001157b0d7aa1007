"""The lines of a PDF's page as pdfium gives them: their text, their cells, how large and heavy, and where."""

from __future__ import annotations

import ctypes
import re
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from selat.core.errors import DocumentUnreadable
from selat.core.passage import Box

GAP = 0.8  # of a line's height: a wider gap parts two cells
LEAST = 2.0  # points: smaller letters are there to be read by machines alone
SAME_LINE = 0.6  # of a line's height: pieces that overlap by more stand on one line
_WORD = re.compile(r"\S+")
_HEAVY = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_BOLD_WEIGHT = 600


class Cell(NamedTuple):
    """Words without a wide gap between them; `left` and `right` in points."""

    text: str
    left: float
    right: float


class Line(NamedTuple):
    """A line of a page. `size` is the height of its letters with their room, in points."""

    cells: tuple[Cell, ...]
    size: float
    bold: bool
    bottom: float
    top: float

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)

    @property
    def box(self) -> Box:
        return self.cells[0].left, self.bottom, self.cells[-1].right, self.top


class Page(NamedTuple):
    """One page's lines in the order that pdfium reads them. `number` from 1, `width` and `height` in points."""

    number: int
    width: float
    height: float
    lines: list[Line]


def read_page(document: pypdfium2.PdfDocument, number: int) -> Page:
    """The lines of page `number` (from 1). Raises: DocumentUnreadable."""
    try:
        page = document[number - 1]
        inside = page.get_textpage()
        text: str = inside.get_text_range()
        width, height = page.get_size()
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable(f"pdf: page {number} cannot be read; save the file anew") from error
    reader = _Reader(inside, text)
    lines: list[Line] = []
    at = 0
    for raw in text.split("\r\n"):
        line = reader.line(at, at + len(raw))
        at += len(raw) + 2
        if line is None:
            continue
        joined = _joined(lines[-1], line) if lines else None
        if joined:
            lines[-1] = joined
        else:
            lines.append(line)
    return Page(number, width, height, lines)


def _joined(one: Line, other: Line) -> Line | None:
    """Two pieces as one line, where the second stands right of the first: cells of a table come one by one."""
    height = min(one.top - one.bottom, other.top - other.bottom)
    overlap = min(one.top, other.top) - max(one.bottom, other.bottom)
    if overlap < SAME_LINE * height or other.cells[0].left < one.cells[-1].right:
        return None
    bottom, top = min(one.bottom, other.bottom), max(one.top, other.top)
    return Line(one.cells + other.cells, max(one.size, other.size), one.bold and other.bold, bottom, top)


class _Reader:
    """Reads places and fonts of a page's characters; pdfium counts some that the text leaves out."""

    def __init__(self, inside: pypdfium2.PdfTextPage, text: str) -> None:
        self._page: Any = inside.raw
        self._text = text
        self._whole = inside.count_chars() == len(text)
        # Beyond the basic plane pdfium counts two where Python counts one.
        self._shift = [0] if any(char > "\uffff" for char in text) else []
        if self._shift:
            for char in text:
                self._shift.append(self._shift[-1] + (char > "\uffff"))
        self._box = [ctypes.c_double() for _ in range(4)]
        self._loose = pdfium.FS_RECTF()
        self._name = ctypes.create_string_buffer(128)

    def line(self, start: int, end: int) -> Line | None:
        """The line of some of the text; None for one without a visible word."""
        words = list(_WORD.finditer(self._text, start, end))
        if not words:
            return None
        start, end = words[0].start(), words[-1].end()
        bottom, top, size = self._height(start)
        if 0 < size < LEAST:
            return None
        # One piece of text is one rectangle: only a line of several can hold a gap, and is measured by words.
        pieces = pdfium.FPDFText_CountRects(self._page, self._index(start), end - start)
        if pieces == 1 or len(words) == 1:
            text = " ".join(self._text[start:end].split())
            cells = [Cell(text, self._edge(start, 0), self._edge(end - 1, 1))]
        else:
            cells = self._cells(words, GAP * size)
        bold = self._bold(start) and self._bold(end - 1)
        return Line(tuple(cells), size, bold, bottom, top)

    def _cells(self, words: list[re.Match[str]], gap: float) -> list[Cell]:
        cells: list[Cell] = []
        for word in words:
            left, right = self._edge(word.start(), 0), self._edge(word.end() - 1, 1)
            if cells and left - cells[-1].right < gap:
                cells[-1] = Cell(f"{cells[-1].text} {word[0]}", cells[-1].left, max(right, cells[-1].right))
            else:
                cells.append(Cell(word[0], left, right))
        return cells

    def _index(self, at: int) -> int:
        at += self._shift[at] if self._shift else 0
        return at if self._whole else int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, at))

    def _edge(self, at: int, side: int) -> float:
        left, right, bottom, top = self._box
        pdfium.FPDFText_GetCharBox(self._page, self._index(at), left, right, bottom, top)
        return round((right if side else left).value, 1)

    def _height(self, at: int) -> tuple[float, float, float]:
        pdfium.FPDFText_GetLooseCharBox(self._page, self._index(at), self._loose)
        bottom, top = round(self._loose.bottom, 1), round(self._loose.top, 1)
        return bottom, top, round(top - bottom, 1)

    def _bold(self, at: int) -> bool:
        index = self._index(at)
        if pdfium.FPDFText_GetFontWeight(self._page, index) >= _BOLD_WEIGHT:
            return True
        pdfium.FPDFText_GetFontInfo(self._page, index, self._name, len(self._name), ctypes.c_int())
        return bool(_HEAVY.search(self._name.value.decode("utf-8", "replace")))
