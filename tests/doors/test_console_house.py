"""The pages on the house: what was used, how far it stands on its own, its engines and its models."""

from __future__ import annotations

from contextvars import copy_context

import pytest
from console_kit import Console, until
from playwright.sync_api import Page

from selat.console import names
from selat.console.words import TONGUES, _, speaking
from selat.core.label import Label, Official

ALL = ("operator", "builder", "officer", "auditor", "member")


def ask(page: Page, question: str) -> None:
    page.goto("/ask")
    page.fill("#question", question)
    page.keyboard.press("Enter")
    page.wait_for_selector(".meta")


def shown(page: Page, path: str, text: str) -> None:
    """The book is read a second after an answer: look again until it is there."""

    def said() -> bool:
        page.goto(path)
        return text in page.inner_text("main")

    until(page, said)


def test_usage_counts_what_was_asked_and_a_limit_is_set_and_cleared(console: Console) -> None:
    with console.signed_in("tuan-rumah", *ALL) as page:
        ask(page, "Bila DPO wajib dilantik?")
        shown(page, "/usage", "extractive")
        assert page.locator(".columns rect").count() == 30
        page.click("text=7 hari")
        assert page.locator(".columns rect").count() == 7
        page.fill("#amount", "12.50")
        page.select_option("#unit", "microringgit")
        page.click("text=Tetapkan had")
        page.wait_for_selector("main .notice.ok")
        assert "RM 12.50" in page.inner_text("main")
        page.click("[aria-label='Buang had ini']")
        page.wait_for_selector("main .notice.ok")
        assert "RM 12.50" not in page.inner_text("main")


def test_usage_is_told_by_language_and_kwh_is_an_estimate_with_its_formula(console: Console) -> None:
    energy = console.selat.home / "energy.toml"
    with console.signed_in("tuan-rumah", *ALL) as page:
        ask(page, "Bolehkah data peribadi dihantar ke luar negara?")
        shown(page, "/usage", "Bahasa Melayu")
        assert "kWh (anggaran)" not in page.inner_text("main")
        assert "energy.toml" in page.inner_text("main")
        energy.write_text(
            'rm_per_kwh = 0.5\n[engine.extractive]\nwatts = 3600000\nat_once = 2\nsource = "meter di soket"\n'
        )
        page.goto("/usage?of=kwh")
        assert "meter di soket" in page.inner_text("main")
        assert "saat sibuk" in page.inner_text("main")
        heading = page.locator("section[aria-labelledby=daily] h2").inner_text()
        assert heading == "kWh (anggaran) setiap hari"
        row = page.locator("tr", has_text="Bahasa Melayu")
        assert float(row.locator("td").last.inner_text().strip("*")) > 0
        page.click("text=Setiap hari dalam nombor")
        assert page.locator("details[open] tbody tr").count() in (1, 2), "a day, or two around midnight"
        energy.write_text('[engine.extractive]\nwatts = -1\nsource = "x"\n')
        answer = page.goto("/usage")
        assert answer is not None
        assert answer.status >= 500
    energy.unlink()


def test_a_member_sees_what_they_used_themselves_and_no_page_of_the_house(console: Console) -> None:
    with console.signed_in("tetamu", "member") as page:
        page.goto("/usage")
        assert "Belum ada penggunaan" in page.inner_text("main")
        for path in ("/engines", "/models", "/sovereignty"):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 403


def test_sovereignty_scores_what_was_served_and_drills_each_loss(console: Console) -> None:
    with console.signed_in("tuan-rumah", *ALL) as page:
        ask(page, "Bolehkah data peribadi dihantar ke luar negara?")
        shown(page, "/sovereignty", "Latih tubi")
        scores = page.locator(".score .figure").all_inner_texts()
        assert len(scores) == 4
        assert page.locator(".score:has-text('Kediaman') .figure").inner_text() == "100%"


def test_an_engine_abroad_is_marked_and_removed_after_a_second_word(console: Console) -> None:
    with console.platform() as platform:
        fields = {
            "name": "seberang",
            "url": console.selat.upstream.url,
            "models": {"jauh": "mock-1"},
            "site": {"jurisdiction": "SG", "operator": "Awan", "operator_jurisdiction": "US"},
        }
        platform.changes().add_engine("default", fields)
    with console.signed_in("tuan-rumah", *ALL) as page:
        shown(page, "/engines", "seberang")
        card = page.locator(".card:has-text('seberang')")
        assert "Singapura" in card.inner_text()
        assert card.locator(".badge.warn").inner_text() == "luar negara"
        card.locator("text=Buang").click()
        page.click("button.danger")
        page.wait_for_selector("main .notice.ok")


def test_models_suggests_what_fits_from_several_vendors_and_says_what_it_cannot_read(console: Console) -> None:
    with console.signed_in("tuan-rumah", *ALL) as page:
        page.goto("/models")
        assert "Rak masih kosong" in page.inner_text("main")
        page.fill("#memory", "16GB")
        page.select_option("#language", "ms")
        page.click("text=Cadangkan")
        assert page.locator(".suggestion").count() >= 3
        page.fill("#memory", "banyak")
        page.click("text=Cadangkan")
        assert page.locator("main .notice.bad").count() == 1


WIDEST = """(body, [decisions, labels, ends]) => {
  const badges = (words) => words.map((one) => `<span class="badge">${one}</span>`).join(" ");
  for (const row of body.rows) {
    row.cells[1].innerHTML = badges(decisions);
    row.cells[2].textContent = row.cells[3].textContent = "key_0123456789abcdef0123456789";
    row.cells[4].innerHTML = badges(labels);
    row.cells[5].textContent = "1,234,567";
    row.cells[6].innerHTML = badges([ends[0]]) + ends.map((one) => `<div class="small">${one}</div>`).join("");
  }
}"""
"""Puts into every row of the ledger all that any row may say."""


def said_of_requests(language: str) -> list[list[str]]:
    """What the ledger's rows may say in a language: decisions, labels, and how requests end."""
    speaking.set(TONGUES[language])
    ends = ["terbuka", *names.OUTCOMES.values()]
    labels = [names.official(str(Label(one))) for one in Official]
    return [[_(one) for one in names.DECISIONS.values()], labels, [_(one) for one in ends]]


FOLDED = ("/ledger", "/ledger/changes", "/people", "/usage", "/sovereignty", "/policy/why", "/documents")


@pytest.mark.parametrize("path", FOLDED)
def test_no_table_hides_a_part_of_itself_at_the_side_on_a_phone_or_a_desk(console: Console, path: str) -> None:
    console.person("telefon", "operator", "builder", "officer", "auditor", "member")
    with console.signed_in("telefon") as page:
        ask(page, "Bila DPO wajib dilantik?")
    hidden = """tables => tables.filter(one => one.parentElement.scrollWidth > one.parentElement.clientWidth + 1)
      .map(one => one.outerHTML.slice(0, 120))"""
    with console.visit(viewport={"width": 360, "height": 780}) as page:
        console.enter(page, "telefon", "ta")
        page.goto(path)
        assert page.locator("main table:visible").evaluate_all(hidden) == []
        page.set_viewport_size({"width": 1280, "height": 800})
        assert page.locator("main table:visible").evaluate_all(hidden) == []
        if path == "/ledger":
            said = copy_context().run(said_of_requests, "ta")
            page.locator("main table:visible tbody").evaluate(WIDEST, said)
            assert page.locator("main table:visible").evaluate_all(hidden) == []


def test_a_browser_at_an_address_where_nothing_is_is_told_so_by_a_page(console: Console) -> None:
    with console.signed_in("sesat", "member") as page:
        answer = page.goto("/tiada/di/sini")
        assert answer is not None
        assert answer.status == 404
        assert page.locator("h1").inner_text() == "Perkara ini tidak ada, atau bukan untuk anda lihat."
        said = page.request.get("/tiada", headers={"accept": "application/json"})
        assert (said.status, said.json()["error"]["code"]) == (404, "not_found")
        assert page.request.get("/v1/tiada", headers={"accept": "text/html"}).json()["error"]["code"]
