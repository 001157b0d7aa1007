"""Plain text and Markdown: front matter, headings, paragraphs and tables."""

from __future__ import annotations

import re

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Builder, ParsedText

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z_]+)\s*:\s*(.*)$")
_KEYS = {"title": "title", "language": "language", "source": "origin", "dated": "dated", "label": "label"}
_ITEM = re.compile(r"([-*+•|>]|\d{1,3}[.)])(\s|\|)")
_SHORT = 45
_MARKS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\]]+)\]\(([^)\s]+)[^)]*\)")


def decode(data: bytes) -> str:
    """Text of UTF-8, UTF-16 with a byte-order mark, or Windows-1252 bytes.

    Raises: DocumentUnreadable, when the bytes are no text at all.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if b"\x00" in data[:4096]:
        raise DocumentUnreadable("text: the file holds binary data; give it its own file type")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse_text(data: bytes) -> ParsedText:
    """Paragraphs are parted by blank lines."""
    builder = Builder()
    for paragraph in re.split(r"\n\s*\n", _lines(decode(data))):
        builder.paragraph(_unwrap(paragraph.split("\n")))
    return builder.finish()


def parse_markdown(data: bytes) -> ParsedText:
    """Front matter (`title language source dated label`), ATX headings, paragraphs; marks of emphasis dropped."""
    text = _lines(decode(data))
    builder = Builder()
    front = _FRONT.match(text)
    if front:
        for line in front[1].split("\n"):
            field = _FIELD.match(line.strip())
            if field and field[1].lower() in _KEYS:
                builder.facts[_KEYS[field[1].lower()]] = field[2].strip().strip("\"'")
        text = text[front.end() :]
    paragraph: list[str] = []
    fenced = False
    for line in [*text.split("\n"), ""]:
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading or not line.strip():
            builder.paragraph(_plain(_unwrap(paragraph)))
            paragraph = []
            if heading:
                builder.heading(len(heading[1]), _plain(heading[2]))
        else:
            paragraph.append(line)
    return builder.finish()


def _unwrap(lines: list[str]) -> str:
    """Lines of one paragraph, soft line ends undone; list items, table rows and short lines keep theirs."""
    text = ""
    for line in lines:
        line = line.strip()
        wrapped = len(text) - text.rfind("\n") > _SHORT and not _ITEM.match(line)
        text += (" " if wrapped else "\n") + line
    return text.strip()


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(text: str) -> str:
    return _LINK.sub(r"\1 (\2)", _MARKS.sub(r"\2", text)) if text else text
