"""Dates and amounts in a question meet every spelling that a document gives them."""

from __future__ import annotations

import pytest
from test_knowledge_library import document

from selat.knowledge import Library, Query, documents_of
from selat.knowledge.quantities import quantities


@pytest.mark.parametrize(
    "asked", ["3/3/2027", "03-03-2027", "2027-03-03", "3 mac 2027", "3 March 2027", "3hb mac 2027", "2027年3月3日"]
)
@pytest.mark.parametrize("written", ["3 Mac 2027", "3 March 2027", "03.03.2027", "2027-03-03"])
def test_a_date_finds_its_other_spellings(
    tmp_path_factory: pytest.TempPathFactory, asked: str, written: str
) -> None:
    library = Library(tmp_path_factory.mktemp("dates"))
    library.add("t", "c", document("a", f"Mesyuarat pada {written} di dewan."))
    library.add("t", "c", document("b", "Mesyuarat pada 4 April 2026 di dewan. Mesyuarat lain juga di dewan."))
    assert documents_of(library, Query("t", "c", f"mesyuarat {asked}"))[0] == "a"
    library.close()


@pytest.mark.parametrize(
    ("asked", "ways"),
    [
        ("belanja rm1.5 juta", {("rm1.5", "juta"), ("rm1500000",), ("1500000",)}),
        ("2 million people", {("2", "juta"), ("2000000",)}),
        ("20k unit", {("20", "ribu"), ("20000",)}),
        ("300万人", {("3000000",)}),
    ],
)
def test_an_amount_is_asked_in_figures_too(asked: str, ways: set[tuple[str, ...]]) -> None:
    rest, (found,) = quantities(asked)
    assert ways <= set(found)
    assert not any(letter.isdigit() for letter in rest)


@pytest.mark.parametrize("text", ["32/13/2027", "pasal 3.4.1", "ip 10.0.0.1", "kilo", "5 kereta", "msic 62010"])
def test_what_is_no_quantity_stays_in_the_question(text: str) -> None:
    assert quantities(text) == (text, [])
