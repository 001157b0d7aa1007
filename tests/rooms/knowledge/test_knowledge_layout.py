"""Headings, columns, tables and running heads of PDFs without an outline, made here by reportlab."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table

from selat.core.label import LOWEST
from selat.core.passage import Source
from selat.knowledge.parse.files import parse_bytes
from selat.knowledge.parse.parsed import ParsedText
from selat.knowledge.split import split

STYLES = getSampleStyleSheet()
BODY = "Pekerja hendaklah memohon cuti melalui sistem dalam talian sebelum tarikh mula dan mendapat kelulusan. "
GRADES = [["Gred", "Hari cuti", "Elaun (RM)"], ["Pengarah", "35", "1,200.00"], ["Pegawai kanan", "28", "800.50"]]


def manual(columns: int = 1, pages: int = 3) -> bytes:
    """A manual: a title, numbered chapters and sections, a table in each, running heads, page numbers."""
    out = BytesIO()

    def dressed(canvas: Canvas, template: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(2 * cm, 28.7 * cm, "Jabatan Contoh: Laporan Tahunan 2025")
        canvas.drawRightString(19 * cm, 1 * cm, f"Muka surat {template.page} daripada {pages}")

    width = 17 * cm / columns - (columns - 1) * cm
    frames = [Frame(2 * cm + at * (width + cm), 2 * cm, width, 25.5 * cm) for at in range(columns)]
    story = [Paragraph("Dasar Sumber Manusia", STYLES["Title"])]
    for chapter in range(1, pages + 1):
        story.append(Paragraph(f"{chapter}. Bab {chapter}", STYLES["Heading1"]))
        for section in (1, 2):
            story.append(Paragraph(f"{chapter}.{section} Perkara", STYLES["Heading2"]))
            story += [Paragraph(BODY * 9, STYLES["BodyText"]) for _ in range(3)]
        story.append(Table(GRADES, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))
    template = BaseDocTemplate(out, pagesize=A4)
    template.addPageTemplates([PageTemplate(frames=frames, onPage=dressed)])
    template.build(story)
    return out.getvalue()


def drawn(draw: Callable[[Canvas], None]) -> ParsedText:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    draw(canvas)
    canvas.save()
    return parse_bytes(out.getvalue(), ".pdf")


def texts(parsed: ParsedText) -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks]


@pytest.mark.parametrize("columns", [1, 2])
def test_headings_are_told_by_size_and_number_and_reach_the_passages(columns: int) -> None:
    parsed = parse_bytes(manual(columns), ".pdf")
    assert parsed.facts["title"] == "Dasar Sumber Manusia"
    paths = list(dict.fromkeys(block.heading for block in parsed.blocks))
    assert paths == [
        "Dasar Sumber Manusia",
        *(
            path
            for chapter in (1, 2, 3)
            for path in (
                f"Dasar Sumber Manusia › {chapter}. Bab {chapter}",
                f"Dasar Sumber Manusia › {chapter}. Bab {chapter} › {chapter}.1 Perkara",
                f"Dasar Sumber Manusia › {chapter}. Bab {chapter} › {chapter}.2 Perkara",
            )
        ),
    ]
    assert any(passage.heading == paths[-1] for passage in split(parsed, LOWEST, Source("a", "a")))


@pytest.mark.parametrize("columns", [1, 2])
def test_running_heads_and_page_numbers_are_left_out(columns: int) -> None:
    parsed = parse_bytes(manual(columns), ".pdf")
    assert "Laporan Tahunan" not in parsed.text
    assert "Muka surat" not in parsed.text


@pytest.mark.parametrize("columns", [1, 2])
def test_a_table_stays_a_table_with_its_place(columns: int) -> None:
    parsed = parse_bytes(manual(columns), ".pdf")
    tables = [block for block in parsed.blocks if block.table]
    assert len(tables) == 3
    assert parsed.text[tables[0].start : tables[0].end] == (
        "Gred | Hari cuti | Elaun (RM)\nPengarah | 35 | 1,200.00\nPegawai kanan | 28 | 800.50"
    )
    assert tables[0].box is not None


def test_columns_drawn_line_by_line_are_read_one_after_the_other() -> None:
    def draw(canvas: Canvas) -> None:
        for line in range(8):
            canvas.drawString(60, 700 - 14 * line, f"kiri baris {line} ayat yang panjang")
            canvas.drawString(320, 700 - 14 * line, f"kanan baris {line} ayat yang panjang")

    text = drawn(draw).text
    assert text.index("kiri baris 7") < text.index("kanan baris 0")


def test_a_cell_over_two_lines_stays_in_its_row() -> None:
    def draw(canvas: Canvas) -> None:
        for row, (name, note) in enumerate(
            [("Nama", "Catatan"), ("Ali", "hadir pada"), ("", "waktu pagi"), ("Abu", "-")]
        ):
            canvas.drawString(60, 700 - 14 * row, name)
            canvas.drawString(200, 700 - 14 * row, note)

    assert texts(drawn(draw)) == ["Nama | Catatan\nAli | hadir pada waktu pagi\nAbu | -"]


def test_bold_lines_and_capitals_with_numbers_head_what_follows() -> None:
    def draw(canvas: Canvas) -> None:
        for row, (font, line) in enumerate(
            [("Helvetica", "1.0 TUJUAN"), ("Helvetica", BODY[:70]), ("Helvetica", BODY[:60]),
             ("Helvetica-Bold", "Kelayakan"), ("Helvetica", BODY[:65]), ("Helvetica", BODY[:50])]
        ):  # fmt: skip
            canvas.setFont(font, 11)
            canvas.drawString(60, 700 - 14 * row, line)

    headings = [block.heading for block in drawn(draw).blocks]
    assert "1.0 TUJUAN" in headings
    assert headings[-1].endswith("Kelayakan")


def test_a_document_all_in_bold_has_no_headings() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 11)
        for row in range(6):
            canvas.drawString(60, 700 - 14 * row, BODY[:60])

    assert {block.heading for block in drawn(draw).blocks} == {""}


def test_a_sentence_that_merely_opens_with_a_number_is_no_heading() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "72 jam selepas pelanggaran, pengawal data mesti melapor.")
        canvas.drawString(60, 660, "3 Tahun Selepas Itu")

    assert {block.heading for block in drawn(draw).blocks} == {""}


def test_a_line_that_comes_once_at_the_foot_stays() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 700, BODY[:60])
        canvas.drawString(60, 30, "Sumber: Jabatan Perangkaan")

    assert "Sumber: Jabatan Perangkaan" in drawn(draw).text


def test_letters_beyond_the_basic_plane_do_not_move_the_places() -> None:
    from selat.knowledge.parse.lines import _Reader

    class Page:
        raw = None

        def count_chars(self) -> int:
            return 5

    reader = _Reader(Page(), "a𠀀bc")  # type: ignore[arg-type]
    assert [at + reader._shift[at] for at in range(4)] == [0, 1, 3, 4]
