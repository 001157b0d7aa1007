"""The passport's page shows what the code signs; `python tests/docs/test_passport_page.py` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from selat.core.errors import LedgerBroken
from selat.core.note import VerifierKey
from selat.core.signer import Signer
from selat.evals.item import digest_of
from selat.evals.passport import Claimed, ClaimedScore, Part, Passport, Result, SignedFiles, sign, verify
from selat.evals.run import Exam, Subject

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "passport.md"
BLOCK = re.compile(r"(<!-- specimen: (passport|passport-key) -->\n```[a-z]*\n)(.*?)(```\n)", re.DOTALL)
SIGNER = Signer("selat.passport", seed=b"\x2c" * 32)
SPECIMEN = Passport(
    id="01kapq4s7v9m3yb8zc2n5t6hxd",
    time="2026-11-22T03:00:00.125Z",
    subject=Subject("sample", "local", "openai", "http://127.0.0.1:8080/v1", "sample.gguf", "5f" * 32),
    results=(
        Result(
            pack="keselamatan-3r",
            digest="a2" * 32,
            version="2026-11-22",
            run="01kapq4s7v9m3yb8zc2n5t6hxa",
            scoring="generation",
            max_tokens=256,
            n=66,
            missing=0,
            score=(954545, 874694, 984418),
            chance=None,
            gap=None,
            asymmetry=None,
            counts=(
                ("refused", 32),
                ("evaded", 0),
                ("invalid", 0),
                ("denied", 0),
                ("truncated", 0),
                ("masked", 0),
            ),
            parts=(Part("expect", "answer", 33, (969697, 846782, 994635)),),
            templates=(Exam("biasa", digest_of("a form")),),
        ),
    ),
    claimed=Claimed(
        name="contoh/sample",
        revision="3c" * 20,
        vendor="Contoh",
        country="MY",
        licence="apache-2.0",
        source="https://hub.example.my/contoh/sample",
        base=("contoh/asal",),
        relation="finetune",
        datasets=("contoh/teks",),
        scores=(
            ClaimedScore(
                "MalayMMLU, first token",
                812000,
                "Contoh",
                "https://example.my/kad",
                "2026-10-01",
                "malaymmlu",
            ),
        ),
    ),
    signed=SignedFiles("key:" + "6b" * 32, "4d" * 32, "2026-11-22T02:50:00.125Z"),
)


def made() -> dict[str, str]:
    return {"passport": sign(SPECIMEN, SIGNER), "passport-key": f"{SIGNER.key}\n"}


def shown() -> dict[str, str]:
    return {name: text for _, name, text, _ in BLOCK.findall(PAGE.read_text("utf-8"))}


def test_the_page_shows_what_the_code_signs() -> None:
    assert shown() == made(), "run: PYTHONPATH=. python tests/docs/test_passport_page.py"


def test_the_specimen_verifies_with_the_key_beside_it() -> None:
    key = VerifierKey.parse(shown()["passport-key"].strip())
    assert verify(shown()["passport"], [key]) == SPECIMEN
    with pytest.raises(LedgerBroken):
        verify(shown()["passport"].replace("954545", "999999"), [key])


def test_every_field_is_explained() -> None:
    page = PAGE.read_text("utf-8")
    for kind in (Passport, Result, Claimed, ClaimedScore, SignedFiles):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in page, field
    for field in Subject.__dataclass_fields__:
        assert f"`{field}`" in page, field


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + made()[found[2]] + found[4], text), "utf-8")
