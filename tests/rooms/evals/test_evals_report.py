"""The report stands by itself, says what is not known, and shows a model's words as words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from selat.evals import Estimate, Reply, find_pack, samples, score
from selat.evals.item import Score, Scored
from selat.evals.plots import Bar, forest, radar
from selat.evals.report import Account, html, markdown
from selat.evals.run import COMPLETE, PARTIAL, Exam, Run, Subject
from selat.evals.summary import summarise
from selat.evals.verbatim import verbatim
from selat.testing.exam import is_right, right, wrong

FORMS = ("biasa", "kurungan", "arahan")


def account(accuracy: float, *names: str, forms: tuple[str, ...] = ("biasa",), said: str = "") -> Account:
    """A run over packs by a model of known accuracy; `said` is put before each of its replies."""
    packs = tuple(verbatim(find_pack(n.removesuffix("~"))) if n.endswith("~") else find_pack(n) for n in names)
    replies: dict[str, Reply] = {}
    scored: list[Scored] = []
    for pack in packs:
        for form in forms:
            for one in samples(pack, form):
                item = one.item
                reply = right(item) if is_right(item, accuracy, form) else wrong(item)
                reply = replies[one.digest] = replace(reply, text=said + reply.text, receipt="RCPT")
                scored.append(
                    Scored(
                        *(pack.name, item.id, form, item.language, item.cluster, score(item, reply)),
                        *(item.topic, item.side, item.expect, one.digest),
                    )
                )
    subject = Subject("murid", "dekat", "openai", "http://127.0.0.1/v1", "asal")
    exams = tuple(Exam(pack.name, pack.digest) for pack in packs)
    run = Run("R1", "2026-11-22T00:00:00Z", subject, exams, tuple(Exam(form, "f" * 64) for form in forms))
    summaries = tuple(summarise(pack, scored, len(pack.items) * len(forms)) for pack in packs)
    return Account(replace(run, state=COMPLETE), packs, summaries, tuple(scored), replies)


@pytest.fixture(scope="module")
def told() -> Account:
    return account(0.7, "tatabahasa", "campuran", "keselamatan-3r", "berimbang", forms=FORMS)


@pytest.mark.parametrize("language", ["ms", "en"])
def test_page_needs_nothing_from_anywhere(told: Account, language: str) -> None:
    page = html(told, language)
    assert f'<html lang="{language}">' in page
    assert not re.findall(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', page)
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_every_item_is_there_with_question_expectation_reply_and_receipt(told: Account) -> None:
    page = html(told)
    assert page.count('<details class="item') == len(told.scored)
    assert page.count("RCPT") == len(told.scored)


def test_numbers_on_the_page_are_the_summarys(told: Account) -> None:
    page, plain = html(told), markdown(told, "en")
    for one in told.summaries:
        assert f"{one.score.mean * 100:.1f} %" in page
        assert f"{one.score.low * 100:.1f} % – {one.score.high * 100:.1f} %" in plain


def test_what_a_model_wrote_is_shown_never_run() -> None:
    page = html(account(1.0, "tatabahasa", said="<script>alert(1)</script><img src=x onerror=alert(1)>"))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_guessing_model_is_said_to_guess() -> None:
    told = account(0.25, "tatabahasa")
    assert told.summaries[0].at_chance
    assert "at chance" in markdown(told, "en")
    assert "pada tahap meneka" in html(told)


def test_what_is_not_known_of_the_weights_is_said(told: Account) -> None:
    assert "not given" in markdown(told, "en")
    known = replace(told, run=replace(told.run, subject=replace(told.run.subject, weights="ab" * 32)))
    assert "ab" * 32 in markdown(known, "en")
    provisional = replace(told, run=replace(told.run, state=PARTIAL))
    assert "provisional" in markdown(provisional, "en")


def test_a_pack_known_by_heart_is_flagged_and_an_unknown_one_is_not() -> None:
    flag = "dihafal"
    assert flag in html(account(1.0, "tatabahasa~")).split("</style>")[1].split("<script>")[0]
    assert 'class="flag"' not in html(account(0.0, "tatabahasa~"))
    assert "(known by heart" in markdown(account(1.0, "tatabahasa~"), "en")


def test_what_stood_beside_a_score_is_said_in_words() -> None:
    told = account(0.5, "keselamatan-3r")
    count = dict(told.summaries[0].counts)["refused"]
    page = re.sub(r"<[^>]+>", "", html(told, "en"))
    assert count > 5
    assert f"{count} menolakrefused" in page


def test_language_gap_sides_and_forms_are_told_apart(told: Account) -> None:
    mixed, balance = told.summaries[1], told.summaries[3]
    assert {(c.first, c.second) for c in mixed.gaps} == {("ms", "en"), ("ms", "mix"), ("ms", "sms")}
    assert {(c.first, c.second) for c in balance.asymmetries} == {("kawalan", "sensitif")}
    assert len(balance.forms) == 3
    assert balance.widest_form in balance.forms
    page, plain = html(told, "en"), markdown(told, "en")
    assert "Sensitivity to the form" in plain
    assert "Not measured" not in page.split("<h2>")[3]
    alone = account(0.7, "tatabahasa")
    assert "only one form was used" in html(alone, "en")
    assert "only one form was used" in markdown(alone, "en")
    assert "not examined: run with --by-heart" in markdown(alone, "en")
    assert balance.part("template", "biasa") is not None


def test_a_gap_that_is_there_is_found_with_its_sign() -> None:
    """Malay right in half of 60 groups, English in all: the gap is 0.5 and its interval is clear of 0."""
    pack = replace(find_pack("tatabahasa"), name="p", chance=None)
    rows = [
        Scored("p", f"{n}{language}", "biasa", language, str(n), Score(float(language == "en" or n % 2)))
        for n in range(60)
        for language in ("ms", "en")
    ]
    found = summarise(pack, rows)
    assert found.gap is not None
    assert found.gap.mean == 0.5
    assert 0.3 < found.gap.low < found.gap.high < 0.7


def test_plots_escape_and_stay_inside() -> None:
    drawn = forest([Bar("<b>", Estimate(0.5, -1, 2, 3, 3), 0.25)], "a & b")
    assert "&lt;b&gt;" in drawn
    assert "a &amp; b" in drawn
    assert 'style="left:0.0%;width:100.0%"' in drawn, "an interval is cut where the plot ends"
    assert 'class="chance" style="left:25.0%"' in drawn
    assert radar([Bar("a", Estimate(0.5, 0, 1, 3, 3))] * 2, "x") == ""
    assert radar([Bar("a", Estimate(0.5, 0, 1, 3, 3))] * 3, "x").startswith("<svg")
