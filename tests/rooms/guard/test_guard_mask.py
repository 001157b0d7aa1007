"""Placeholders go out, the words come back: whole, respelled, split, inside JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.finding import Finding
from selat.guard import Guard, Mask, Restorer

TEXT = "ic 900101-14-5678, hp 012-345 6789, ic lagi 900101-14-5678"


@pytest.fixture
def mask(guard: Guard) -> Mask:
    mask = Mask()
    mask.redact(TEXT, guard.scan(TEXT).findings)
    return mask


def test_the_same_value_gets_the_same_placeholder(guard: Guard) -> None:
    mask = Mask()
    assert mask.empty
    masked = mask.redact(TEXT, guard.scan(TEXT).findings)
    assert masked == "ic <MYKAD_1>, hp <PHONE_1>, ic lagi <MYKAD_1>"
    other = "hp lain 013-222 3344, ic 900101-14-5678"
    assert mask.redact(other, guard.scan(other).findings) == "hp lain <PHONE_2>, ic <MYKAD_1>"
    assert mask.restore(masked) == TEXT


SPELLINGS = [
    "<MYKAD_1>", "<mykad_1>", "< MYKAD_1 >", "MYKAD_1", "`<MYKAD_1>`", "**<MYKAD_1>**", "\\<MYKAD\\_1\\>",
    "&lt;MYKAD_1&gt;", "\\u003cMYKAD_1\\u003e", "<MYKAD 1>", "<MYKAD-1>", "＜MYKAD_1＞", "[<MYKAD_1>](x)",
    "\\\\<MYKAD\\\\_1\\\\>", "\\nMYKAD_1\\n",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_respelled_placeholder_is_restored(mask: Mask, spelling: str) -> None:
    restored = mask.restore(f"nombor {spelling}.")
    assert "900101-14-5678" in restored
    assert "MYKAD" not in restored.upper()


@pytest.mark.parametrize("spelling", ["<MYKAD_2>", "<NAME_1>", "XMYKAD_1", "MYKAD_1x", "<MYKAD_>"])
def test_what_this_mask_did_not_write_stays(mask: Mask, spelling: str) -> None:
    assert mask.restore(spelling) == spelling


def test_values_inside_a_json_string_are_escaped() -> None:
    mask, text = Mask(), 'a "b\\c\n'
    masked = mask.redact(text, [Finding(0, len(text), "NAME")])
    assert json.loads('"' + mask.restore(masked, json_string=True) + '"') == text


def test_a_placeholder_the_caller_wrote_is_not_reused(guard: Guard) -> None:
    mask, text = Mask(), "saya tulis <MYKAD_1> dan ic 900101-14-5678"
    masked = mask.redact(text, guard.scan(text).findings)
    assert masked == "saya tulis <MYKAD_1> dan ic <MYKAD_2>"
    assert mask.restore(masked) == text


def test_overlapping_findings_leak_nothing() -> None:
    mask = Mask()
    masked = mask.redact("abcdefgh", [Finding(0, 4, "NAME"), Finding(2, 6, "EMAIL")])
    assert masked == "<NAME_1><EMAIL_1>gh"


def test_a_stream_holds_back_only_a_possible_placeholder(mask: Mask) -> None:
    restorer = Restorer(mask)
    assert restorer.feed("Nombor itu ") == "Nombor itu "
    assert restorer.feed("ialah <MY") == "ialah "
    assert restorer.feed("KAD_1") == ""
    assert restorer.feed("> ya, 3 < 4 km") == "900101-14-5678 ya, 3 < 4 km"
    assert restorer.close() == ""


PIECES = st.lists(
    st.sampled_from([*SPELLINGS, *"<>&\\_1 \nXaMm", "MYKAD", "PHONE_1", "&lt;", "u003c", "<PHONE", "_12"]),
    max_size=12,
)


@given(PIECES, st.lists(st.integers(1, 9), max_size=60))
def test_any_split_of_a_stream_restores_the_whole(pieces: list[str], sizes: list[int]) -> None:
    mask = Mask()
    mask.redact("900101-14-5678 012", [Finding(0, 14, "MYKAD"), Finding(15, 18, "PHONE")])
    text = "".join(pieces)
    restorer, out, at = Restorer(mask), "", 0
    for size in sizes:
        out += restorer.feed(text[at : at + size])
        at += size
    out += restorer.feed(text[at:]) + restorer.close()
    assert out == mask.restore(text)
