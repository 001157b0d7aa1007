"""The language of an ask, told from what was said last: coarse, quick, and silent where it cannot know."""

from __future__ import annotations

import pytest

from selat.wire import language_of


def user(text: object) -> dict[str, object]:
    return {
        "messages": [{"role": "system", "content": "You are kind to the user"}, {"role": "user", "content": text}]
    }


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Berapa lama masa untuk lapor kebocoran data peribadi?", "ms"),
        ("nak tanya, macam mana isi borang?", "ms"),
        ("How long do I have to report a breach?", "en"),
        ("个人资料外泄要在多久之内通报？", "zh"),
        ("SST 的税率是多少?", "zh"),
        ("தனிப்பட்ட தரவு கசிவை எவ்வளவு நேரத்தில் தெரிவிக்க வேண்டும்?", "ta"),
        ("Mesyuarat “esok” di pejabat", "ms"),
        ("The word 茶 is where the English word comes from", "en"),
        ("x = y + 1", ""),
        ("Wie lange habe ich Zeit?", ""),
        ("", ""),
    ],
)
def test_the_language_is_that_of_the_words(text: str, language: str) -> None:
    assert language_of(user(text)) == language


def test_what_was_said_last_may_be_given() -> None:
    assert language_of({}, "Apa itu e-invois?") == "ms"
    assert language_of(user("Apa itu e-invois?"), "") == ""


def test_a_word_counts_once_however_often_it_is_said() -> None:
    assert language_of(user("yang yang yang yang the of")) == "en"
    assert language_of(user("yang itu the")) == "ms"
    assert language_of(user("yang the THE The")) == ""


def test_a_question_at_the_end_of_a_long_text_counts() -> None:
    assert (
        language_of(user("the law of the land and of the sea. " * 200 + "Apa maksud perkara ini dan untuk siapa?"))
        == "ms"
    )


@pytest.mark.parametrize(
    "document",
    [
        {"prompt": "Apa itu e-invois?"},
        {"input": ["What is it?", "Apa itu e-invois?"]},
        {"query": "Apa itu e-invois?", "documents": ["What is this and that"]},
        user([{"type": "text", "text": "Apa itu e-invois?"}, {"type": "image_url", "image_url": {"url": "x"}}]),
    ],
)
def test_every_kind_of_ask_says_something_last(document: dict[str, object]) -> None:
    assert language_of(document) == "ms"


@pytest.mark.parametrize(
    "document", [{}, {"messages": []}, {"messages": [7]}, {"input": [[1, 2]]}, user(None), {"prompt": [1]}]
)
def test_an_ask_without_words_has_no_language(document: dict[str, object]) -> None:
    assert language_of(document) == ""
