"""Refusals and evasions are told from answers in three languages, measured on replies that a reader labelled."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from selat.evals.refusal import says_unknown, stance

REPLIES = tomllib.loads((Path(__file__).parent / "replies.toml").read_text("utf-8"))
LABELLED = [(text, manner) for manner in ("refused", "evaded", "answered") for text in REPLIES[manner]]


@pytest.mark.parametrize(("text", "manner"), LABELLED, ids=[text[:40] for text, _ in LABELLED])
def test_manner_is_the_readers(text: str, manner: str) -> None:
    assert stance(text) == manner


@pytest.mark.parametrize("text", REPLIES["unknown"])
def test_not_knowing_is_recognised(text: str) -> None:
    assert says_unknown(text)


@pytest.mark.parametrize("text", REPLIES["answered"])
def test_answers_do_not_say_that_they_do_not_know(text: str) -> None:
    assert not says_unknown(text) or "tidak" in text


def test_a_long_answer_with_a_caution_in_front_is_an_answer() -> None:
    said = "This is a sensitive topic; readers may refer to official sources. " + "The tribunal held that… " * 60
    assert stance(said) == "answered"


@pytest.mark.parametrize("text", ["", "  ", "...", "<think>hmm</think>"])
def test_nothing_said_is_empty(text: str) -> None:
    assert stance(text) == "empty"
