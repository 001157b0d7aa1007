"""In an answer the caller's own values come back, and what they did not send is masked, whole or streamed."""

from __future__ import annotations

import json

import pytest

from selat.core.errors import GuardFailed, HomeBroken
from selat.core.finding import Finding
from selat.guard import KINDS, Answers, Guard, Mask, read_kinds

ALL = read_kinds("all")
PROMPT = "Saya Siti Aminah binti Ahmad, ic 900101-14-5678, hp 012-345 6789"
OTHERS = "MyKad jiran ialah 850505-01-5231 dan hp 019-876 5432, milik Rajendran a/l Muthu."


def both(guard: Guard, text: str, *, mask: Mask | None = None, kinds: frozenset[str] = ALL) -> str:
    """The whole answer, having seen that the stream of it, one character at a time, says the same."""
    answers = Answers(guard, kinds, [PROMPT], mask)
    channel = answers.stream(False)
    streamed = "".join([channel.feed(char) for char in text]) + channel.close()
    assert streamed == answers.whole(text)
    return streamed


def test_what_others_are_is_masked(guard: Guard) -> None:
    said = both(guard, OTHERS)
    assert said == "MyKad jiran ialah <MYKAD_1> dan hp <PHONE_1>, milik <NAME_1>."


@pytest.mark.parametrize(
    "text",
    [PROMPT, "Puan Siti Aminah, ic 900101145678 dan hp +6012 345 6789?", "IC: 900101 14 5678", "Tiada apa-apa."],
)
def test_what_the_caller_sent_comes_back_however_it_is_written(guard: Guard, text: str) -> None:
    assert both(guard, text) == text


def test_what_was_masked_on_the_way_out_is_restored(guard: Guard) -> None:
    mask = Mask()
    masked = mask.redact(PROMPT, guard.scan(PROMPT).findings)
    assert both(guard, f"{masked}. {OTHERS}", mask=mask).startswith(f"{PROMPT}. MyKad jiran ialah <MYKAD_")


def test_only_the_kinds_that_were_asked_for_are_masked(guard: Guard) -> None:
    said = both(guard, OTHERS, kinds=read_kinds("mykad, email"))
    assert said == OTHERS.replace("850505-01-5231", "<MYKAD_1>")


def test_arguments_of_tool_calls_stay_json(guard: Guard) -> None:
    channel = Answers(guard, ALL, [PROMPT], None).stream(True)
    text = json.dumps({"text": OTHERS, "sendiri": PROMPT})
    said = "".join([channel.feed(text[at : at + 3]) for at in range(0, len(text), 3)]) + channel.close()
    assert json.loads(said)["sendiri"] == PROMPT
    assert "850505" not in said


def test_an_answer_that_cannot_be_read_is_held_back(guard: Guard) -> None:
    class Broken:
        name = "broken"

        def find(self, text: str) -> list[Finding]:
            raise ConnectionError("away")

    answers = Answers(Guard(guard._engine, [Broken()]), ALL, [], None)
    with pytest.raises(GuardFailed):
        answers.whole("apa khabar")
    channel = answers.stream(False)
    assert channel.feed("apa khabar") == ""
    with pytest.raises(GuardFailed):
        channel.close()


def test_kinds_are_read_and_unknown_ones_refused() -> None:
    assert read_kinds("") == frozenset()
    assert frozenset(KINDS) - {"SSM"} == ALL
    with pytest.raises(HomeBroken, match="no kind IC;"):
        read_kinds("IC, NAME")
