"""Office files, mail and archives give their text with headings and tables, and a bomb gives a reason."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.files import ParsedText, parse_bytes

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def packed(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml").replace("_DOT_", "."), text)
    return out.getvalue()


def blocks(parsed: ParsedText) -> list[tuple[str, bool, str]]:
    return [(b.heading, b.table, parsed.text[b.start : b.end]) for b in parsed.blocks]


DOCX = packed(
    word__styles_xml=f'<w:styles {W}><w:style w:styleId="T1"><w:name w:val="heading 1"/></w:style></w:styles>',
    word__document_xml=(
        f'<w:document {W}><w:body><w:p><w:pPr><w:pStyle w:val="T1"/></w:pPr><w:r><w:t>Notis</w:t></w:r></w:p>'
        "<w:p><w:r><w:t>Had masa </w:t></w:r><w:r><w:t>72 jam.</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Kes</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Jam</w:t></w:r></w:p>"
        "</w:tc></w:tr></w:tbl></w:body></w:document>"
    ),
)
PPTX = packed(
    ppt__slides__slide2_xml=f"<p:sld {P} {A}><p:sp><a:p><a:r><a:t>Dua</a:t></a:r></a:p></p:sp></p:sld>",
    ppt__slides__slide1_xml=(
        f'<p:sld {P} {A}><p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>Tajuk</a:t></a:r></a:p></p:sp>'
        "<p:sp><a:p><a:r><a:t>Isi satu</a:t></a:r></a:p></p:sp></p:sld>"
    ),
)
XLSX = packed(
    xl__workbook_xml=f'<workbook {S}><sheets><sheet name="Harga"/></sheets></workbook>',
    xl__sharedStrings_xml=f"<sst {S}><si><t>Barang</t></si><si><t>Beras</t></si></sst>",
    xl__worksheets__sheet1_xml=(
        f'<worksheet {S}><sheetData><row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>RM</t></is></c></row>'
        '<row><c t="s"><v>1</v></c><c><v>26</v></c></row></sheetData></worksheet>'
    ),
)


def test_word_keeps_headings_paragraphs_and_tables() -> None:
    assert blocks(parse_bytes(DOCX, ".docx")) == [
        ("Notis", False, "Had masa 72 jam."),
        ("Notis", True, "Kes | Jam"),
    ]


def test_slides_come_in_order_with_their_numbers() -> None:
    parsed = parse_bytes(PPTX, ".pptx")
    assert blocks(parsed) == [("Tajuk", False, "Isi satu"), ("Tajuk", False, "Dua")]
    assert [block.page for block in parsed.blocks] == [1, 2]


def test_a_sheet_is_a_table_under_its_name() -> None:
    assert blocks(parse_bytes(XLSX, ".xlsx")) == [("Harga", True, "Barang | RM\nBeras | 26")]


def test_rows_of_a_csv_keep_their_columns_names() -> None:
    rows = "negeri;kadar\n" + "".join(f"n{number};{number}\n" for number in range(60))
    tables = blocks(parse_bytes(rows.encode(), ".csv"))
    assert len(tables) == 2
    assert all(text.startswith("negeri | kadar\n") for _, _, text in tables)


def test_mail_gives_subject_sender_date_and_attachments() -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["Date"] = "Aduan", "a@b.my", "Mon, 02 Jun 2025 09:00:00 +0800"
    message.set_content("Data bocor semalam.")
    message.add_attachment(b"# Log\n\nJam 9.", maintype="text", subtype="plain", filename="log.md")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="x.pdf")
    parsed = parse_bytes(message.as_bytes(), ".eml")
    assert parsed.facts["title"] == "Aduan"
    assert (parsed.facts["origin"], parsed.facts["dated"]) == ("a@b.my", "2025-06-02")
    assert "Data bocor semalam." in parsed.text
    assert "Jam 9." in parsed.text
    assert "x.pdf" in parsed.text


def test_an_archive_gives_the_text_of_what_it_holds() -> None:
    parsed = parse_bytes(packed(a_DOT_md="# Satu\n\nkopi", b_DOT_exe=b"\x00\x01", c_DOT_docx=DOCX), ".zip")
    assert "kopi" in parsed.text
    assert "72 jam" in parsed.text


def test_a_bomb_is_refused_and_so_are_archives_within_archives_without_end() -> None:
    with pytest.raises(DocumentUnreadable, match="bomb"):
        parse_bytes(packed(a_DOT_txt=b"a" * 60_000_000), ".zip")
    nested = packed(a_DOT_txt="kopi")
    for _ in range(6):
        nested = packed(a_DOT_zip=nested)
    with pytest.raises(DocumentUnreadable, match="no text"):
        parse_bytes(nested, ".zip")


def test_entities_are_not_followed() -> None:
    hostile = packed(
        word__document_xml='<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        f"<w:document {W}><w:body><w:p><w:r><w:t>a&x;b</w:t></w:r></w:p></w:body></w:document>"
    )
    assert "root:" not in parse_bytes(hostile, ".docx").text


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([(DOCX, ".docx"), (PPTX, ".pptx"), (XLSX, ".xlsx")]),
    st.integers(0, 2000),
    st.binary(min_size=1, max_size=8),
    st.sampled_from([".docx", ".pptx", ".xlsx", ".csv", ".eml", ".zip"]),
)
def test_no_damage_breaks_a_parser(file: tuple[bytes, str], at: int, put: bytes, other: str) -> None:
    data, suffix = file
    damaged = data[: at % len(data)] + put + data[at % len(data) + len(put) :]
    for kind in (suffix, other):
        try:
            assert parse_bytes(damaged, kind).text
        except DocumentUnreadable as error:
            assert str(error)  # noqa: PT017
