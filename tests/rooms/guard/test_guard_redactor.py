"""A stream is masked the same however it is cut, and what is plain goes on at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import GuardFailed
from selat.core.finding import Finding, Scan
from selat.guard import Guard, Mask, StreamRedactor
from selat.guard.redactor import BEHIND, LEAST, LONGEST, RARELY, STEP
from selat.guard.scanner import MARGIN
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


@pytest.mark.parametrize(
    ("unit", "most"),
    [("1", 12), (" ", 40), ("@", 12), ("Ahmad ", 40), ("-----BEGIN PRIVATE KEY-----", 30), ("sk-sk", 12)],
)
def test_holding_is_bounded_and_cost_is_linear(guard: Guard, unit: str, most: int) -> None:
    """A character is looked at so many times, however long the text; test_guard_laws.py has what a look costs."""
    look = guard.segment

    def looked_at(size: int) -> int:
        seen = 0

        def segment(text: str, start: int, end: int, *, final: bool) -> Scan:
            nonlocal seen
            seen += len(text)
            return look(text, start, end, final=final)

        text, redactor = (unit * size)[:size], StreamRedactor(guard, Mask())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(guard, "segment", segment)
            for at in range(0, size, 100):
                redactor.feed(text[at : at + 100])
                assert len(redactor._text) <= LONGEST + STEP + RARELY + MARGIN + 100
            redactor.close()
        return seen

    assert looked_at(40_000) < most * 40_000
    assert looked_at(40_000) < 5 * looked_at(10_000)


class Failing:
    name = "failing"

    def find(self, text: str) -> list[Finding]:
        raise RuntimeError


def test_with_a_failing_further_detector_nothing_goes_on(guard: Guard) -> None:
    redactor = StreamRedactor(Guard(guard._engine, [Failing()]), Mask())
    assert redactor.feed(PROSE * 10) == ""
    with pytest.raises(GuardFailed):
        redactor.close()
