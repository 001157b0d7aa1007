"""Laws for any text: offsets are valid, restoring undoes masking, cost grows no faster than length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.guard import KINDS, Guard, Mask
from selat.guard.scoring import CORPUS, read_corpus, score

SAMPLES = [sample for path in sorted(CORPUS.glob("*.jsonl")) for sample in read_corpus(path)]
FRAGMENTS = st.one_of(
    st.sampled_from([sample.text for sample in SAMPLES]),
    st.text(max_size=30),
    st.sampled_from(
        [
            "\u200b",
            "１２",
            "\u0660",
            "\n",
            " ",
            ", ",
            '"',
            "\\n",
            "\ud83d",
            "é",
            "　",
            "ic ",
            "Jalan ",
            "binti ",
            "@",
        ]
    ),
    st.from_regex(r"[0-9 .\-/()+]{1,20}", fullmatch=True),
)


@settings(deadline=None, max_examples=80)
@given(st.lists(FRAGMENTS, max_size=8))
def test_offsets_are_valid_and_masking_is_undone(guard: Guard, pieces: list[str]) -> None:
    text = "".join(pieces)
    scan = guard.scan(text)
    assert scan.ok
    last = 0
    for finding in scan.findings:
        assert finding.kind in KINDS
        assert last <= finding.start < finding.end <= len(text)
        assert 0 < finding.confidence <= 1
        last = finding.end
    mask = Mask()
    masked = mask.redact(text, scan.findings)
    assert mask.restore(masked) == text
    for finding in scan.findings:
        value = text[finding.start : finding.end]
        if len(value) > 8 and text.count(value) == 1:
            assert value not in masked


@settings(deadline=None, max_examples=40)
@given(st.lists(FRAGMENTS, max_size=5))
def test_re2_finds_the_same_in_any_text(guard: Guard, re2_guard: Guard, pieces: list[str]) -> None:
    text = "".join(pieces)
    assert re2_guard.scan(text) == guard.scan(text)


def test_re2_finds_the_same_in_the_corpus(guard: Guard, re2_guard: Guard) -> None:
    for sample in SAMPLES:
        assert re2_guard.scan(sample.text) == guard.scan(sample.text), sample.id


def test_the_corpus_is_large_and_in_all_languages() -> None:
    assert len(SAMPLES) >= 400
    assert {sample.language for sample in SAMPLES} == {"ms", "en", "manglish", "zh", "ta"}
    assert len({sample.id for sample in SAMPLES}) == len(SAMPLES)
    for sample in SAMPLES:
        for gold in sample.gold:
            assert gold.kind in KINDS, sample.id
            assert 0 <= gold.start < gold.end <= len(sample.text), sample.id


@pytest.mark.parametrize("part", ["dev", "tune", "held", "seen", "blind", "seen2", "blind2", "probe"])
def test_the_targets_are_met(guard: Guard, part: str) -> None:
    result = score(guard.scan, read_corpus(CORPUS / f"{part}.jsonl"))
    assert result.structured.recall >= 0.97
    assert result.structured.precision >= 0.97
    assert result.kinds["NAME"].f1 >= 0.8
    assert result.kinds["ADDRESS"].f1 >= 0.8


def test_decoys_raise_next_to_nothing(guard: Guard) -> None:
    result = score(guard.scan, SAMPLES)
    assert result.decoys >= 200
    assert result.false_in_decoys <= 0.02 * result.decoys


HARD = [
    "1", "1 ",
    "@", "a@", " ", '{"a":', "[{", "Ahmad ", "Ali bin ", "password ", "Jalan A ", "No 1, ", "1-", "sk-sk",
    "我叫陈", "முத்து ", "lahir 1/1/", "50000 KL ", "kosong ", "ic,name\n", "\u200b1", "saya kanser ",
    "IG 1", "Tan ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HARD)
def test_cost_grows_no_faster_than_length(guard: Guard, unit: str) -> None:
    short, long = ((unit * size)[:size] for size in (8_000, 32_000))

    def cost_s(text: str) -> float:
        began = time.thread_time()
        guard._scan(text)
        return time.thread_time() - began

    def is_linear() -> bool:
        """Four times the text for less than twice four times the cost; quadratic would be sixteen times."""
        turns = [(cost_s(short), cost_s(long)) for _ in range(3)]
        return min(large for _, large in turns) < 8 * min(small for small, _ in turns) + 0.002

    # A neighbour that slows one turn cannot fail this; a quadratic pattern fails every turn.
    assert any(is_linear() for _ in range(5))


@pytest.mark.parametrize("unit", ["1", "@", " "])
def test_a_megabyte_of_one_sign_is_scanned(guard: Guard, unit: str) -> None:
    assert guard.scan(unit * 1_000_000).findings == ()
