"""Which parser reads which file, by the file's name; imported by the child process alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.archive import Archive
from selat.knowledge.parse.mail import parse_mail
from selat.knowledge.parse.office import parse_csv, parse_docx, parse_pptx, parse_xlsx
from selat.knowledge.parse.parsed import Builder, ParsedText
from selat.knowledge.parse.pdf import parse_pdf
from selat.knowledge.parse.text import parse_markdown, parse_text
from selat.knowledge.parse.web import parse_html

MAX_BYTES = 200_000_000

MAX_DEPTH = 3  # a ZIP in a ZIP in a ZIP; a message in a message


def parse_zip(data: bytes, depth: int = 0) -> ParsedText:
    """The text of every file inside that has a parser, under a heading of its name.

    Raises: DocumentUnreadable, when no file inside can be read.
    """
    archive = Archive(data, "zip")
    builder = Builder()
    for name in sorted(archive.names()):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in PARSERS:
            continue
        inside = archive.read(name)  # a bomb ends the whole archive, not this file alone
        try:
            found = parse_bytes(inside, suffix, depth + 1)
        except DocumentUnreadable:
            continue
        builder.heading(1, name)
        builder.take(found)
    builder.facts.pop("title", None)
    return builder.finish()


PARSERS: Mapping[str, Callable[[bytes], ParsedText]] = {
    ".txt": parse_text,
    ".text": parse_text,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".html": parse_html,
    ".htm": parse_html,
    ".pdf": parse_pdf,
    ".docx": parse_docx,
    ".pptx": parse_pptx,
    ".xlsx": parse_xlsx,
    ".csv": parse_csv,
    ".tsv": parse_csv,
    ".eml": lambda data: parse_mail(data, parse_bytes),
    ".zip": parse_zip,
}
NESTING: Mapping[str, Callable[[bytes, int], ParsedText]] = {
    ".zip": parse_zip,
    ".eml": lambda data, depth: parse_mail(data, lambda inside, suffix: parse_bytes(inside, suffix, depth + 1)),
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


def parse_bytes(data: bytes, suffix: str, depth: int = 0) -> ParsedText:
    """The text of a file's bytes, `suffix` (`.pdf`) naming its type; `depth` counts the containers around it.

    Raises: DocumentUnreadable.
    """
    if depth > MAX_DEPTH:
        raise DocumentUnreadable(f"over {MAX_DEPTH} containers within each other; unpack it and ingest the folder")
    parser = PARSERS.get(suffix.lower())
    if parser is None:
        known = " ".join(PARSERS)
        raise DocumentUnreadable(f"no parser for files of this type; known: {known}")
    if not data.strip():
        raise DocumentUnreadable("the file is empty")
    nesting = NESTING.get(suffix.lower())
    return nesting(data, depth) if nesting else parser(data)
