"""Answers quote the guides, abstain where nothing answers, and pass on no citation that does not hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import selat.kits
from selat.core.caller import Caller
from selat.core.label import LOWEST, parse_label
from selat.core.sources import answer_text, is_abstention, read_sources
from selat.flows.answer import Answered, Grounded, Inquiry, answer, conclude, ground
from selat.flows.ingest import Intake, ingest
from selat.knowledge import Library, Query
from selat.knowledge.quote import quote

GUIDES = Path(selat.kits.__file__).parent / "guides"
CALLER = Caller("t", "k")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("knowledge"))
    report = ingest(library, [GUIDES], Intake("t", "guides", LOWEST), lambda document: None)
    assert not report.failed
    assert len(report.added) >= 20
    return library


async def extractive(grounded: Grounded) -> str:
    sources = read_sources(grounded.system)
    assert sources
    return answer_text(quote(grounded.question, sources.passages), sources.language)


def ask(library: Library, question: str) -> Answered:
    return asyncio.run(answer(library, Inquiry(question, CALLER, "guides"), extractive))


@pytest.mark.parametrize(
    ("question", "words", "document"),
    [
        ("Berapa lama masa untuk lapor kebocoran data peribadi?", "72 jam", "ms/breach-notification.md"),
        ("How long do I have to report a personal data breach?", "72 hours", "en/breach-notification.md"),
        ("brp lama nk lapor data bocor", "72 jam", "ms/breach-notification.md"),
        ("数据泄露要多久内通报？", "72", "breach-notification.md"),
    ],
)
def test_a_question_is_answered_from_the_right_guide(
    library: Library, question: str, words: str, document: str
) -> None:
    answered = ask(library, question)
    assert not answered.abstained
    assert words in answered.text
    assert answered.citations[0].passage.source.document.endswith(document)
    assert answered.citations[0].quote in answered.citations[0].passage.text


@pytest.mark.parametrize(
    ("question", "opening"),
    [
        ("What is the difference between Sulit and Terhad?", "Sulit is used when"),
        ("Who must report cyber incidents?", "National critical information infrastructure (NCII) entities must"),
        ("Can I send personal data abroad?", "Personal data may be transferred out of Malaysia only if"),
        ("什么时候需要做数据保护影响评估？", "DPIA perlu dibuat apabila"),
        ("Apakah tujuh prinsip PDPA?", "PDPA mempunyai 7 prinsip"),
        ("செயற்கை நுண்ணறிவு சட்டம் மலேசியாவில் உள்ளதா?", "Sehingga 22 November 2026"),
    ],
)
def test_what_follows_a_heading_like_the_question_answers_it(
    library: Library, question: str, opening: str
) -> None:
    assert ask(library, question).text.startswith(opening)


def test_a_list_is_quoted_with_the_sentence_that_announces_it_and_an_item_without_its_mark(
    library: Library,
) -> None:
    listed = ask(library, "What should a contract with an AI supplier contain?")
    assert "1. Audit rights" in listed.text
    assert "6. A duty to report incidents promptly. [1]" in listed.text
    item = ask(library, "What is the general TIN for a foreign buyer?")
    assert item.text == "EI00000000020 is the general TIN for a foreign buyer. [1]"


def test_two_limits_for_different_kinds_do_not_contradict(library: Library) -> None:
    assert "bercanggah" not in ask(library, "Bila perlu lantik DPO?").text


@pytest.mark.parametrize(
    "question", ["Siapa juara Piala Dunia 2022?", "Who painted the Mona Lisa?", "巴黎铁塔有多高？"]
)
def test_what_no_guide_answers_is_not_answered(library: Library, question: str) -> None:
    answered = ask(library, question)
    assert answered.abstained
    assert is_abstention(answered.text)
    assert not answered.citations


def test_a_marker_without_support_is_dropped(library: Library) -> None:
    grounded = ground(library, Inquiry("Berapa lama untuk lapor kebocoran data peribadi?", CALLER, "guides"))
    answered = conclude(grounded, "Lapor dalam masa 72 jam [1]. Bayar RM5,000 kepada kami [1][9].")
    assert answered.dropped == 2
    assert answered.text.startswith("Lapor dalam masa 72 jam [1]. Bayar RM5,000 kepada kami")


def test_an_answer_that_cites_nothing_becomes_an_abstention(library: Library) -> None:
    grounded = ground(library, Inquiry("Berapa denda melanggar PDPA?", CALLER, "guides"))
    assert conclude(grounded, "Kira-kira sejuta.").abstained


def test_the_ask_takes_the_join_of_its_sources_labels(library: Library, tmp_path: Path) -> None:
    secret = tmp_path / "a.md"
    secret.write_text("---\nlabel: sulit/restricted/personal/MY\n---\n# Kod pintu\n\nKod pintu makmal ialah 4417.")
    ingest(library, [secret], Intake("u", "c", parse_label("terhad")), lambda document: None)
    high = Caller("u", "k", clearance=parse_label("rahsia/confidential/sensitive"))
    assert str(ground(library, Inquiry("Apakah kod pintu makmal?", high)).label) == "sulit/restricted/personal/MY"
    assert not ground(library, Inquiry("Apakah kod pintu makmal?", Caller("u", "k"))).passages


def test_ingesting_again_changes_nothing_and_a_raised_label_does(library: Library) -> None:
    again = ingest(library, [GUIDES], Intake("t", "guides", LOWEST), lambda document: None)
    assert (again.added, again.failed) == ([], {})
    label = parse_label("terhad")
    raised = ingest(library, [GUIDES], Intake("v", "guides", label, force_label=True), lambda document: None)
    assert raised.added
    assert library.search(Query("v", "guides", "kebocoran data peribadi", LOWEST)) == []


def test_a_broken_file_is_recorded_with_its_reason_and_the_rest_goes_on(library: Library, tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "good.txt").write_text("Kedai dibuka pukul sembilan pagi.")
    report = ingest(library, [tmp_path], Intake("w", "c", LOWEST), lambda document: None)
    assert report.added == ["good.txt"]
    assert list(report.failed) == ["bad.pdf"]
    statuses = {record.document: (record.status, record.reason) for record in library.documents("w")}
    assert statuses["bad.pdf"][0] == "failed"
    assert "pdf" in statuses["bad.pdf"][1]


def test_rows_become_documents_under_their_ids(library: Library, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"key": "x1", "title_ms": "Kopi", "note": ["pahit", {"a": "hitam"}], "n": 3}\n'
        '{"key": "x2", "title_ms": "Teh"}\n'
    )
    report = ingest(library, [rows], Intake("r", "c", LOWEST, id_field="key"), lambda document: None)
    assert report.added == ["x1", "x2"]
    assert [hit.passage.source.document for hit in library.search(Query("r", "c", "kopi hitam"))] == ["x1"]


@pytest.mark.parametrize(
    ("second", "against"),
    [
        ("Denda lewat memulangkan buku perpustakaan ialah RM2 sehari.", True),
        ("Denda lewat memulangkan buku perpustakaan ialah RM1 sehari.", False),
        ("Perpustakaan dibuka pada pukul 9 pagi dan ditutup pada pukul 6 petang setiap hari.", False),
    ],
)
def test_sources_that_disagree_are_both_shown_with_their_dates(tmp_path: Path, second: str, against: bool) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    first = "Denda lewat memulangkan buku perpustakaan ialah RM1 sehari."
    for name, dated, text in (("lama", "2021-02-03", first), ("baru", "2026-05-06", second)):
        (folder / f"{name}.md").write_text(f"---\ndated: {dated}\n---\n# Denda perpustakaan\n\n{text}\n")
    library = Library(tmp_path / "k")
    ingest(library, [folder], Intake("t", "guides", LOWEST), lambda document: None)
    answered = ask(library, "Berapa denda lewat memulangkan buku perpustakaan?")
    assert ("Sumber bercanggah:" in answered.text) is against
    if against:
        assert {"2021-02-03", "2026-05-06"} <= set(answered.text.replace(";", " ").split())
        assert len(answered.citations) == 2
    library.close()
