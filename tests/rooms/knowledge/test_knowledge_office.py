"""Office files, mail and archives give their text with headings and tables, and a bomb gives a reason."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import DOCX, PPTX, XLSX, A, P, S, W, packed

from selat.core.errors import DocumentUnreadable
from selat.core.label import LOWEST
from selat.core.passage import Source
from selat.knowledge.parse.files import ParsedText, parse_bytes
from selat.knowledge.split import split


def blocks(parsed: ParsedText) -> list[tuple[str, bool, str]]:
    return [(b.heading, b.table, parsed.text[b.start : b.end]) for b in parsed.blocks]


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


def test_slides_and_sheets_come_as_the_file_lists_them_not_as_their_parts_are_numbered() -> None:
    link = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'

    def links(*targets: str) -> str:
        each = (f'<Relationship Id="r{at}" Target="{one}"/>' for at, one in enumerate(targets))
        return f"<Relationships>{''.join(each)}</Relationships>"

    def slide(text: str) -> str:
        return f"<p:sld {P} {A}><p:sp><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sp></p:sld>"

    deck = packed(
        ppt__presentation_xml=f'<p:x {P} {link}><p:sldId r:id="r1"/><p:sldId r:id="r0"/></p:x>',
        ppt___rels__presentation_xml_DOT_rels=links("slides/slide1.xml", "/ppt/slides/slide2.xml"),
        ppt__slides__slide1_xml=slide("kedua"),
        ppt__slides__slide2_xml=slide("pertama"),
    )
    parsed = parse_bytes(deck, ".pptx")
    assert [(one.page, parsed.text[one.start : one.end]) for one in parsed.blocks] == [
        (1, "pertama"),
        (2, "kedua"),
    ]
    sheet = f'<worksheet {S}><sheetData><row><c t="inlineStr"><is><t>%s</t></is></c></row></sheetData></worksheet>'
    book = packed(
        xl__workbook_xml=f'<x {S} {link}><sheet name="Mac" r:id="r0"/><sheet name="Jan" r:id="r1"/></x>',
        xl___rels__workbook_xml_DOT_rels=links("worksheets/sheet2.xml", "worksheets/sheet1.xml"),
        xl__worksheets__sheet1_xml=sheet % "isi januari",
        xl__worksheets__sheet2_xml=sheet % "isi mac",
    )
    assert blocks(parse_bytes(book, ".xlsx")) == [("Mac", True, "isi mac"), ("Jan", True, "isi januari")]


def test_cells_stay_in_their_columns_where_a_file_leaves_out_the_empty_ones() -> None:
    cells = "".join(
        f'<row r="{row}">'
        + "".join(f'<c r="{column}{row}"><v>{value}</v></c>' for column, value in found)
        + "</row>"
        for row, found in ((1, (("A", 10), ("B", 20), ("C", 30))), (5, (("A", 1), ("C", 3), ("ZZZ", 9))))
    )
    book = packed(
        xl__workbook_xml=f'<workbook {S}><sheet name="H"/></workbook>',
        xl__worksheets__sheet1_xml=f"<worksheet {S}><sheetData>{cells}</sheetData></worksheet>",
    )
    parsed = parse_bytes(book, ".xlsx")
    assert blocks(parsed) == [("H", True, "10 | 20 | 30\n1 |  | 3 | 9")]
    assert parsed.blocks[0].rows == (5, 5)


def test_each_passage_of_a_sheet_names_its_columns_and_its_rows() -> None:
    lines = ["negeri,keterangan", "", *(f"n{number},{'kata ' * 20}" for number in range(3, 100))]
    parsed = parse_bytes("\n".join(lines).encode(), ".csv")
    passages = split(parsed, LOWEST, Source("s.csv", ""))
    assert len(passages) > 8
    for one in passages:
        head, *rows = one.text.split("\n")
        assert head == "negeri | keterangan"
        assert one.rows == (int(rows[0].split()[0][1:]), int(rows[-1].split()[0][1:]))
    assert [one.rows[0] for one in passages[1:] if one.rows] == [
        one.rows[1] + 1 for one in passages[:-1] if one.rows
    ]


def test_what_lies_in_an_archive_or_a_message_keeps_its_places() -> None:
    message = EmailMessage()
    message["Subject"] = "Lampiran"
    message.set_content("Lihat lampiran.")
    message.add_attachment(DOCX, maintype="application", subtype="octet-stream", filename="n.docx")
    data = packed(a_DOT_pptx=PPTX, b_DOT_csv="x,y\n1,2\n", c_DOT_eml=message.as_bytes())
    parsed = parse_bytes(data, ".zip")
    assert [(one.heading, one.page, one.rows) for one in parsed.blocks] == [
        ("a.pptx › Tajuk", 1, None),
        ("a.pptx › Tajuk", 2, None),
        ("b.csv", 0, (2, 2)),
        ("c.eml", 0, None),
        ("c.eml › n.docx › Notis", 0, None),
        ("c.eml › n.docx › Notis", 0, None),
    ]


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


def test_a_member_without_a_name_is_passed_over() -> None:
    damaged = packed(a_DOT_txt=b"kopi", q=b"x").replace(b"q", b"\0")
    assert "kopi" in parse_bytes(damaged, ".zip").text


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
