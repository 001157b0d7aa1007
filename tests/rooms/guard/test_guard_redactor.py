"""A stream is masked the same however it is cut, and what is plain goes on at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import GuardFailed
from selat.core.finding import Finding
from selat.guard import Guard, Mask, StreamRedactor
from selat.guard.redactor import BEHIND, LEAST, LONGEST, STEP
from selat.guard.scoring import CORPUS, read_corpus

SAMPLES = [sample for path in sorted(CORPUS.glob("*.jsonl")) for sample in read_corpus(path)]
PROSE = "the committee agreed to review the budget and the vendor will send a quotation before the week is over "


def streamed(guard: Guard, text: str, sizes: Iterator[int] | list[int]) -> tuple[str, Mask]:
    mask = Mask()
    redactor, pieces, at = StreamRedactor(guard, mask), [], 0
    for size in sizes:
        pieces.append(redactor.feed(text[at : at + size]))
        at += size
    return "".join([*pieces, redactor.feed(text[at:]), redactor.close()]), mask


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.sampled_from([s.text for s in SAMPLES]), st.text(max_size=20)), max_size=6),
    st.lists(st.integers(0, 60), max_size=60),
)
def test_any_chunking_masks_alike(guard: Guard, texts: list[str], sizes: list[int]) -> None:
    text = "\n".join(texts)
    whole, _ = streamed(guard, text, [])
    pieces, mask = streamed(guard, text, sizes)
    assert pieces == whole
    assert mask.restore(pieces) == text or "_" in text


def test_one_character_at_a_time(guard: Guard) -> None:
    text = "\n".join(sample.text for sample in SAMPLES[:60])
    assert streamed(guard, text, [1] * len(text))[0] == streamed(guard, text, [])[0]


def test_a_stream_masks_what_the_whole_text_holds(guard: Guard) -> None:
    missed = total = 0
    for first in range(0, len(SAMPLES), 10):
        text = "\n\n".join(sample.text for sample in SAMPLES[first : first + 10])
        masked, _ = streamed(guard, text, [7] * (len(text) // 7))
        for finding in guard.scan(text).findings:
            value = text[finding.start : finding.end]
            if len(value) > 5 and text.count(value) == 1:  # a twin may stand where it is nobody's
                total += 1
                missed += value in masked
    assert total > 500
    assert missed <= 0.005 * total


def test_plain_words_are_held_no_longer_than_a_line(guard: Guard) -> None:
    redactor, out = StreamRedactor(guard, Mask()), 0
    for came, char in enumerate(PROSE * 20, 1):
        out += len(redactor.feed(char))
        assert came - out <= BEHIND + LEAST + 24


@pytest.mark.parametrize("unit", ["1", " ", "@", "Ahmad ", "-----BEGIN PRIVATE KEY-----", "sk-sk"])
def test_holding_is_bounded_and_cost_is_linear(guard: Guard, unit: str) -> None:
    def cost_s(size: int) -> float:
        text, began = (unit * size)[:size], time.thread_time()
        redactor, out = StreamRedactor(guard, Mask()), 0
        for at in range(0, size, 100):
            out += len(redactor.feed(text[at : at + 100]))
        assert len(redactor._text) <= LONGEST + 2 * STEP + 1024
        redactor.close()
        return time.thread_time() - began

    cost_s(1000)
    assert cost_s(40_000) < 4 * cost_s(10_000) * 2 + 0.05


class Failing:
    name = "failing"

    def find(self, text: str) -> list[Finding]:
        raise RuntimeError


def test_with_a_failing_further_detector_nothing_goes_on(guard: Guard) -> None:
    redactor = StreamRedactor(Guard(guard._engine, [Failing()]), Mask())
    assert redactor.feed(PROSE * 10) == ""
    with pytest.raises(GuardFailed):
        redactor.close()
