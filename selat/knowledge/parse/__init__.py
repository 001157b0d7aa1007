"""Documents to text: one parser a file type, chosen by the file's name, run in a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Block, Builder, ParsedText
from selat.knowledge.parse.pdf import parse_pdf
from selat.knowledge.parse.text import decode, parse_markdown, parse_text
from selat.knowledge.parse.web import parse_html

__all__ = ["MAX_BYTES", "PARSERS", "Block", "Builder", "ParsedText", "decode", "parse", "parse_bytes"]

VERSION = 1  # of the text that parsing gives: a higher one has documents parsed anew
MAX_BYTES = 200_000_000

PARSERS: Mapping[str, Callable[[bytes], ParsedText]] = {
    ".txt": parse_text,
    ".text": parse_text,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".html": parse_html,
    ".htm": parse_html,
    ".pdf": parse_pdf,
}


def parse(path: Path) -> ParsedText:
    """The text of a file. Raises: DocumentUnreadable, with the reason, for whatever cannot be read."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DocumentUnreadable(f"{size:,} bytes, at most {MAX_BYTES:,}; split the document")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentUnreadable(f"the file cannot be opened: {error.strerror}") from error
    return parse_bytes(data, path.suffix)


def parse_bytes(data: bytes, suffix: str) -> ParsedText:
    """The text of a file's bytes, `suffix` (`.pdf`) naming its type. Raises: DocumentUnreadable."""
    parser = PARSERS.get(suffix.lower())
    if parser is None:
        known = " ".join(PARSERS)
        raise DocumentUnreadable(f"no parser for files of this type; known: {known}")
    if not data.strip():
        raise DocumentUnreadable("the file is empty")
    return parser(data)
