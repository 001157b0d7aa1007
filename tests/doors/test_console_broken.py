"""The console when things go wrong under it: what people are told, in their language, and that nothing is lost."""

from __future__ import annotations

import pytest
from console_kit import PASSWORD, Console, end_session, picture, until
from playwright.sync_api import Page

BROKEN = {
    "ms": "Jawapan ini terputus di tengah jalan. Enjin model",
    "en": "This answer broke off midway. The model's engine",
    "zh": "模型引擎的回答无法读取。",
    "ta": "இந்தப் பதில் பாதியில் நின்றது.",
}


def ask(page: Page, question: str, model: str) -> None:
    page.select_option("#purpose", "chat")
    page.select_option("#model", model)
    page.fill("#question", question)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("model", "language"),
    [("dies", "ms"), ("hangs-midway", "en"), ("garbage-json", "zh"), ("dies", "ta")],
)
def test_an_engine_that_goes_in_mid_answer_is_told_in_the_language_of_the_person(
    console: Console, model: str, language: str
) -> None:
    console.person("putus", "member")
    with console.visit() as page:
        console.enter(page, "putus", language)
        page.goto("/ask")
        ask(page, "satu dua tiga empat", model)
        page.wait_for_selector(".turn .notice.bad")
        said = page.locator(".turn .notice.bad p").first.inner_text()
        picture(page, f"broken-{model}-{language}")
        assert said.startswith(BROKEN[language])
        assert page.locator(".meta button.badge").is_visible(), "and so does its receipt"


def test_a_session_that_ends_in_mid_answer_lets_it_finish_and_keeps_the_next_question(console: Console) -> None:
    with console.signed_in("tamat", "member") as page:
        ask(page, "cerita", "tells:0.05")
        page.wait_for_selector(".turn .said p")
        end_session(console, page)
        grown = len(page.locator(".turn .said").last.inner_text())
        until(page, lambda: len(page.locator(".turn .said").last.inner_text()) > grown + 40)
        page.click("#stop")
        page.wait_for_selector(".meta .retry")
        page.click("[aria-label='Membantu']")
        page.wait_for_selector(".turn .notice.bad")
        picture(page, "session-over-feedback")
        ask(page, "Soalan yang panjang & <penting>?", "echo")
        page.wait_for_selector(".turn:last-child .notice.bad")
        picture(page, "session-over")
        page.click(".turn a:has-text('Log masuk semula')")
        page.wait_for_url("**/sign-in?next=/ask")
        sign_in_here(page, "tamat")
        page.wait_for_url(f"{console.address}/ask")
        assert page.input_value("#question") == "Soalan yang panjang & <penting>?"
        assert page.locator(".turn.mine").first.inner_text().endswith("cerita")
        picture(page, "session-back")
        page.reload()
        assert page.input_value("#question") == ""


def sign_in_here(page: Page, login: str) -> None:
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("main button.primary")


def test_a_token_of_another_session_is_refused_with_a_way_on(console: Console) -> None:
    with console.signed_in("token", "member") as page:
        console.enter(page, "token")  # signed in once more, as in another tab
        ask(page, "hai dari tab lama", "echo")
        page.wait_for_selector(".turn .notice.bad")
        picture(page, "token-old")
        page.click("text=Muat semula halaman; soalan ini disimpan")
        until(page, lambda: page.input_value("#question") == "hai dari tab lama")
        page.press("#question", "Enter")
        page.wait_for_selector(".meta .retry")
