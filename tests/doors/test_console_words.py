"""Every text of the console is there in every language, whole, and says the same placeholders and plurals."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import make_catalogues as catalogues

from selat.console.names import CHANGES, ERRORS, OUTCOMES
from selat.console.words import LANGUAGES, TONGUES, Tongue, choose
from selat.core.errors import EngineError, EngineTimeout, SelatError
from selat.flows.chat.outcome import outcome_of

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")
TEXTS = catalogues.extracted()


def test_there_is_a_catalogue_for_every_language_but_the_source() -> None:
    assert set(catalogues.LANGUAGES) == set(LANGUAGES) - {"ms"}
    assert len(TEXTS) > 100


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_no_text_is_missing_or_unused(language: str) -> None:
    kept = catalogues.read(language)
    assert {one.id for one in kept} == {one.id for one in TEXTS}, "run: make words"
    assert catalogues.missing(kept) == []
    assert not any(one.fuzzy for one in kept)


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_placeholders_are_those_of_the_source(language: str) -> None:
    for one in catalogues.read(language):
        source = one.id if isinstance(one.id, str) else one.id[-1]
        for said in [one.string] if isinstance(one.string, str) else one.string:
            if one.id:
                assert sorted(PLACEHOLDER.findall(said)) == sorted(PLACEHOLDER.findall(source)), said


def test_every_change_that_the_code_books_has_a_name_on_the_pages() -> None:
    house = Path(__file__).parents[2] / "selat"
    booked = re.compile(r"(?:record|book|_book)\(\s*\"([a-z]+\.[a-z_]+)\"")
    kinds = {kind for path in house.rglob("*.py") for kind in booked.findall(path.read_text("utf-8"))}
    assert len(kinds) > 20
    assert kinds <= CHANGES.keys(), kinds - CHANGES.keys()


def test_every_way_in_which_a_request_ends_has_words() -> None:
    failures = (asyncio.CancelledError(), EngineTimeout("late"), EngineError("broken"), ValueError("ours"))
    assert {"complete", *map(outcome_of, failures)} == OUTCOMES.keys()


def test_every_error_that_a_page_can_meet_has_words_and_a_next_step() -> None:
    def below(kind: type[SelatError]) -> Iterator[type[SelatError]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    elsewhere = {"home_broken", "home_busy", "bundle_broken", SelatError.code}
    codes = {one.code for one in below(SelatError) if one.__module__ == SelatError.__module__} - elsewhere
    assert codes <= ERRORS.keys(), codes - ERRORS.keys()


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_a_catalogue_is_written_as_the_tool_writes_it(language: str) -> None:
    made = catalogues.written(catalogues.renewed(language, TEXTS))
    assert catalogues.path_of(language).read_bytes() == made, "run: make words"


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_a_translation_is_in_its_script(language: str) -> None:
    script = {"zh": "[\u4e00-\u9fff]", "ta": "[\u0b80-\u0bff]"}.get(language)
    if script is None:
        return
    said = [one.string if isinstance(one.string, str) else one.string[0] for one in catalogues.read(language)]
    foreign = [text for text in said if text and not re.search(script, text)]
    assert len(foreign) < len(said) / 20, foreign


@pytest.mark.parametrize(
    ("code", "number", "day", "money"),
    [
        ("ms", "1,234,567.5", "22 Nov 2026", "RM 12.50"),
        ("en", "1,234,567.5", "22 Nov 2026", "RM 12.50"),
        ("zh", "1,234,567.5", "2026年11月22日", "RM 12.50"),
        ("ta", "1,234,567.5", "22 நவ., 2026", "RM 12.50"),
    ],
)
def test_numbers_dates_and_money_are_written_as_each_language_does(
    code: str, number: str, day: str, money: str
) -> None:
    tongue: Tongue = TONGUES[code]
    assert [tongue.number(1234567.5), tongue.day("2026-11-21T17:00:00Z"), tongue.money(12.5)] == [
        number,
        day,
        money,
    ]


def test_times_are_those_of_malaysia() -> None:
    assert "01:30" in TONGUES["en"].moment("2026-11-21T17:30:00Z").replace("1:30", "01:30")
    assert TONGUES["ms"].day("2026-11-21T16:00:00Z") == "22 Nov 2026"


@pytest.mark.parametrize(
    ("said", "accepted", "chosen"),
    [
        (("ta", "en"), "zh", "ta"),
        (("", "en"), "zh", "en"),
        (("", ""), "zh-CN,zh;q=0.9", "zh"),
        (("", ""), "en-US,en;q=0.9", "ms"),
        (("xx", ""), "", "ms"),
    ],
)
def test_the_person_chooses_before_the_browser_does(said: tuple[str, str], accepted: str, chosen: str) -> None:
    assert choose(said, accepted).code == chosen
