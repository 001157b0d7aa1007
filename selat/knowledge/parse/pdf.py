"""PDF: lines through pdfium become headings, paragraphs and tables with boxes; pypdf says why one does not open.

Headings are the outline's; a file without one has them told by size, weight and numbering. A file without text is
a scan: it is read by tesseract where that is installed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pypdf
import pypdfium2
from pypdf.errors import PyPdfError

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse import ocr
from selat.knowledge.parse.layout import Item, read_layout
from selat.knowledge.parse.lines import read_page
from selat.knowledge.parse.parsed import Builder, ParsedText

MAX_PAGES = 5_000
MAX_ENTRIES = 5_000  # of an outline
Outline = dict[int, list[tuple[int, str]]]
_MADE_UP = re.compile(r"^(Microsoft (Word|PowerPoint|Excel) - )|\.(docx?|pptx?|xlsx?|pdf)$", re.IGNORECASE)


def parse_pdf(data: bytes) -> ParsedText:
    """Raises: DocumentUnreadable, for a file that is encrypted, broken, too long or without text."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable(_why(data)) from error
    with document:
        if len(document) > MAX_PAGES:
            raise DocumentUnreadable(f"pdf: {len(document)} pages, at most {MAX_PAGES:,}; split the document")
        builder = Builder()
        title = _title(str(document.get_metadata_value("Title") or ""))
        outline = _outline(document)
        pages = [read_page(document, number) for number in range(1, len(document) + 1)]
        if any(page.lines for page in pages):
            _fill(builder, outline, list(read_layout(pages, headings=not outline)), len(pages))
        elif ocr.installed():
            builder = ocr.read(document)
        parsed = builder.finish()
        parsed.facts["title"] = title or parsed.facts.get("title") or parsed.text[:80].split("\n")[0]
        return parsed


def _fill(builder: Builder, outline: Outline, items: Sequence[Item], pages: int) -> None:
    """The items page by page. An outline's entry begins where its words do, else with its page."""
    by_page: dict[int, list[Item]] = {}
    for item in items:
        by_page.setdefault(item.page, []).append(item)
    for number in range(1, pages + 1):
        builder.page(number)
        found = by_page.get(number, [])
        begins = _begins(outline.get(number, []), found)
        for place, item in enumerate(found):
            for level, title in begins.get(place, ()):
                builder.heading(level, title)
            if item.rows:
                builder.table(item.rows, item.box)
                continue
            if item.level:
                builder.heading(item.level, item.text)
            builder.paragraph(item.text, item.box)
        for level, title in () if found else begins.get(0, ()):
            builder.heading(level, title)


def _begins(entries: list[tuple[int, str]], items: Sequence[Item]) -> dict[int, list[tuple[int, str]]]:
    """A page's entries by the place of the item that they stand before."""
    texts = [item.text.casefold() for item in items]
    found: dict[int, list[tuple[int, str]]] = {}
    for level, title in entries:
        at = next((place for place, text in enumerate(texts) if text.startswith(title.casefold())), 0)
        found.setdefault(at, []).append((level, title))
    return found


def _outline(document: pypdfium2.PdfDocument) -> Outline:
    """The outline's entries by the page (from 1) that they lead to, with their levels from 1."""
    found: Outline = {}
    try:
        for number, entry in enumerate(document.get_toc()):
            if number >= MAX_ENTRIES:
                break
            destination = entry.get_dest()
            page = destination.get_index() if destination else None
            title = " ".join(str(entry.get_title() or "").split())
            if page is not None and title:
                found.setdefault(page + 1, []).append((entry.level + 1, title))
    except (pypdfium2.PdfiumError, RecursionError):
        return {}  # a broken outline costs the headings, not the text
    return found


def _title(stated: str) -> str:
    """The title that a file states, without what word processors put there by themselves."""
    title = _MADE_UP.sub("", " ".join(stated.split()))
    return "" if title.strip("()").lower() in ("untitled", "anonymous") else title


def _why(data: bytes) -> str:
    if not data:
        return "pdf: the file is empty"
    try:
        if pypdf.PdfReader(io.BytesIO(data)).is_encrypted:
            return "pdf: the file is encrypted; save it without a password and ingest it again"
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError):
        return "pdf: the file is broken; export it anew"
    return "pdf: the file cannot be opened; export it anew"
