"""A stream finds what the whole text holds, however it is cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import GuardFailed
from selat.core.finding import Scan
from selat.guard import Guard, StreamScanner
from selat.guard.scanner import MARGIN, SEGMENT

PIECES = [
    "ic saya 900101-14-5678 ", "hp 012-345 6789\n", "siti@contoh.my, ", "tarikh 2024-01-01. ", "\n\n", "陈先生说 ",
    " ", "\u200b", "９００１０１－１４－５６７８ ", "lorem ipsum dolor ", "4111 1111 1111 1111 ",
    "password: Kopi1234 ", "0",
]  # fmt: skip


def by_pieces(guard: Guard, text: str, sizes: list[int]) -> object:
    scanner, at = StreamScanner(guard), 0
    for size in sizes:
        scanner.feed(text[at : at + size])
        at += size
    scanner.feed(text[at:])
    return scanner.close()


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.integers(0, 40), max_size=40))
def test_any_chunking_finds_what_the_whole_holds(guard: Guard, pieces: list[str], sizes: list[int]) -> None:
    text = "".join(pieces)
    assert by_pieces(guard, text, sizes) == guard.scan(text)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32), st.integers(500, 9000))
def test_long_streams_are_cut_like_the_whole(guard: Guard, seed: int, size: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choice(PIECES) for _ in range(16_000))
    assert by_pieces(guard, text, [size] * (len(text) // size)) == guard.scan(text)


def test_one_character_at_a_time(guard: Guard) -> None:
    text = "".join(PIECES) * 20
    assert by_pieces(guard, text, [1] * len(text)) == guard.scan(text)


@pytest.mark.parametrize("size", [SEGMENT, SEGMENT + MARGIN, 2 * SEGMENT])
def test_a_finding_across_a_cut_is_found_once(guard: Guard, size: int) -> None:
    for shift in range(0, 30, 3):
        text = "x" * (SEGMENT - 20 + shift) + " 900101-14-5678 " + "y" * size
        assert len(guard.scan(text).findings) == 1


def test_a_scan_that_failed_half_way_is_not_taken_for_one_of_nothing(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Scan:
        raise GuardFailed("no scan")

    scanner = StreamScanner(guard)
    with monkeypatch.context() as patched:
        patched.setattr(Guard, "segment", fails)
        with pytest.raises(GuardFailed):
            scanner.feed("ic 900101-14-5678 " * (SEGMENT // 4))
    assert scanner.close().findings
