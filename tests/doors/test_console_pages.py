"""The pages beside asking, in a real browser: the wizard, the ledger; and axe-core over every page there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from console_kit import HIGH, NARROW, PASSWORD, Console, entry, looked_over, until

from selat.console.pages import PAGES

ALL = ("operator", "builder", "officer", "auditor", "member")
QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi?"
PATHS = sorted(
    {at.path for page in PAGES for at in page.paths if at.method == "GET" and not at.open and "{" not in at.path}
    - {"/ledger/live", "/ledger/export.csv", "/ledger/trust.policy", "/ask/passage", "/documents/state"}
    - {"/documents/view", "/models/pulls/events", "/models/one"}
)


def test_the_wizard_leads_from_a_language_to_a_cited_answer(console: Console, tmp_path: Path) -> None:
    note = tmp_path / "waktu-kedai.txt"
    note.write_text("Kedai dibuka dari jam sembilan pagi hingga jam enam petang setiap hari bekerja.\n")
    with console.signed_in("tuan-kedai", *ALL) as page:
        page.goto("/setup")
        page.click(".tile[lang=ms]")
        page.wait_for_url("**/setup?step=organisation")
        page.click("text=Syarikat")
        assert page.locator(".tile:has(:checked) .packs .badge").count() >= 2
        page.click("text=Simpan dan teruskan")
        page.wait_for_url("**/setup?step=engine")
        assert page.locator(".list .badge.ok").count() >= 1
        page.click("text=Teruskan")
        page.set_input_files("#files", note)
        page.wait_for_selector("#uploads .badge.ok")
        page.click("text=Teruskan")
        page.fill("#q", "Bila kedai dibuka?")
        page.click("main button.primary")
        page.wait_for_url("**/ask?q=**")
        page.wait_for_selector(".source")
        assert "jam sembilan pagi" in page.locator(".turn .said").last.inner_text()
        page.locator(".meta button.badge").click()
        page.wait_for_selector("#panel .notice.ok")
        facts = page.locator("#panel dl.facts").inner_text()
        assert "selesai" in facts
        assert "Malaysia · kita sendiri" in facts
        page.keyboard.press("Escape")
        page.goto("/ask?q=Bila+kedai+ditutup%3F")
        page.wait_for_selector(".turn.mine")  # as kept of before; what asks comes in the same breath
        assert page.locator(".turn.mine").count() == 1, "an address by itself asks nothing"
    assert entry(console, "tenant.profile")["facts"] == {"profile": "commercial"}


def test_an_engine_is_added_by_its_address_and_a_wrong_one_is_explained(console: Console) -> None:
    with console.signed_in("tuan-kedai", *ALL) as page:
        page.goto("/setup?step=engine")
        page.click("summary")
        page.fill("#name", "Pelayan Kami")
        page.fill("#url", f"{console.selat.upstream.url}")
        page.fill("#models", "gema-kami")
        page.fill("#jurisdiction", "MY")
        page.click("form.options button")
        page.wait_for_selector("main .notice.ok")

        def taken_up() -> bool:
            page.goto("/setup?step=engine")
            return "pelayan-kami" in page.locator(".list").first.inner_text()

        until(page, taken_up)
        page.click("summary")
        page.fill("#name", "pelayan-kami")
        page.fill("#url", f"{console.selat.upstream.url}")
        page.fill("#models", "lain")
        page.click("form.options button")
        assert page.locator(".notice.bad").first.inner_text().startswith("Enjin ini tidak dapat ditambah")


def test_the_ledger_shows_a_request_as_it_happens_and_its_proof(console: Console) -> None:
    with console.signed_in("juruaudit", "auditor") as page:
        page.goto("/ledger")
        page.wait_for_selector("#feed:not([hidden])")
        answer = console.selat.client().chat.completions.with_raw_response.create(
            model="docs", messages=[{"role": "user", "content": QUESTION}]
        )
        fresh = page.locator(f"#rows tr.fresh a[href='/ledger/entry/{answer.headers['selat-receipt']}']")
        fresh.first.wait_for()
        assert fresh.count() == 1
        fresh.click()
        page.wait_for_selector("#verdict .notice.ok")
        with page.expect_download() as found:
            page.click("text=Bungkusan untuk juruaudit")
        assert found.value.suggested_filename.endswith(".zip")
        page.goto("/ledger/book")
        page.goto("/ledger?decision=deny&model=tiada-model")
        assert page.locator(".empty h2").inner_text() == "Tiada yang sepadan"


def test_an_operator_has_the_whole_book_checked(console: Console) -> None:
    with console.signed_in("tuan-kedai", *ALL) as page:
        page.goto("/ledger/book")
        page.click("text=Semak seluruh buku")
        page.wait_for_selector("text=Seluruh buku disemak")


def test_a_member_sees_their_own_requests_and_no_page_of_an_officer(console: Console) -> None:
    with console.signed_in("ahli-biasa", "member") as page:
        page.goto("/ledger")
        assert page.locator("#rows tr").count() == 0
        assert page.locator("text=Perubahan").count() == 0
        assert page.locator(".menu >> text=Persediaan").count() == 0
        page.goto("/ledger/changes")
        assert page.locator("h1").inner_text().startswith("Halaman ini bukan untuk peranan anda")
        page.goto("/ask")
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".source")
        page.goto("/ledger")
        page.wait_for_selector("#rows tr")
        assert page.locator("#rows tr").count() == 1


@pytest.mark.parametrize("path", ["/sign-in", "/welcome?link=x", *PATHS])
def test_axe_finds_nothing_wrong_and_pages_fit_and_are_pictured(console: Console, path: str) -> None:
    console.person("lihat", *ALL, clearance=HIGH)
    login = "" if path in ("/sign-in", "/welcome?link=x") else "lihat"
    name = re.sub(r"[^a-z]+", "-", path).strip("-")
    wrong = looked_over(console, name, login, lambda page: page.goto(path))
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.parametrize("language", ["zh", "ta"])
def test_no_page_shows_a_text_of_another_language(console: Console, language: str) -> None:
    """Whoever reads Chinese or Tamil sees headings and menu in that script on every page."""
    script = {"zh": "[\u4e00-\u9fff]", "ta": "[\u0b80-\u0bff]"}[language]
    console.person("lihat", *ALL, clearance=HIGH)
    with console.visit() as page:
        console.enter(page, "lihat", language)
        for path in PATHS:
            page.goto(path)
            for text in page.locator("h1, .menu a, .menu h2, th").all_inner_texts():
                assert not text.strip() or re.search(script, text), (path, text)


def test_the_wizards_engines_have_room_for_their_words_on_a_phone(console: Console) -> None:
    with console.signed_in("lihat", *ALL, language="ta", viewport=NARROW) as page:
        page.goto("/setup?step=engine")
        widths = page.locator(".list .grow").evaluate_all("all => all.map((one) => one.clientWidth)")
        assert min(widths) > NARROW["width"] / 2, widths


def test_a_person_is_added_by_a_link_changed_and_closed_again(console: Console) -> None:
    console.person("lihat", *ALL, clearance=HIGH)
    with console.visit() as page:
        console.enter(page, "lihat")
        page.goto("/people")
        page.click("text=Tambah orang")
        page.fill("#person-name", "Kak Ros")
        page.fill("#person-login", "ros@example.my")
        page.click("#add-person button.primary")
        link = page.locator(".once code").inner_text()
        with console.visit() as other:
            other.goto(link)
            assert other.input_value("#login") == "ros@example.my"
            other.fill("#password", PASSWORD)
            other.click("main button.primary")
            other.wait_for_url("**/ask")
            menu = other.locator(".menu").inner_text()
            assert "Tanya" in menu
            assert "Orang & kunci" not in menu
            row = page.locator("tr", has_text="ros@example.my")
            page.goto("/people")
            row.locator("text=Ubah").click()
            page.locator("dialog[open] input[value=builder]").check()
            page.click("dialog[open] button.primary")
            page.wait_for_selector("main .notice.ok")
            other.goto("/ask")
            assert "/sign-in" in other.url, "other rights begin with another sign-in"
        row.locator("text=Tutup akaun").click()
        page.wait_for_selector("main .notice.ok")
        assert row.locator(".badge.bad").inner_text() == "Ditutup"
    with console.visit() as page:
        page.goto("/sign-in")
        page.fill("#login", "ros@example.my")
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        assert page.locator(".notice.bad").is_visible()


def test_a_key_is_made_shown_once_and_works(console: Console) -> None:
    console.person("lihat", *ALL, clearance=HIGH)
    with console.visit() as page:
        console.enter(page, "lihat")
        page.goto("/people")
        page.click("text=Buat kunci")
        page.fill("#key-name", "aplikasi ujian")
        page.click("#add-key button.primary")
        secret = page.locator(".once code").inner_text()
        client = console.selat.client(api_key=secret)
        assert client.models.list().data
        page.goto("/people")
        assert page.locator(".once").count() == 0
        page.locator("tr", has_text="aplikasi ujian").locator("text=Tamatkan").click()
        page.wait_for_selector("main .notice.ok")
