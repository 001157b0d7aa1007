"""Bars say what they mean; a passport shows what was examined and cannot be altered."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from selat.core.errors import HomeBroken, LedgerBroken
from selat.core.signer import Signer
from selat.evals.bars import SHIPPED, Bars, judge, measure, read_bar, read_bars
from selat.evals.item import Item, Pack, Score, Scored
from selat.evals.load import find_pack, shipped
from selat.evals.passport import Passport, Result, result_of, sign, verify
from selat.evals.run import Exam, Run, Subject
from selat.evals.summary import summarise

SUBJECT = Subject("murid", "dekat", "openai", "http://127.0.0.1/v1", "murid")
PINS = {"p": "d" * 64}
SIGNER = Signer("ujian", 1, b"s" * 32)


def examined(rights: int, of: int = 100, missing: int = 0, **extra: str) -> Result:
    items = tuple(Item(str(n), "refuse", "ms", "?", expect="refuse" if n % 2 else "answer") for n in range(of))
    pack = Pack("p", "1", "CC0-1.0", ("P", "P"), ("", ""), items, "d" * 64, chance=0.25)
    scored = [
        Scored("p", item.id, "biasa", "ms", item.id, Score(float(n < rights)), expect=item.expect, **extra)  # type: ignore[arg-type]
        for n, item in enumerate(items)
    ]
    run = Run("R1", "t", SUBJECT, (Exam("p", pack.digest),), (Exam("biasa", "t" * 64),))
    return result_of(run, pack, summarise(pack, scored[: of - missing], of))


def met(line: str, result: Result) -> bool:
    [verdict] = judge(Bars(1, (read_bar("x", line),), PINS), [result])
    return verdict.met


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("p score >= 0.9", True),
        ("p score >= 0.91", False),
        ("p lower bound >= 0.9", False),
        ("p lower bound >= 0.8", True),
        ("p upper bound <= 0.95", True),
        ("p corrected >= 0.86", True),
        ("p corrected >= 0.87", False),
        ("p expect=refuse score >= 0.9", True),
        ("p expect=apa score >= 0.1", False),
        ("p invalid <= 0", True),
        ("p language gap <= 0.5", False),
        ("q score >= 0", False),
    ],
)
def test_a_bar_is_held_to_what_was_shown(line: str, expected: bool) -> None:
    assert met(line, examined(90)) is expected


def test_missing_answers_meet_no_bar() -> None:
    assert not met("p score >= 0.1", examined(90, missing=1))


def test_a_verdict_says_what_to_do_next() -> None:
    bars = Bars(1, (read_bar("x", "q score >= 0.5"), read_bar("x", "p score >= 0.95")), PINS)
    told = [verdict.reason for verdict in judge(bars, [examined(90)])]
    assert told == ["not examined as it is now; run: selat eval run --pack q", "0.900 misses 0.95"]


@pytest.mark.parametrize("line", ["p score > 0.9", "p skor >= 0.9", "p >= 0.9", "p lower >= x", ""])
def test_what_is_no_bar_is_named(line: str) -> None:
    with pytest.raises(HomeBroken, match="not a bar"):
        read_bar("promotion.toml", line)


def test_a_purpose_takes_its_own_section_or_the_default(tmp_path: Path) -> None:
    path = tmp_path / "promotion.toml"
    assert read_bars(path, "docs").packs[0] == "berasas"
    path.write_text(
        '[purpose.default]\nbars = ["p score >= 0.5"]\n[purpose.x]\ndays = 3\nbars = ["q score >= 0.5"]'
    )
    assert (read_bars(path, "x").days, read_bars(path, "y").packs) == (3, ("p",))
    path.write_text('[purpose.x]\nbars = ["q score >= 0.5"]')
    with pytest.raises(HomeBroken, match=r"no \[purpose.y\]"):
        read_bars(path, "y")
    path.write_text("[purpose.x]\nbars = []")
    with pytest.raises(HomeBroken, match="not empty"):
        read_bars(path, "x")


def test_shipped_bars_name_shipped_packs() -> None:
    for purpose in ("default", "docs"):
        assert set(read_bars(SHIPPED, purpose).packs) <= set(shipped())


def test_a_passport_verifies_as_signed_and_not_when_altered() -> None:
    passport = Passport("P1", "2026-11-22T00:00:00Z", SUBJECT, (examined(90),))
    text = sign(passport, SIGNER)
    assert verify(text, [SIGNER.key]) == passport
    assert text.startswith("selat-passport/v1\n{")
    assert "900000" in text
    with pytest.raises(LedgerBroken, match="false"):
        verify(text.replace("900000", "990000", 1), [SIGNER.key])
    with pytest.raises(LedgerBroken, match="no trusted key"):
        verify(text, [replace(SIGNER, seed=b"t" * 32).key])


def test_every_measure_can_be_read_from_a_result() -> None:
    result = examined(90)
    assert measure(read_bar("x", "p truncated <= 0"), result) == 0
    assert measure(read_bar("x", "p asymmetry <= 1"), result) is None


@pytest.mark.parametrize(
    ("pins", "said"), [({}, r"write its digest under \[packs\]"), ({"p": "e" * 64}, "examine with that one")]
)
def test_a_pack_of_the_right_name_and_other_content_opens_nothing(pins: dict[str, str], said: str) -> None:
    [verdict] = judge(Bars(1, (read_bar("x", "p score >= 0.1"),), pins), [examined(100)])
    assert not verdict.met
    assert re.search(said, verdict.reason)


def test_shipped_packs_are_pinned_and_others_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "promotion.toml"
    path.write_text('[packs]\nbank = "ab"\n[purpose.x]\nbars = ["bank score >= 0.5"]')
    pins = read_bars(path, "x").pins
    assert pins["bank"] == "ab"
    assert pins["tatabahasa"] == find_pack("tatabahasa").digest
    path.write_text('packs = 1\n[purpose.x]\nbars = ["bank score >= 0.5"]')
    with pytest.raises(HomeBroken, match="digest"):
        read_bars(path, "x")
