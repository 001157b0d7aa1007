"""Small documents of every kind that is read, made by hand."""

from __future__ import annotations

import io
import zipfile
from io import BytesIO

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


def pages(*lines: tuple[str, str]) -> bytes:
    """A page each: a title that the outline names, and a paragraph below it."""
    from reportlab.pdfgen.canvas import Canvas

    out = BytesIO()
    canvas = Canvas(out, pagesize=(600, 800))
    for number, (title, text) in enumerate(lines):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(title, str(number), level=min(number, 1))
        canvas.drawString(72, 700, title + ".")
        canvas.drawString(72, 600, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()
