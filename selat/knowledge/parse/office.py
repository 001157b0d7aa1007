"""Word, PowerPoint and Excel files (Office Open XML), and CSV: headings, paragraphs and tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from lxml import etree

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.archive import Archive
from selat.knowledge.parse.parsed import Builder, ParsedText
from selat.knowledge.parse.text import decode

# Source: ECMA-376 part 1, sections 17 (words), 18 (sheets), 19 (slides) and 21 (drawings).
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_HEADING = re.compile(r"(?:heading|tajuk|judul)\s*(\d)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)\.xml$")
ROWS_TOGETHER = 40


def parse_docx(data: bytes) -> ParsedText:
    """Raises: DocumentUnreadable."""
    archive = Archive(data, "docx")
    builder = Builder()
    _title(archive, builder)
    styles = _heading_styles(archive)
    body = archive.xml("word/document.xml").find(f"{_W}body")
    for block in body if body is not None else ():
        if block.tag == f"{_W}tbl":
            builder.table([_cell(cell) for cell in row.iter(f"{_W}tc")] for row in block.iter(f"{_W}tr"))
        else:
            for paragraph in block.iter(f"{_W}p"):
                _paragraph(paragraph, styles, builder)
    return builder.finish()


def _paragraph(paragraph: etree._Element, styles: dict[str, int], builder: Builder) -> None:
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    level = styles.get(style.get(f"{_W}val", "") if style is not None else "", 0)
    text = _run_text(paragraph)
    if level:
        builder.heading(level, text)
    else:
        builder.paragraph(text)


def _run_text(element: etree._Element) -> str:
    """Text of all runs; tabs and breaks kept, deleted and hidden text left out."""
    spaces = {f"{_W}tab": "\t", f"{_W}br": "\n"}
    hidden = {run for mark in element.iter(f"{_W}vanish") if (run := _run_of(mark)) is not None}
    nodes = (node for node in element.iter(f"{_W}t", *spaces) if node.getparent() not in hidden)
    return "".join(spaces.get(str(node.tag)) or node.text or "" for node in nodes)


def _run_of(mark: etree._Element) -> etree._Element | None:
    """The run that a property stands for; None where it is switched off, or is a paragraph's."""
    properties = mark.getparent()
    run = properties.getparent() if properties is not None else None
    off = mark.get(f"{_W}val", "1") in ("0", "false", "off")
    return run if run is not None and run.tag == f"{_W}r" and not off else None


def _cell(cell: etree._Element) -> str:
    return " ".join(_run_text(paragraph) for paragraph in cell.iter(f"{_W}p"))


def _heading_styles(archive: Archive) -> dict[str, int]:
    """Style ids to heading levels, by the style's outline level or its name."""
    if "word/styles.xml" not in archive.names():
        return {}
    levels: dict[str, int] = {}
    for style in archive.xml("word/styles.xml").iter(f"{_W}style"):
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        name = style.find(f"{_W}name")
        named = _HEADING.search(name.get(f"{_W}val", "") if name is not None else "")
        if (
            outline is not None
            and outline.get(f"{_W}val", "9").isdigit()
            and int(outline.get(f"{_W}val", "9")) < 9
        ):
            levels[style.get(f"{_W}styleId", "")] = int(outline.get(f"{_W}val", "0")) + 1
        elif named:
            levels[style.get(f"{_W}styleId", "")] = int(named[1])
    return levels


def parse_pptx(data: bytes) -> ParsedText:
    """One page a slide, its title as heading. Raises: DocumentUnreadable."""
    archive = Archive(data, "pptx")
    builder = Builder()
    _title(archive, builder)
    slides = (name for name in archive.names() if re.fullmatch(r"ppt/slides/slide\d+\.xml", name))
    for page, name in enumerate(sorted(slides, key=_place), 1):
        builder.page(page)
        root = archive.xml(name)
        for shape in root.iter():
            if not isinstance(shape.tag, str):
                continue
            if shape.tag.endswith("}sp"):
                kind = next((node.get("type", "") for node in shape.iter() if str(node.tag).endswith("}ph")), "")
                texts = ["".join(t.text or "" for t in p.iter(f"{_A}t")) for p in shape.iter(f"{_A}p")]
                if kind in ("title", "ctrTitle"):
                    builder.heading(1, " ".join(texts))
                else:
                    builder.paragraph("\n".join(text for text in texts if text.strip()))
            elif shape.tag == f"{_A}tbl":
                rows = shape.iter(f"{_A}tr")
                builder.table(
                    [" ".join(t.text or "" for t in c.iter(f"{_A}t")) for c in r.iter(f"{_A}tc")] for r in rows
                )
    return builder.finish()


def parse_xlsx(data: bytes) -> ParsedText:
    """One heading a sheet; rows as tables under the sheet's first row. Raises: DocumentUnreadable."""
    archive = Archive(data, "xlsx")
    builder = Builder()
    _title(archive, builder)
    names = set(archive.names())
    shared: list[str] = []
    if "xl/sharedStrings.xml" in names:
        strings = archive.xml("xl/sharedStrings.xml").iter(f"{_S}si")
        shared = ["".join(node.text or "" for node in string.iter(f"{_S}t")) for string in strings]
    titles = [sheet.get("name", "") for sheet in archive.xml("xl/workbook.xml").iter(f"{_S}sheet")]
    sheets = sorted((name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)), key=_place)
    for number, name in enumerate(sheets):
        if number < len(titles):
            builder.heading(1, titles[number])
        rows = (
            [_value(cell, shared) for cell in row.iter(f"{_S}c")] for row in archive.xml(name).iter(f"{_S}row")
        )
        _tables(rows, builder)
    return builder.finish()


def _value(cell: etree._Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(node.text or "" for node in cell.iter(f"{_S}t"))
    text = cell.findtext(f"{_S}v") or ""
    if cell.get("t") == "s":
        return shared[int(text)] if text.isdigit() and int(text) < len(shared) else ""
    return text


def parse_csv(data: bytes) -> ParsedText:
    """Rows as tables, each under the file's first row. Raises: DocumentUnreadable."""
    text = decode(data)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:4096], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    builder = Builder()
    try:
        _tables(csv.reader(io.StringIO(text), dialect), builder)
    except csv.Error as error:
        raise DocumentUnreadable("csv: a row cannot be read; save the file anew as UTF-8") from error
    return builder.finish()


def _tables(rows: Iterator[list[str]], builder: Builder) -> None:
    """Forty rows to a table, the first row repeated on each so that a passage names its columns."""
    head: list[str] = []
    batch: list[list[str]] = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if not head:
            head = row
        else:
            batch.append(row)
        if len(batch) == ROWS_TOGETHER:
            builder.table([head, *batch])
            batch = []
    if batch or head:
        builder.table([head, *batch])


def _title(archive: Archive, builder: Builder) -> None:
    if "docProps/core.xml" in archive.names():
        title = archive.xml("docProps/core.xml").findtext(f"{_DC}title")
        if title and title.strip():
            builder.facts["title"] = " ".join(title.split())


def _place(name: str) -> int:
    found = _NUMBER.search(name)
    return int(found[1]) if found else 0
