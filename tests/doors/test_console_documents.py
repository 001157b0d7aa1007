"""Documents in the browser: a real PDF sent in and asked about, a label raised and what it then hides, removal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import waiting
from console_kit import HIGH, Console, entry
from playwright.sync_api import Page
from reportlab.pdfgen.canvas import Canvas

from selat.core.label import parse_label

LOW = parse_label("terhad/restricted/personal/MY")
LINES = (
    "Garis panduan cuti Jabatan Pelabuhan",
    "Pegawai pelabuhan layak mendapat cuti tahunan sebanyak tiga puluh lima hari.",
    "Permohonan cuti hendaklah dihantar kepada ketua unit tujuh hari lebih awal.",
)
QUESTION = "Berapa hari cuti tahunan pegawai pelabuhan?"


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = io.BytesIO()
    canvas = Canvas(drawn)
    for number, line in enumerate(LINES):
        canvas.drawString(60, 780 - 24 * number, line)
    canvas.save()
    path = tmp_path_factory.mktemp("pdf") / "cuti-pelabuhan.pdf"
    path.write_bytes(drawn.getvalue())
    return path


def ask(page: Page, question: str) -> str:
    page.goto("/ask")
    if page.locator("#new").is_visible():
        page.click("#new")
    page.fill("#question", question)
    page.keyboard.press("Enter")
    page.wait_for_selector(".meta")
    return page.locator(".turn .said").last.inner_text()


def send(page: Page, path: Path, folder: str = "") -> None:
    page.goto("/documents")
    if folder:
        page.click("#drop summary")
        page.fill("#up-folder", folder)
    page.set_input_files("#files", path)
    page.wait_for_selector("#uploads .badge.ok, #uploads .badge.bad")


def test_a_pdf_is_sent_in_read_asked_about_relabelled_and_then_denied(console: Console, pdf: Path) -> None:
    console.person("kerani", "builder", clearance=HIGH)
    console.person("pelaut", "member", clearance=LOW)
    with console.signed_in("kerani") as page:
        send(page, pdf, "hr/cuti")
        assert page.locator("#uploads .badge").inner_text() == "Sedia"
        page.click("#uploads a")
        assert "tiga puluh lima hari" in page.locator(".passage").first.inner_text()
        document = page.url
        with console.signed_in("pelaut") as other:
            assert "tiga puluh lima" in ask(other, QUESTION)
            other.locator(".turn .said button.cite").first.click()
            other.wait_for_selector("#panel mark")
            other.goto(document)
            assert "tiga puluh lima" in other.locator(".passage").first.inner_text()
            assert other.locator("text=Buang dokumen").count() == 0

            page.select_option("#axis-official", "sulit")
            page.click("text=Tukar label")
            page.wait_for_selector(".notice.ok")
            assert page.locator(".head .badge.sulit").inner_text() == "Sulit"

            other.goto(document)
            assert other.locator("h1").inner_text() == "Perkara ini tidak ada, atau bukan untuk anda lihat."
            assert "tiga puluh lima" not in ask(other, QUESTION)
            assert other.locator(".source").count() == 0
            other.goto("/documents?q=cuti-pelabuhan")
            assert other.locator(".empty h2").inner_text() == "Tiada dokumen yang sepadan"


def test_a_label_is_lowered_by_an_officer_who_says_why_and_by_nobody_else(console: Console, pdf: Path) -> None:
    console.person("kerani", "builder", clearance=HIGH)
    console.person("pegawai", "officer", clearance=HIGH)
    address = "/documents/view?collection=documents&id=ms%2Fe-invoice-basics.md"
    with console.signed_in("kerani") as page:
        page.goto(address)
        page.select_option("#axis-official", "terhad")
        page.click("text=Tukar label")
        page.wait_for_selector(".head .badge.terhad")
        page.select_option("#axis-official", "terbuka")
        page.click("text=Tukar label")
        assert page.locator("aside .notice.bad").inner_text().startswith("Hanya pegawai boleh menurunkan label")
    with console.signed_in("pegawai") as page:
        page.goto(address)
        page.select_option("#axis-official", "terbuka")
        page.click("text=Tukar label")
        assert page.locator("aside .notice.bad").inner_text().startswith("Menurunkan label memerlukan sebab")
        page.select_option("#axis-official", "terbuka")
        page.fill("#reason", "Panduan ini sudah diterbitkan kepada umum.")
        page.click("text=Tukar label")
        page.wait_for_selector(".head .badge.terbuka")
    leaf = entry(console, "label.lowered")
    assert leaf["caller"] == console.made["pegawai"]
    assert leaf["facts"]["reason"] == "Panduan ini sudah diterbitkan kepada umum."


def test_a_file_of_a_wrong_kind_or_in_ruins_says_why(console: Console, tmp_path: Path) -> None:
    console.person("kerani", "builder", clearance=HIGH)
    (tmp_path / "gambar.exe").write_bytes(b"MZ")
    (tmp_path / "rosak.pdf").write_bytes(b"%PDF-1.7 ini bukan pdf")
    with console.signed_in("kerani") as page:
        send(page, tmp_path / "gambar.exe")
        assert "Jenis fail ini tidak dapat dibaca" in page.locator("#uploads .why").inner_text()
        send(page, tmp_path / "rosak.pdf")
        assert page.locator("#uploads .badge.bad").inner_text() == "Tidak dapat dibaca"
        page.goto("/documents?status=failed")
        page.click("a.title")
        assert page.locator(".notice.bad").is_visible()
        page.click("text=Baca semula")
        page.wait_for_selector(".notice.ok")


def test_a_removed_document_is_gone_at_once_and_leaves_a_tombstone(console: Console, tmp_path: Path) -> None:
    console.person("kerani", "builder", clearance=HIGH)
    note = tmp_path / "nota-dermaga.txt"
    note.write_text("Dermaga sembilan ditutup untuk pembaikan pada setiap hari Khamis.\n")
    with console.signed_in("kerani") as page:
        send(page, note)
        assert "hari Khamis" in ask(page, "Bila dermaga sembilan ditutup?")
        page.goto("/documents?q=dermaga")
        page.click("a.title")
        page.click("text=Buang dokumen")
        page.click("text=Ya, buang")
        page.wait_for_selector(".notice.ok")
        assert "hari Khamis" not in ask(page, "Bila dermaga sembilan ditutup?")
    leaf = entry(console, "document.removed")
    assert (leaf["caller"], leaf["facts"]["document"]) == (console.made["kerani"], "nota-dermaga.txt")


def test_a_member_sees_no_way_to_send_and_the_server_refuses_one_who_tries(console: Console) -> None:
    console.person("pelaut", "member", clearance=LOW)
    with console.signed_in("pelaut") as page:
        page.goto("/documents")
        assert page.locator("#drop").count() == 0
        told = page.evaluate(
            "async (token) => { const answer = await fetch('/documents/upload?name=x.txt', {method: 'POST',"
            " headers: {'x-selat-token': token, 'content-type': 'application/octet-stream'}, body: 'x'});"
            " return [answer.status, (await answer.json()).error.code]; }",
            page.locator("meta[name=selat-token]").get_attribute("content"),
        )
        assert told == [403, "policy_denied"]


def test_a_folder_hands_down_its_label_and_only_an_officer_with_a_reason_lowers_it(
    console: Console, tmp_path: Path
) -> None:
    note = tmp_path / "gaji-mac.txt"
    note.write_text("Gaji pegawai pelabuhan bagi bulan Mac dibayar pada dua puluh lima hari bulan.\n")
    console.person("kerani", "builder", clearance=HIGH)
    console.person("pegawai-label", "officer", clearance=HIGH)
    with console.signed_in("kerani") as page:
        send(page, note, "gaji/2027")
        page.goto("/documents/folders")
        page.fill("#folder", "gaji")
        page.select_option("#axis-official", "sulit")
        page.click("text=Simpan peraturan")
        page.wait_for_selector("main .notice.ok")
        row = page.locator("tr", has_text="documents / gaji")
        assert row.locator(".badge.sulit").count() == 1
        page.goto("/documents?folder=gaji")
        assert page.locator(".documents .badge.sulit").count() == 1, "what is there already is raised"
        page.goto("/documents/folders?collection=documents&folder=gaji/2027")
        assert "diwarisi dari atas: Sulit" in page.inner_text("main")
        page.goto("/documents/folders?collection=documents&folder=gaji")
        page.select_option("#axis-official", "terhad")
        page.click("text=Simpan peraturan")
        assert "Hanya pegawai" in page.locator("main .notice.bad").inner_text()
        assert page.locator("#reason").count() == 0
    with console.signed_in("pegawai-label") as page:
        page.goto("/documents/folders?collection=documents&folder=gaji")
        page.select_option("#axis-official", "terhad")
        page.click("text=Simpan peraturan")
        assert "memerlukan sebab" in page.locator("main .notice.bad").inner_text()
        page.select_option("#axis-official", "terhad")
        page.fill("#reason", "Gaji telah diumumkan kepada semua")
        page.click("text=Simpan peraturan")
        page.wait_for_selector("main .notice.ok")
        page.goto("/documents?folder=gaji")
        assert page.locator(".documents .badge.sulit").count() == 1, "what is there keeps its label"
    waiting.until(lambda: "officer" in entry(console, "folder.set")["facts"])  # the last of three such entries
    facts = entry(console, "folder.set")["facts"]
    assert facts["officer"] == console.made["pegawai-label"]
    assert facts["reason"] == "Gaji telah diumumkan kepada semua"
    assert facts["from"].startswith("sulit")
    with console.signed_in("ahli-folder", "member") as page:
        refused = page.goto("/documents/folders")
        assert refused is not None
        assert refused.status == 403
