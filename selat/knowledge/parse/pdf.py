"""PDF: text page by page through pdfium; pypdf says why an odd file does not open."""

from __future__ import annotations

import io
import re

import pypdf
import pypdfium2
from pypdf.errors import PyPdfError

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Builder, ParsedText

MAX_PAGES = 5_000
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
        for number in range(len(document)):
            builder.page(number + 1)
            for paragraph in _BREAK.split(_page(document, number)):
                builder.paragraph(" ".join(paragraph.split()))
        parsed = builder.finish()
        parsed.facts["title"] = title or parsed.text[:80].split("\n")[0]
        return parsed


def _title(stated: str) -> str:
    """The title that a file states, without what word processors put there by themselves."""
    title = _MADE_UP.sub("", " ".join(stated.split()))
    return "" if title.lower() in ("untitled", "anonymous") else title


def _page(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = document[number]
        text: str = page.get_textpage().get_text_range()
    except pypdfium2.PdfiumError as error:
        raise DocumentUnreadable(f"pdf: page {number + 1} cannot be read; save the file anew") from error
    return text.replace("\r\n", "\n").replace("\ufffe", "-\n").replace("-\n", "")


def _why(data: bytes) -> str:
    if not data:
        return "pdf: the file is empty"
    try:
        if pypdf.PdfReader(io.BytesIO(data)).is_encrypted:
            return "pdf: the file is encrypted; save it without a password and ingest it again"
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError):
        return "pdf: the file is broken; export it anew"
    return "pdf: the file cannot be opened; export it anew"
