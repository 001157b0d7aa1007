"""PDF: text page by page through pdfium, with the outline's headings and boxes; pypdf says why one does not open.

A file without text is a scan: it is read by tesseract where that is installed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pypdf
import pypdfium2
from pypdf.errors import PyPdfError

from selat.core.errors import DocumentUnreadable
from selat.core.passage import Box
from selat.knowledge.parse import ocr
from selat.knowledge.parse.parsed import Builder, ParsedText

MAX_PAGES = 5_000
MAX_ENTRIES = 5_000  # of an outline
_BREAK = re.compile(r"\n\s*\n|(?<=[.!?:;])\n(?=[A-Z0-9•(])")


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
        empty = True
        for number in range(len(document)):
            builder.page(number + 1)
            found = list(_page(document, number))
            empty = empty and not found
            _fill(builder, outline.get(number, []), found)
        if empty and ocr.installed():
            builder = ocr.read(document)
        parsed = builder.finish()
        parsed.facts["title"] = title or parsed.text[:80].split("\n")[0]
        return parsed


def _fill(builder: Builder, entries: list[tuple[int, str]], found: list[tuple[str, Box | None]]) -> None:
    """A page's paragraphs under the outline's entries: each begins where its words do, else with the page."""
    texts = [text.casefold() for text, _ in found]
    begins: dict[int, list[tuple[int, str]]] = {}
    for level, title in entries:
        at = next((place for place, text in enumerate(texts) if text.startswith(title.casefold())), 0)
        begins.setdefault(at, []).append((level, title))
    for place, (text, box) in enumerate(found):
        for level, title in begins.get(place, ()):
            builder.heading(level, title)
        builder.paragraph(text, box)
    if not found:
        for level, title in entries:
            builder.heading(level, title)


def _outline(document: pypdfium2.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """The outline's entries by the page that they lead to, with their levels from 1."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for number, entry in enumerate(document.get_toc()):
            if number >= MAX_ENTRIES:
                break
            destination = entry.get_dest()
            page = destination.get_index() if destination else None
            title = " ".join(str(entry.get_title() or "").split())
            if page is not None and title:
                found.setdefault(page, []).append((entry.level + 1, title))
    except (pypdfium2.PdfiumError, RecursionError):
        return {}  # a broken outline costs the headings, not the text
    return found


def _title(stated: str) -> str:
    """The title that a file states, without what word processors put there by themselves."""
    title = _MADE_UP.sub("", " ".join(stated.split()))
    return "" if title.lower() in ("untitled", "anonymous") else title


def _page(document: pypdfium2.PdfDocument, number: int) -> Iterator[tuple[str, Box | None]]:
    """The page's paragraphs with their boxes."""
    try:
        inside = document[number].get_textpage()
        raw: str = inside.get_text_range()
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable(f"pdf: page {number + 1} cannot be read; save the file anew") from error
    whole = raw.replace("\r\n", " \n")  # as long as before, so that places stay those of the page
    at = 0
    for gap in [*_BREAK.finditer(whole), None]:
        end = gap.start() if gap else len(whole)
        text = " ".join(whole[at:end].replace("\ufffe", "-\n").replace("- \n", "").replace("-\n", "").split())
        if text:
            yield text, _box(inside, at, end - at)
        at = gap.end() if gap else end


def _box(inside: Any, start: int, count: int) -> Box | None:
    try:
        rects = [inside.get_rect(place) for place in range(min(inside.count_rects(start, count), 400))]
    except pypdfium2.PdfiumError:
        return None
    if not rects:
        return None
    left, bottom = min(rect[0] for rect in rects), min(rect[1] for rect in rects)
    right, top = max(rect[2] for rect in rects), max(rect[3] for rect in rects)
    return round(left, 1), round(bottom, 1), round(right, 1), round(top, 1)


def _why(data: bytes) -> str:
    if not data:
        return "pdf: the file is empty"
    try:
        if pypdf.PdfReader(io.BytesIO(data)).is_encrypted:
            return "pdf: the file is encrypted; save it without a password and ingest it again"
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError):
        return "pdf: the file is broken; export it anew"
    return "pdf: the file cannot be opened; export it anew"
