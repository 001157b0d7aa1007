"""What every parser gives: one text, its blocks with heading path and page, and the document's own facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from selat.core.errors import DocumentUnreadable
from selat.core.passage import Box, Rows

MAX_CHARACTERS = 50_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or table: characters `start` to `end` (exclusive) of the text; `page` from 1, 0 for none.

    `box` is where it stands on the page and `rows` where in the sheet, as a passage's are.
    """

    start: int
    end: int
    heading: str = ""
    page: int = 0
    table: bool = False
    box: Box | None = None
    rows: Rows | None = None


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A document's text as ingested. `facts`: title, language, origin, dated, label as it states them itself."""

    text: str
    blocks: tuple[Block, ...]
    facts: dict[str, str] = field(default_factory=dict)


class Builder:
    """Collects headings, paragraphs, tables and pages in reading order."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self._pieces: list[str] = []
        self._blocks: list[Block] = []
        self._path: list[tuple[int, str]] = []
        self._length = 0
        self._page = 0

    def page(self, number: int) -> None:
        self._page = number

    def heading(self, level: int, text: str) -> None:
        """A heading closes those of its level and below; the first one names a document without a title."""
        text = " ".join(text.split())
        if not text:
            return
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, text))
        self.facts.setdefault("title", text)

    def paragraph(self, text: str, box: Box | None = None) -> None:
        self._add(text.strip(), Block(0, 0, self._heading, self._page, box=box))

    def table(self, rows: Iterable[Sequence[str]], box: Box | None = None, at: Rows | None = None) -> None:
        """One line a row, cells parted by ` | `, so that a table stays a table in the text; `at` are its rows."""
        lines = (" | ".join(" ".join(cell.split()) for cell in row) for row in rows)
        block = Block(0, 0, self._heading, self._page, True, box, at)
        self._add("\n".join(line for line in lines if line.strip(" |")), block)

    def take(self, found: ParsedText) -> None:
        """All of a document that lies within this one, each place in it under the heading that is open here."""
        for block in found.blocks:
            heading = " › ".join(filter(None, (self._heading, block.heading)))
            self._add(found.text[block.start : block.end], replace(block, heading=heading))

    def finish(self) -> ParsedText:
        """Raises: DocumentUnreadable, when nothing was collected."""
        if not self._blocks:
            raise DocumentUnreadable("no text in the document; a scan needs OCR before it can be ingested")
        return ParsedText("\n\n".join(self._pieces), tuple(self._blocks), self.facts)

    @property
    def _heading(self) -> str:
        return " › ".join(text for _, text in self._path)

    def _add(self, text: str, block: Block) -> None:
        if not text:
            return
        start = self._length + (2 if self._pieces else 0)
        self._length = start + len(text)
        if self._length > MAX_CHARACTERS:
            raise DocumentUnreadable(f"more than {MAX_CHARACTERS:,} characters of text; split the document")
        self._pieces.append(text)
        self._blocks.append(replace(block, start=start, end=self._length))
