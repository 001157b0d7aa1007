"""A PDF's outline becomes headings, its paragraphs know where they stand, and a scan is read where that can be."""

from __future__ import annotations

import shutil
import stat
from io import BytesIO
from pathlib import Path

import pytest
from papers import pages
from reportlab.pdfgen.canvas import Canvas

from selat.core.errors import DocumentUnreadable
from selat.core.label import LOWEST
from selat.core.passage import Source
from selat.knowledge import FilePlace, Library, Query
from selat.knowledge.library import Document
from selat.knowledge.parse import ocr
from selat.knowledge.parse.files import parse_bytes
from selat.knowledge.split import split


def drawing() -> bytes:
    out = BytesIO()
    canvas = Canvas(out, pagesize=(200, 100))
    canvas.rect(20, 20, 60, 40, fill=1)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_the_outline_gives_headings_and_every_paragraph_its_box() -> None:
    parsed = parse_bytes(pages(("Cuti", "Empat belas hari."), ("Cuti sakit", "Enam puluh hari.")), ".pdf")
    passages = split(parsed, LOWEST, Source("cuti.pdf", "Cuti"))
    assert [(one.heading, one.page) for one in passages] == [("Cuti", 1), ("Cuti › Cuti sakit", 2)]
    left, bottom, right, top = passages[0].box or (0, 0, 0, 0)
    assert 70 <= left < right <= 300
    assert 595 <= bottom < 610
    assert 700 < top <= 715


def test_a_box_comes_back_from_the_library(tmp_path: Path) -> None:
    parsed = parse_bytes(pages(("Cuti", "Empat belas hari.")), ".pdf")
    source = Source("cuti.pdf", "Cuti")
    library = Library(tmp_path, place=FilePlace(tmp_path))
    passages = split(parsed, LOWEST, source)
    library.add("t", "c", Document(source, LOWEST, "1", passages))
    found = library.passage(Query("t", "c", ""), "cuti.pdf", 1)
    assert found.box == passages[0].box is not None
    library.close()


def test_a_broken_outline_costs_the_headings_alone() -> None:
    data = pages(("Cuti", "Empat belas hari.")).replace(b"/Dest", b"/Dxst")
    assert "Empat belas" in parse_bytes(data, ".pdf").text


def test_a_scan_without_tesseract_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "installed", lambda: False)
    with pytest.raises(DocumentUnreadable, match="OCR"):
        parse_bytes(drawing(), ".pdf")


def test_a_scan_is_drawn_and_given_to_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for tesseract checks what it is given; the real one is below."""
    tool = tmp_path / "tesseract"
    tool.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --list-langs ]; then printf "List:\\neng\\nmsa\\n"; exit 0; fi\n'
        'test "$(head -c 2)" = P5 && printf "Dibaca dengan %s\\n\\nperenggan dua\\n\\f" "$4"\n'
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path('/usr/bin')}:{Path('/bin')}")
    ocr._languages.cache_clear()
    parsed = parse_bytes(drawing(), ".pdf")
    ocr._languages.cache_clear()
    assert [parsed.text[block.start : block.end] for block in parsed.blocks] == [
        "Dibaca dengan msa+eng",
        "perenggan dua",
    ]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_the_real_tesseract_reads_a_drawn_page() -> None:
    import pypdfium2

    with pypdfium2.PdfDocument(pages(("Cuti tahunan", "Empat belas hari."))) as document:
        assert "hari" in ocr.read(document).finish().text
