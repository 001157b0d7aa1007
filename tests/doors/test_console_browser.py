"""The console as people use it, in a real browser: signing in, asking, checking a receipt, changing language."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from console_kit import PASSWORD, Console, entry, sign_in
from waiting import CEILING_S

from selat.console.words import LANGUAGES
from selat.core.note import parse_note
from selat.core.signature import COSIGN_MLDSA44
from selat.core.signer import Signer

QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi?"


def test_the_first_person_comes_in_by_the_link_that_up_prints_and_it_works_once(console: Console) -> None:
    link = console.selat.said["console"]
    with console.visit() as page:
        page.goto(link)
        page.fill("#name", "Orang Pertama")
        page.fill("#login", "pertama")
        page.fill("#password", "pendek")
        page.evaluate("document.querySelector('#password').removeAttribute('minlength')")
        page.click("main button.primary")
        assert page.locator(".notice.bad").inner_text().startswith("Kata laluan perlu 12")
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        page.wait_for_url(re.compile(r"/(setup|ask|$)"))
        assert page.locator(".who-name").first.inner_text().startswith("Orang Pertama")
        page.goto("/people")
        assert "Belum pernah" not in page.inner_text("tr:has-text('Orang Pertama')"), "who is here has been here"
        page.goto(link)
        assert page.locator("h1").inner_text() == "Pautan ini sudah digunakan atau terlalu lama"


def test_a_wrong_password_says_so_and_the_right_one_leads_where_one_wanted_to_go(console: Console) -> None:
    console.person("ahmad", "member")
    with console.visit() as page:
        page.goto("/ask?q=cuti")
        assert page.url.endswith("/sign-in?next=/ask%3Fq%3Dcuti")
        page.fill("#login", "ahmad")
        page.fill("#password", "bukan ini kata laluannya")
        page.click("main button.primary")
        assert page.locator(".notice.bad").inner_text() == "Nama, kata laluan atau kod itu tidak betul."
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        page.wait_for_url("**/ask?q=cuti")
        assert page.input_value("#question") == "cuti"


def test_a_second_step_is_set_up_by_a_code_and_asked_for_from_then_on(console: Console) -> None:
    with console.signed_in("siti", "member") as page:
        page.goto("/me")
        page.click("text=Sediakan langkah kedua")
        secret = page.locator("p code").inner_text()
        assert page.locator(".qr svg").is_visible()
        page.fill("#code", pyotp.TOTP(secret).now())
        page.click("text=Hidupkan")
        page.wait_for_selector("text=Dihidupkan")
    with console.visit() as page:
        page.goto("/sign-in")
        page.fill("#login", "siti")
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        page.wait_for_url("**/sign-in/code")
        page.fill("#code", pyotp.TOTP(secret).at(int(time.time()) + 30))  # each code is good once
        page.click("main button.primary")
        page.wait_for_url("**/ask")


def test_an_answer_cites_a_passage_that_opens_and_a_receipt_that_this_browser_verifies(console: Console) -> None:
    with console.signed_in("rahim", "member") as page:
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".source")
        assert "72 jam" in page.locator(".turn .said").last.inner_text()
        page.locator(".turn .said button.cite").first.click()
        page.wait_for_selector("#panel mark")
        assert "72 jam" in page.locator("#panel mark").inner_text()
        page.keyboard.press("Escape")
        page.locator(".meta button.badge").click()
        page.wait_for_selector("#panel .notice.ok")
        steps = page.locator("#panel .steps li").all_inner_texts()
        assert len(steps) == 4
        assert "Ed25519" in steps[2]
        page.keyboard.press("Escape")
        assert page.locator(".meta button.badge.ok").inner_text() == "Disahkan"
        page.click("[aria-label='Membantu']")
        page.wait_for_selector("[aria-label='Membantu'][aria-pressed=true]")
        told = entry(console, "answer.feedback")
        assert told["caller"] == console.made["rahim"]
        assert told["facts"]["useful"] is True
        page.reload()
        assert "72 jam" in page.locator(".turn .said").last.inner_text()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda text: re.sub(r"(extra ey)(.)", r"\1\2\2", text, count=1), "fail resit tidak berbentuk betul"),
        (lambda text: re.sub(r"\nindex (\d+)", lambda m: f"\nindex {int(m[1]) - 1}", text), "entri bukan"),
        (lambda text: re.sub(r"\n(\d+)\n(?=[A-Za-z0-9+/]{43}=\n\n)", r"\n1\1\n", text), "entri bukan|tandatangan"),
        (lambda text: re.sub(r"(\n\n.*\n\d+\n)(.)", _other_letter, text, flags=re.DOTALL), "entri bukan"),
    ],
)
def test_a_receipt_that_was_tampered_with_is_shown_as_false(
    console: Console, harm: Callable[[str], str], said: str
) -> None:
    with console.signed_in("rahim", "member") as page:
        proofs: list[str] = []

        def tamper(route: Any) -> None:
            answer = route.fetch()
            told = answer.json()
            if answer.ok:
                for one in told["receipt"].values():
                    if isinstance(one, dict) and "proof" in one:
                        proofs.append(one["proof"])
                        one["proof"] = harm(one["proof"])
                        assert one["proof"] != proofs[-1]
            route.fulfill(response=answer, json=told)

        page.route("**/ask/receipt/*", tamper)
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.locator(".meta button.badge").click()
        page.wait_for_selector("#panel .notice.bad")
        assert re.search(said, page.locator("#panel .notice.bad").inner_text())
        assert proofs


LACKING = """
const real = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (format, key, algorithm, ...rest) => algorithm === "ML-DSA-44"
  ? Promise.reject(new DOMException("not here", "NotSupportedError")) : real(format, key, algorithm, ...rest);
"""
PARTLY = "Disahkan, kecuali tandatangan ML-DSA"


@pytest.mark.parametrize(
    ("has", "quorum", "harmed", "badge", "notice"),
    [
        (True, "none", False, "Disahkan", ".notice.ok"),
        (True, "pq", False, "Disahkan", ".notice.ok"),
        (True, "none", True, "Resit", ".notice.bad"),
        (False, "none", False, PARTLY, ".notice.ok"),
        (False, "pq", False, "Resit", ".notice.warn"),
        (False, "none", True, PARTLY, ".notice.ok"),
    ],
    ids=["has", "has-in-the-quorum", "has-and-false", "lacks", "lacks-in-the-quorum", "lacks-and-false"],
)
def test_a_post_quantum_cosignature_is_checked_where_the_browser_can_and_else_said_not_to_be(
    console: Console, has: bool, quorum: str, harmed: bool, badge: str, notice: str
) -> None:
    witness = Signer("saksi.example/pq", COSIGN_MLDSA44, b"\x07" * 32)
    with console.signed_in("rahim", "member") as page:

        def cosign(route: Any) -> None:
            answer = route.fetch()
            told = answer.json()
            if answer.ok:
                for one in told["receipt"].values():
                    if isinstance(one, dict) and "proof" in one:
                        signed = witness.sign(
                            parse_note(one["proof"].split("\n\n", 1)[1]).unverified_text, 1_795_316_403
                        )
                        value = signed.value[:-1] + bytes([signed.value[-1] ^ harmed])
                        one["proof"] += str(replace(signed, value=value))
                told["trust"] = told["trust"].replace("quorum none", f"witness pq {witness.key}\nquorum {quorum}")
                assert f"quorum {quorum}" in told["trust"]
            route.fulfill(response=answer, json=told)

        asked = "crypto.subtle.importKey('raw-public', new Uint8Array(1312), 'ML-DSA-44', false, ['verify'])"
        if has and not page.evaluate(f"{asked}.then(() => true, (error) => error.name === 'DataError')"):
            pytest.skip("this Chromium has no ML-DSA in its WebCrypto")
        if not has:
            page.add_init_script(LACKING)
            page.reload()
        page.route("**/ask/receipt/*", cosign)
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.locator(".meta button.badge").click()
        page.wait_for_selector(f"#panel {notice}")
        steps = page.locator("#panel .steps").inner_text()
        assert ("tidak disemak di sini" in steps) == (badge == PARTLY)
        assert ("Disahkan oleh saksi" in steps) == (has and not harmed)
        page.keyboard.press("Escape")
        assert page.locator(".meta button.badge").inner_text() == badge


def _other_letter(found: re.Match[str]) -> str:
    return found[1] + ("A" if found[2] != "A" else "B")


def test_a_stream_can_be_stopped_retried_and_its_end_is_booked(console: Console) -> None:
    with console.signed_in("rahim", "member") as page:
        page.select_option("#purpose", "chat")
        page.select_option("#model", "tells:0.05")
        page.fill("#question", "cerita")
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn .said p")
        page.click("#stop")
        page.wait_for_selector(".meta .retry")
        page.select_option("#model", "echo")
        page.click(".retry")
        page.wait_for_selector(".meta .retry")
        assert page.locator(".turn").count() == 2
    deadline = time.monotonic() + CEILING_S
    while time.monotonic() < deadline:
        ends = [leaf["outcome"] for leaf in console.selat.leaves() if leaf["kind"] == "closed"]
        if "cancelled" in ends:
            return
        time.sleep(0.2)
    raise AssertionError(ends)


def test_an_engine_that_fails_is_told_in_plain_words_with_the_next_step(console: Console) -> None:
    with console.signed_in("rahim", "member") as page:
        page.select_option("#purpose", "chat")
        page.select_option("#model", "nobody")
        page.fill("#question", "hai")
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn .notice.bad")
        assert "halaman Enjin" in page.locator(".turn .notice.bad").inner_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_is_changed_before_sign_in_and_stays_with_the_person(console: Console, language: str) -> None:
    title = {"ms": "Log masuk", "en": "Sign in", "zh": "登录", "ta": "உள்நுழை"}[language]
    login = console.person(f"bahasa-{language}", "member")
    with console.visit() as page:
        page.goto("/sign-in")
        page.click(f"footer button[lang={language}]")
        page.wait_for_load_state()
        assert page.locator("h1").inner_text() == title
        sign_in(page, login)
    with console.visit(locale="de-DE") as page:
        sign_in(page, login)
        assert page.locator("html").get_attribute("lang") == {"zh": "zh-Hans"}.get(language, language)


def test_signing_out_ends_the_session_and_leaves_no_conversation_behind(console: Console) -> None:
    with console.signed_in("rahim", "member") as page:
        page.evaluate("sessionStorage.setItem('selat.ask.x', 'y')")
        page.locator("button[popovertarget=person-sheet]:visible").first.click()
        page.click("text=Log keluar")
        page.wait_for_url("**/sign-in**")
        assert page.evaluate("sessionStorage.length") == 0
        page.goto("/ask")
        assert "/sign-in" in page.url
