"""Packed word lists say what dicts would: each phrase once, and under each number what was added, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selat.knowledge.packed import Lists, Phrases

PHRASES = st.lists(
    st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), min_size=1)
)


@given(PHRASES, PHRASES)
def test_a_phrase_has_one_number_and_others_have_none(kept: list[list[str]], others: list[list[str]]) -> None:
    packed, numbers = Phrases(), dict[tuple[str, ...], int]()
    for phrase in kept:
        assert packed.add(phrase) == numbers.setdefault(tuple(phrase), len(numbers))
    assert len(packed) == len(numbers)
    for phrase in kept + others:
        assert packed.find(phrase) == numbers.get(tuple(phrase), -1)
    assert [packed[number] for number in range(len(packed))] == list(numbers)
    assert packed.find(()) == -1


def test_a_table_that_was_widened_still_finds_all() -> None:
    packed = Phrases()
    for number in range(3000):
        packed.add((str(number), "kata"))
    assert all(packed.find((str(number), "kata")) == number for number in range(3000))
    assert packed.find(("3000", "kata")) == -1


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**32 - 1))), st.integers(0, 60))
def test_what_was_added_under_a_number_stays_in_its_order(pairs: list[tuple[int, int]], looked: int) -> None:
    lists = Lists()
    for at, (key, value) in enumerate(pairs):
        lists.add(key, value)
        if at == looked:  # what comes after a look is found too
            lists.of(key)
    for key in range(-1, 42):
        assert list(lists.of(key)) == [value for one, value in pairs if one == key]
