"""The pages on policy in a real browser: rules in words, why a request was denied, what if, proofs, deadlines."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import openai
import pytest
from console_kit import Console, entry, picture, until
from playwright.sync_api import Page

from selat.policy import DEFAULT, PolicySet, load_packs
from selat.policy.incidents import Incident

ALL = ("operator", "builder", "officer", "auditor", "member")
SHIPPED = PolicySet.load(DEFAULT)


def denied(console: Console, key: str | None = None) -> str:
    """A request that policy denies, and its receipt, sealed."""
    client = console.selat.client(**({"api_key": key} if key else {}))
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(
            model="far", messages=[{"role": "user", "content": "hantar"}], extra_headers={"selat-label": "sulit"}
        )
    body = refused.value.body
    assert isinstance(body, dict)
    receipt = str(body["receipt"])
    console.selat.leaves_of(receipt, "refused")
    return receipt


def asked_as(page: Page, console: Console, label: str) -> str:
    """The receipt of a denial that the person at this page gets for asking abroad."""
    said = page.evaluate(
        """async (label) => {
          const token = document.querySelector("meta[name=selat-token]").content;
          const body = {model: "far", purpose: "chat", label, messages: [{role: "user", content: "hantar"}]};
          const headers = {"x-selat-token": token, "content-type": "application/json"};
          const answer = await fetch("/ask/stream", {method: "POST", headers, body: JSON.stringify(body)});
          return (await answer.json()).error.receipt;
        }""",
        label,
    )
    console.selat.leaves_of(said, "refused")
    return str(said)


def reload_until(page: Page, text: str) -> None:
    def said() -> bool:
        page.reload()
        return text in page.inner_text("main")

    if text not in page.inner_text("main"):
        until(page, said)


@pytest.mark.parametrize("language", ["ms", "en", "zh", "ta"])
def test_every_rule_in_force_is_told_in_plain_words_with_its_set_and_since_when(
    console: Console, language: str
) -> None:
    console.person("dasar", *ALL)
    booked = entry(console, "policy.in_force")
    with console.visit() as page:
        console.enter(page, "dasar", language)
        page.goto("/policy")
        text = page.inner_text("main").casefold()
        for policy in SHIPPED.policies.values():
            assert policy.reasons[language].casefold() in text, policy.id
        assert booked["facts"]["set"] == SHIPPED.basis.set_hash
        assert page.locator("dd:has(strong)").first.inner_text() == SHIPPED.basis.set_hash
        assert page.locator(f"a[href='/ledger/entry/{booked['id']}']").count() == 1


def test_a_set_that_came_in_a_bundle_since_is_shown_with_what_to_do(console: Console) -> None:
    entry(console, "policy.in_force")
    proposed = console.selat.home / "policy.proposed" / "a1b2c3"
    proposed.mkdir(parents=True)
    with console.platform() as platform:
        platform.record("policy.proposed", {"folder": "a1b2c3"})
        platform.record("policy.activated", {"folder": "d4e5f6", "set": "d" * 64})
    booked = [entry(console, kind)["id"] for kind in ("policy.proposed", "policy.activated")]
    with console.signed_in("pegawai-set", "officer") as page:
        page.goto("/policy")
        waiting = page.locator("[data-came=a1b2c3]")
        assert waiting.locator(".badge").inner_text() == "Dicadangkan"
        assert f"selat policy diff {console.selat.home / 'policy'} {proposed}" in waiting.inner_text()
        assert page.locator("[data-came=d4e5f6] .badge").inner_text() == "Diaktifkan"
        assert page.locator("[data-came=d4e5f6] code").count() == 0
        for receipt in booked:
            assert page.locator(f"a[href='/ledger/entry/{receipt}']").count() == 1
        picture(page, "policy-came")
    with console.signed_in("ahli-pembina", "builder") as page:
        page.goto("/policy")
        assert page.locator("[data-came]").count() == 0, "paths of the house are for those who keep it"


def test_an_officer_is_told_why_a_request_was_denied_and_what_would_change_it(console: Console) -> None:
    receipt = denied(console)
    with console.signed_in("pegawai-dasar", "officer") as page:
        page.goto("/policy/why")
        page.locator(f"a[href*='{receipt}']").click()
        page.wait_for_selector("#decided")
        text = page.inner_text("main")
        assert "hanya diproses di tapak di Malaysia" in text
        assert "dikendalikan oleh pengendali Malaysia" in text
        assert "gunakan enjin di Malaysia yang dikendalikan oleh pihak Malaysia" in text
        counted = page.locator("tr:has(.badge.info) td:first-child").all_inner_texts()
        assert "Kelas rasmi" in counted
        assert "Tempat enjin" in counted
        assert "Tujuan" not in counted
        assert "Enjin" not in counted
        assert "hantar" not in page.locator("[aria-labelledby=counted]").first.inner_text()
        assert "self" not in page.inner_text("[aria-labelledby=counted] tbody")
        page.set_viewport_size({"width": 360, "height": 780})
        console.enter(page, "pegawai-dasar", "ta")
        page.reload()
        wrap = page.locator(".table-wrap[aria-labelledby=counted]")
        assert wrap.evaluate("one => one.scrollWidth <= one.clientWidth + 1")


def test_a_receipt_that_is_pasted_is_explained_and_one_that_is_not_there_says_so(console: Console) -> None:
    receipt = denied(console)
    with console.signed_in("pegawai-dasar", "officer") as page:
        page.goto("/policy/why")
        page.fill("#receipt", receipt)
        page.keyboard.press("Enter")
        page.wait_for_selector("#decided")
        page.fill("#receipt", "0" * 32)
        page.keyboard.press("Enter")
        page.wait_for_selector("main .notice.bad")
        assert "Tiada resit seperti itu" in page.locator("main .notice.bad").inner_text()


def test_a_member_sees_only_their_own_denials_and_none_of_the_rules_pages(console: Console) -> None:
    others = denied(console)
    with console.signed_in("ahli-dasar", "member") as page:
        page.goto("/policy")
        assert page.locator("h1").inner_text() == "Kenapa ditolak?"
        assert page.locator(".tabs a").count() == 1
        assert page.locator(f"a[href*='{others}']").count() == 0
        answer = page.goto(f"/policy/why?receipt={others}")
        assert answer is not None
        assert answer.status == 404
        assert "Tiada resit seperti itu" in page.inner_text("main")
        own = asked_as(page, console, "sulit")
        page.goto(f"/policy/why?receipt={own}")
        assert "hanya diproses di tapak di Malaysia" in page.inner_text("main")
        for path in ("/policy/try", "/policy/proofs", "/policy/clocks"):
            refused = page.goto(path)
            assert refused is not None
            assert refused.status == 403


def test_a_supposed_request_is_decided_as_the_command_decides_it_and_leaves_no_entry(console: Console) -> None:
    with console.signed_in("pembina-dasar", "builder") as page:
        page.goto("/policy/try")
        page.select_option("#official", "terhad")
        page.select_option("#engine", "luar")
        page.click("form.card button.primary")
        card = page.locator(".cards .card")
        assert card.locator(".badge.deny").count() == 1
        assert "hanya diproses di tapak di Malaysia" in card.inner_text()
        page.select_option("#official", "terbuka")
        page.check("input[value=MYKAD]")
        page.click("form.card button.primary")
        assert page.locator(".cards .badge.redact").count() == 1
        page.select_option("#engine", "elsewhere")
        page.fill("#jurisdiction", "my")
        page.click("form.card button.primary")
        assert page.locator(".cards .badge.permit").count() == 1
        page.select_option("#purpose", "unregistered")
        page.select_option("#engine", "")
        page.select_option("#model", "far")
        page.click("form.card button.primary")
        assert "daftarkan tujuan ini" in page.locator(".cards").inner_text()
        page.select_option("#owner", "other")
        page.click("form.card button.primary")
        assert "milik penyewa lain" in page.locator(".cards").inner_text()
    denied(console)  # a later entry is sealed: one of this person would be too
    booked = [leaf for leaf in console.selat.leaves() if leaf["kind"] in ("opened", "refused")]
    assert console.made["pembina-dasar"] not in {leaf["caller"] for leaf in booked}


def test_what_can_never_happen_is_proved_again_while_the_page_tells_how_far_it_is(console: Console) -> None:
    with console.signed_in("juruaudit-dasar", "auditor") as page:
        page.goto("/policy/proofs")
        assert page.locator(".rules .badge.ok").count() == 11
        assert "Dibuktikan semula" not in page.inner_text("main")
        page.click("text=Buktikan sekali lagi")
        page.wait_for_url("**/policy/proofs**")
        reload_until(page, "Dibuktikan semula")
        assert page.locator(".rules .badge.ok").count() == 11
        assert page.locator("text=/ms$/").count() == 11
        assert page.locator("progress").count() == 0


def test_a_builder_reads_the_proofs_and_cannot_start_them(console: Console) -> None:
    with console.signed_in("pembina-dasar", "builder") as page:
        page.goto("/policy/proofs")
        assert page.locator(".rules .badge.ok").count() == 11
        assert page.locator("form[action='/policy/prove']").count() == 0


@pytest.mark.parametrize("language", ["ms", "zh", "ta"])
def test_a_denial_is_told_in_the_persons_language_and_english_is_only_its_detail(
    console: Console, language: str
) -> None:
    console.person(f"ahli-{language}", "member")
    with console.visit() as page:
        console.enter(page, f"ahli-{language}", language)
        page.goto("/ask")
        said = page.evaluate(
            """async () => {
              const token = document.querySelector("meta[name=selat-token]").content;
              const headers = {"x-selat-token": token, "content-type": "application/json"};
              const ask = async (body) => (await (await fetch("/ask/stream",
                {method: "POST", headers, body: JSON.stringify(body)})).json()).error;
              const messages = [{role: "user", content: "hantar"}];
              return [await ask({model: "far", purpose: "chat", label: "sulit", messages}),
                      await ask({model: "far", purpose: "chat", label: "bukan-label", messages})];
            }"""
        )
    denied_, wrong = said
    reasons = SHIPPED.policies["above-terbuka-stays-in-malaysia"].reasons
    assert reasons[language] in denied_["say"]
    assert reasons["en"] in denied_["message"]
    assert {"ms": "label", "zh": "标签", "ta": "லேபிள்"}[language] in wrong["say"]


@pytest.mark.parametrize(("language", "said"), [("ms", "3 hari"), ("zh", "3天"), ("ta", "3 நாட்"), ("en", "3 days")])
def test_the_clocks_of_an_incident_are_told_with_the_time_left_and_its_draft_notice(
    console: Console, language: str, said: str
) -> None:
    with console.platform() as platform:
        noticed = datetime.now(UTC) - timedelta(hours=2)
        incident = Incident(
            f"inc_{language}", "default", "Komputer riba hilang", frozenset({"personal"}), noticed, 12
        )
        platform.duties.open_incident(incident)
    console.person("pegawai-jam", "officer")
    with console.visit() as page:
        console.enter(page, "pegawai-jam", language)
        page.goto("/policy/clocks")
        card = page.locator(".rules .card", has_text=incident.id)
        assert load_packs().rule("pdpa-breach-commissioner").said(language) in card.inner_text()
        assert re.search(said, card.locator("strong").inner_text())
        card.locator("a.btn").click()
        page.wait_for_selector("pre.letter")
        drafts = page.locator("pre.letter").all_inner_texts()
        assert len(drafts) == 2
        assert all(incident.id in draft for draft in drafts)
    with console.visit() as page:
        console.person("ahli-dasar", "member")
        console.enter(page, "ahli-dasar", language)
        answer = page.goto(f"/policy/incidents/{incident.id}/notices/pdpa-breach-commissioner")
        assert answer is not None
        assert answer.status == 403
