"""Word, PowerPoint and Excel files (Office Open XML), and CSV: headings, paragraphs and tables."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterable, Iterator

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
TABLE_CHARACTERS = 850  # a longer table would be cut into passages without the names of its columns
WIDEST_GAP = 200  # empty columns that are kept: a hostile file states thousands
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


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
    for page, (_, name) in enumerate(_parts(archive, "ppt/presentation.xml", "sldId", "ppt/slides/slide"), 1):
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
    for title, name in _parts(archive, "xl/workbook.xml", "sheet", "xl/worksheets/sheet"):
        builder.heading(1, title)
        _tables(_numbered(archive.xml(name), shared), builder)
    return builder.finish()


def _parts(archive: Archive, whole: str, tag: str, each: str) -> list[tuple[str, str]]:
    """Names and files of slides or sheets in the order in which the file shows them: that of its own list.

    The numbers in the files' names say when each was made; a file without the list is read by them.
    """
    names = set(archive.names())
    folder, _, name = whole.rpartition("/")
    links = f"{folder}/_rels/{name}.rels"
    files = sorted((one for one in names if re.fullmatch(rf"{each}\d+\.xml", one)), key=_place)
    listed = list(archive.xml(whole).iter("{*}" + tag)) if whole in names or not files else []
    if links not in names:
        titles = [*(one.get("name", "") for one in listed), *[""] * len(files)]
        return list(zip(titles, files, strict=False))
    targets = {one.get("Id"): one.get("Target", "") for one in archive.xml(links).iter("{*}Relationship")}
    found = []
    for one in listed:
        target = posixpath.normpath(posixpath.join("/" + folder, targets.get(one.get(_ID), "")))[1:]
        if target in names and target != folder:
            found.append((one.get("name", ""), target))
    return found or [("", one) for one in files]


def _numbered(sheet: etree._Element, shared: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers, each cell in its own column: a file leaves out what is empty."""
    number = 0
    for row in sheet.iter(f"{_S}row"):
        stated = row.get("r", "")
        number = int(stated) if stated.isdigit() and len(stated) < 9 else number + 1
        cells: list[str] = []
        for cell in row.iter(f"{_S}c"):
            gap = _column(cell.get("r", "")) - len(cells)
            cells += [""] * (gap if 0 < gap <= WIDEST_GAP else 0)
            cells.append(_value(cell, shared))
        yield number, cells


def _column(reference: str) -> int:
    """The column of a cell such as `C5`, from 0; -1 where it is not stated."""
    column = 0
    for letter in reference[:3]:
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - 64
    return column - 1


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
        _tables(enumerate(csv.reader(io.StringIO(text), dialect), 1), builder)
    except csv.Error as error:
        raise DocumentUnreadable("csv: a row cannot be read; save the file anew as UTF-8") from error
    return builder.finish()


def _tables(rows: Iterable[tuple[int, list[str]]], builder: Builder) -> None:
    """Tables small enough for a passage each, the first row repeated on all so that each names its columns."""
    head: list[str] = []
    batch: list[tuple[int, list[str]]] = []
    size = 0

    def flush() -> None:
        at = (batch[0][0], batch[-1][0]) if batch else None
        builder.table([head, *(row for _, row in batch)], at=at)
        batch.clear()

    for number, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if not head:
            head, first = row, number
            continue
        length = sum(map(len, row)) + 3 * len(row)
        if batch and (len(batch) == ROWS_TOGETHER or size + length > TABLE_CHARACTERS):
            flush()
        size = length + (size if batch else sum(map(len, head)) + 3 * len(head))
        batch.append((number, row))
    if batch:
        flush()
    elif head:
        builder.table([head], at=(first, first))


def _title(archive: Archive, builder: Builder) -> None:
    if "docProps/core.xml" in archive.names():
        title = archive.xml("docProps/core.xml").findtext(f"{_DC}title")
        if title and title.strip():
            builder.facts["title"] = " ".join(title.split())


def _place(name: str) -> int:
    found = _NUMBER.search(name)
    return int(found[1]) if found else 0
