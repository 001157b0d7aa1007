"""What the extractive engine quotes can stand by itself: whole sentences, rows with columns, no bare names."""

from __future__ import annotations

from selat.core.label import LOWEST
from selat.core.passage import Passage, Source
from selat.core.sources import answer_text
from selat.knowledge.check import check
from selat.knowledge.quote import quote
from selat.knowledge.sentences import sentences

TABLE = "Bulan | Jualan kopi\nJanuari | 120\nFebruari | 95"


def passage(text: str, title: str = "Kopi", language: str = "ms") -> Passage:
    return Passage(Source("d", title, language=language), 1, 0, len(text), text, LOWEST)


def quoted(question: str, text: str, title: str = "Kopi", language: str = "ms") -> list[str]:
    return [one.quote for one in quote(question, [passage(text, title, language)])]


def test_a_row_is_quoted_with_its_columns_and_holds_up() -> None:
    found = quote("jualan kopi Februari", [passage(TABLE)])
    assert found[0].quote == "Bulan: Februari; Jualan kopi: 95"
    checked = check(answer_text(found, "ms"), (passage(TABLE),))
    assert checked.citations
    assert checked.dropped == 0


def test_columns_names_alone_answer_nothing() -> None:
    assert "Bulan | Jualan kopi" not in quoted("bulan jualan kopi", TABLE)


def test_a_row_under_no_columns_stays_as_it_is() -> None:
    assert quoted("kopi Februari", "2023 | 120\nkopi Februari | 95")[0] == "kopi Februari | 95"


def test_a_description_is_quoted_rather_than_the_title_over_it() -> None:
    text = "Deaths by State\n\nNumber of deaths registered in each state every year."
    assert quoted("deaths by state", text, "Deaths by State", "en")[0].startswith("Number of deaths")


def test_a_label_that_was_not_asked_for_comes_after_one_that_was() -> None:
    text = "Tarikh: Tarikh jualan kopi setiap tahun\nJualan kopi: Nilai jualan kopi setiap tahun"
    assert quoted("jualan kopi setiap tahun", text)[0].startswith("Jualan kopi")


def test_short_forms_with_dots_end_no_sentence() -> None:
    assert len(sentences("Pay by card (e.g. a debit card), i.e. without cash. Then sign.")) == 2


def test_latin_lines_are_not_taken_for_the_questions_chinese() -> None:
    text = "Peratus Wanita\n\nBilangan wanita dalam parlimen, iaitu Dewan Rakyat dan Dewan Negara."
    assert quoted("国会女议员的比例", text, "Wanita dalam Parlimen")
