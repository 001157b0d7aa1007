"""The console by other hands: keyboard alone, two tabs, no script, on paper, and long answers at speed."""

from __future__ import annotations

import io

import pytest
from console_kit import PICTURES, Console, picture, sign_in, until
from playwright.sync_api import Page
from pypdf import PdfReader

QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi?"
WATCH = """() => {
  let frame = 0;
  const beat = () => { frame += 1; requestAnimationFrame(beat); };
  requestAnimationFrame(beat);
  window.frames_drawn = new Map();
  new MutationObserver((found) => {
    const now = window.frames_drawn.get(frame) ?? { removed: 0, written: 0 };
    for (const one of found.filter((one) => one.target.matches(".turn:not(.mine) > .said"))) {
      now.removed += one.removedNodes.length;
      now.written += one.addedNodes.length;
      window.frames_drawn.set(frame, now);
    }
  }).observe(document.querySelector("#turns"), { subtree: true, childList: true });
}"""
"""Counts the blocks of an answer that are taken away and written in each frame."""
DRAWN = """() => {
  const all = [...window.frames_drawn.values()];
  return { removed: all.map((one) => one.removed), written: all.map((one) => one.written) };
}"""


WRITTEN = """async () => {
  const place = document.createElement("div");
  let [removed, written] = [0, 0];
  new MutationObserver((found) => {
    for (const one of found) {
      removed += one.removedNodes.length;
      written += one.addedNodes.length;
    }
  }).observe(place, { childList: true });
  const counted = async () => {
    await null; // the observer is told after the script
    const both = [removed, written];
    [removed, written] = [0, 0];
    return both;
  };
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  const ask = document.querySelector("script[src$='/ask.js']").src;
  const { Writer } = await import(ask.replace("ask.js", "markdown.js"));
  const writer = new Writer(place, () => document.createElement("button"));
  const begins = (piece) => `\n\nPerenggan${piece ? "" : " [1]"}`;
  for (let piece = 0; piece < 1000; piece += 1) writer.add(piece % 10 ? " kata" : begins(piece));
  const nothing = await counted();
  await frame();
  const whole = await counted();
  for (let piece = 0; piece < 1000; piece += 1) writer.add(" lagi");
  await frame();
  const more = await counted();
  writer.finish();
  return [nothing, whole, more, await counted()];
}"""
"""Blocks of an answer taken away and written, step by step."""


def focus_on(page: Page, selector: str, most: int = 60) -> None:
    """Go there by the Tab key, and see that the focus can be seen on the way."""
    for _ in range(most):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {selector}")


def test_a_question_is_asked_and_its_source_and_receipt_opened_by_keyboard_alone(console: Console) -> None:
    with console.signed_in("papan", "member") as page:
        until(page, lambda: page.evaluate("document.activeElement.id") == "question")
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".source")
        focus_on(page, ".turn .said .cite")
        page.keyboard.press("Enter")
        page.wait_for_selector("#panel mark")
        page.keyboard.press("Escape")
        until(page, lambda: page.evaluate("document.activeElement.matches('.cite')"))  # back to where one was
        focus_on(page, ".meta button.badge")
        page.keyboard.press("Enter")
        page.wait_for_selector("#panel .notice.ok")
        page.keyboard.press("Escape")
        focus_on(page, ".meta .retry")
        page.keyboard.press("Enter")
        page.wait_for_selector(".source")
        picture(page, "keyboard-retried")
        assert page.evaluate("document.activeElement.id") == "question", "the focus is never lost"


def test_who_signs_out_in_one_tab_leaves_nothing_in_the_other(console: Console) -> None:
    with console.signed_in("dwitab", "member") as page:
        other = page.context.new_page()
        other.goto("/ask")
        other.select_option("#purpose", "chat")
        other.select_option("#model", "echo")
        other.fill("#question", "rahsia tab kedua")
        other.keyboard.press("Enter")
        other.wait_for_selector(".meta .retry")
        page.locator("button[popovertarget=person-sheet]:visible").first.click()
        page.click("text=Log keluar")
        other.wait_for_url("**/sign-in**")
        assert other.evaluate("sessionStorage.length") == 0
        assert page.url.endswith("/sign-in")


def test_without_scripts_one_signs_in_reads_and_is_told_what_needs_them(console: Console) -> None:
    console.person("tanpa", "member")
    with console.visit(java_script_enabled=False) as page:
        sign_in(page, "tanpa")
        said = page.locator("noscript .notice")
        assert said.inner_text().startswith("Skrip dimatikan dalam pelayar ini.")
        picture(page, "no-script")
        page.goto("/ledger")
        assert page.locator("h1").inner_text() == "Lejar"


def printed(page: Page, name: str) -> str:
    """The words on paper; the file is kept for a person to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    pdf = page.pdf(path=PICTURES / f"{name}.pdf", format="A4", print_background=False)
    pages = [one.extract_text() for one in PdfReader(io.BytesIO(pdf)).pages]
    assert all(one.strip() for one in pages), "no empty sheet"
    return "\n".join(pages)


def test_an_answer_and_an_entry_are_whole_on_paper(console: Console) -> None:
    with console.signed_in("cetak", "member") as page:
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".source")
        page.locator(".meta button.badge").click()
        page.wait_for_selector("#panel .notice.ok")
        page.keyboard.press("Escape")
        on_paper = printed(page, "paper-answer")
        assert QUESTION in " ".join(on_paper.split())
        assert "72 jam" in on_paper
        assert "Tulis soalan" not in on_paper
        assert page.locator(".meta .print-only").text_content() in on_paper, "the receipt can be looked up"
        page.set_viewport_size({"width": 360, "height": 900})
        quote = page.locator(".source .quote").first
        cut = "one => one.scrollHeight > one.clientHeight"
        assert quote.evaluate(cut), "on the screen two lines of it are enough"
        page.emulate_media(media="print")
        assert not quote.evaluate(cut)
        page.emulate_media(media="screen")
        page.goto("/ledger")
        page.locator("#rows a").first.click()
        page.wait_for_selector("#verdict .notice.ok")
        on_paper = printed(page, "paper-entry")
        assert "Resit ini sah" in " ".join(on_paper.split())


def asked_and_watched(page: Page, purpose: str, model: str, question: str) -> None:
    page.evaluate(WATCH)
    page.select_option("#purpose", purpose)
    if model:
        page.select_option("#model", model)
    page.fill("#question", question)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("model", ["tells:0.005", "tells:0.0005"])
def test_an_answer_at_speed_is_written_once_and_but_its_last_block_anew_each_frame(
    console: Console, model: str
) -> None:
    """So that what is drawn grows with the answer, and not with its square or with how many pieces it comes in."""
    with console.signed_in("laju", "member") as page:
        asked_and_watched(page, "chat", model, "panjang")
        until(page, lambda: len(page.locator(".turn .said").last.text_content() or "") > 5000)
        page.click("#stop")
        page.wait_for_selector(".meta .retry")
        found = page.evaluate(DRAWN)
        blocks = page.locator(".turn .said").last.locator("> *").count()
    *streamed, end = found["removed"]
    assert max(streamed, default=0) <= 1
    assert end <= 2, "the last frame and the end may fall together"
    assert blocks > 50
    assert sum(found["written"]) <= blocks + len(found["written"]) + 1


def test_a_thousand_pieces_are_one_frames_work_and_the_end_writes_anew_only_what_cites(console: Console) -> None:
    with console.signed_in("laju", "member") as page:
        found = page.evaluate(WRITTEN)
    nothing, whole, more, end = found
    assert nothing == [0, 0], "pieces wait for the frame"
    assert whole == [0, 100]
    assert more == [1, 1], "of a hundred blocks only the last"
    assert end == [2, 2], "the last, and the one that cites"
