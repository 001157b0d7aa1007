"""Every file gives its text with positions, or a reason; none ends the service."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from selat.core.errors import DocumentUnreadable
from selat.core.label import LOWEST
from selat.core.passage import Source
from selat.knowledge import SUFFIXES, Child
from selat.knowledge.parse.files import PARSERS, parse, parse_bytes
from selat.knowledge.parse.web import parse_html
from selat.knowledge.split import split

HOUSE = Path(__file__).parents[3]


def pdf(*pages: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for page in pages:
        canvas.drawString(72, 720, page)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_pdf_text_keeps_its_pages() -> None:
    parsed = parse_bytes(pdf("Surat pertama.", "Surat kedua."), ".pdf")
    assert [(block.page, parsed.text[block.start : block.end]) for block in parsed.blocks] == [
        (1, "Surat pertama."),
        (2, "Surat kedua."),
    ]


def test_an_encrypted_pdf_says_so() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(pdf("rahsia")))
    writer.encrypt("kunci", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(DocumentUnreadable, match="encrypted"):
        parse_bytes(out.getvalue(), ".pdf")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"%PDF-1.7 broken", "broken"), (pdf(""), "no text"), (pdf("a")[:300], "broken|cannot")],
)
def test_a_pdf_that_gives_no_text_gives_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentUnreadable, match=reason):
        parse_bytes(data, ".pdf")


def test_markdown_front_matter_names_the_source() -> None:
    parsed = parse_bytes(
        b"---\ntitle: Panduan\nsource: Akta 709\ndated: 2025-06-01\nlabel: terhad\nlanguage: ms\n---\n"
        b"# Satu\n\nAyat yang\nterputus di sini.\n\n## Dua\n\n- a\n- b\n",
        ".md",
    )
    assert parsed.facts == {
        "title": "Panduan", "origin": "Akta 709", "dated": "2025-06-01", "label": "terhad", "language": "ms"
    }  # fmt: skip
    assert [(b.heading, parsed.text[b.start : b.end]) for b in parsed.blocks] == [
        ("Satu", "Ayat yang\nterputus di sini."),
        ("Satu › Dua", "- a\n- b"),
    ]


def test_html_keeps_headings_and_tables_and_drops_scripts() -> None:
    parsed = parse_html(
        b"<html lang='ms'><head><title>Jadual</title><script>x()</script></head><body><h1>Harga</h1><p>Harga "
        b"<b>baru</b>.</p><table><tr><th>Barang</th><th>RM</th></tr><tr><td>Beras</td><td>26</td></tr></table></body></html>"
    )
    assert parsed.facts == {"title": "Jadual", "language": "ms"}
    assert [(b.heading, b.table, parsed.text[b.start : b.end]) for b in parsed.blocks] == [
        ("Harga", False, "Harga baru."),
        ("Harga", True, "Barang | RM\nBeras | 26"),
    ]


def test_html_nested_without_end_is_read_or_refused() -> None:
    deep = b"<div>" * 50_000 + b"kopi" + b"</div>" * 50_000
    with suppress(DocumentUnreadable):
        assert "kopi" in parse_html(deep).text


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([".txt", ".md", ".html", ".pdf"]))
def test_no_bytes_break_a_parser(data: bytes, suffix: str) -> None:
    try:
        parsed = parse_bytes(data, suffix)
    except DocumentUnreadable:
        return
    assert parsed.text


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=5000))
def test_every_passage_is_exactly_its_span(text: str) -> None:
    try:
        parsed = parse_bytes(text.encode(), ".md")
    except DocumentUnreadable:
        return
    passages = split(parsed, LOWEST, Source("d", "d"))
    assert all(parsed.text[passage.start : passage.end] == passage.text for passage in passages)
    assert [passage.number for passage in passages] == list(range(1, len(passages) + 1))
    covered = "".join(passage.text for passage in passages)
    assert "".join(covered.split()) == "".join(parsed.text.split())
    assert all(len(passage.text) <= 1_400 for passage in passages)


def test_a_child_process_reads_and_refuses_as_we_do(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.md", tmp_path / "b.pdf"
    good.write_text("# Kopi\n\nO kosong.")
    bad.write_bytes(b"%PDF-1.4 nothing")
    with Child() as child:
        assert child.parse(good) == parse(good)
        with pytest.raises(DocumentUnreadable, match="broken"):
            child.parse(bad)
        assert child.parse(good).text == "O kosong."


def test_a_document_over_the_time_limit_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    slow, good = tmp_path / "slow.txt", tmp_path / "good.txt"
    slow.write_text("kopi " * 8_000_000)
    good.write_text("kopi")
    with Child(timeout_s=0.05) as child, pytest.raises(DocumentUnreadable, match=r"over 0\.05 s"):
        child.parse(slow)
    with Child() as child:
        assert child.parse(good).text == "kopi"


def test_an_unknown_type_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"\.pdf"):
        parse_bytes(b"x", ".exe")


def test_the_suffixes_that_are_walked_are_those_with_a_parser() -> None:
    assert set(SUFFIXES) == set(PARSERS)


def test_searching_loads_no_parser() -> None:
    script = (
        "import sys, selat.knowledge; print(any(name in sys.modules for name in ('pypdf', 'pypdfium2', 'lxml')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=HOUSE)
    assert done.stdout == "False\n"
