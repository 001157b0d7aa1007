"""The sample guides: complete, bilingual, dated, labelled, and the same figures in both languages."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from selat.core.label import Official, parse_label
from selat.kits import guides

LANGUAGES = ("ms", "en")
MALAY = sorted((guides() / "ms").glob("*.md"))
PAGES = sorted(guides().glob("*/*.md"))
FIELDS = {"title", "language", "source", "dated", "reviewed", "label"}
REVIEWED = date(2026, 11, 22)
FIGURE = re.compile(r"\d(?:[\d.,]*\d)?")
# Words that Indonesian pages use where Malaysian ones have another.
INDONESIAN = re.compile(
    r"\b(?:aja|aktivitas|apotek|berbeda|bisa|coba|dampak|faktur|gratis|informasi|instansi|izin|kantor|kapan|"
    r"karena|konsumen|koran|kualitas|kuitansi|lembur|mobil|pajak|pelatihan|persentase|perusahaan|puskesmas|"
    r"rapat|resiko|sepeda|sertifikat|standar|tersangka|uang|wisatawan)\b",
    re.IGNORECASE,
)


def read(path: Path) -> tuple[dict[str, str], str]:
    """The front matter and the body of one guide."""
    _, matter, body = path.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in matter.strip().splitlines())
    return fields, body


def figures(body: str) -> set[str]:
    return set(FIGURE.findall(body))


def test_every_guide_exists_in_both_languages() -> None:
    stems = [{path.stem for path in (guides() / language).glob("*.md")} for language in LANGUAGES]
    assert stems[0] == stems[1]
    assert len(stems[0]) >= 12


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_front_matter_is_complete(path: Path) -> None:
    fields, body = read(path)
    assert set(fields) == FIELDS
    assert all(value.strip() for value in fields.values())
    assert fields["language"] == path.parent.name
    assert date.fromisoformat(fields["dated"]) <= date.fromisoformat(fields["reviewed"]) == REVIEWED
    label = parse_label(fields["label"])
    assert label.official == Official.TERBUKA
    assert label.jurisdictions == {"MY"}
    assert body.strip().startswith(f"# {fields['title']}\n")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_guide_is_short_and_says_that_it_is_no_advice(path: Path) -> None:
    _, body = read(path)
    assert 250 <= len(body.split()) <= 600
    assert re.search(r"not (?:tax or )?legal (?:or financial )?advice|bukan nasihat (?:cukai|undang-undang)", body)
    assert body.count("\n## ") >= 5


@pytest.mark.parametrize("path", MALAY, ids=lambda path: path.stem)
def test_both_languages_give_the_same_figures(path: Path) -> None:
    ours, theirs = (figures(read(guides() / language / path.name)[1]) for language in LANGUAGES)
    assert ours == theirs


@pytest.mark.parametrize("path", MALAY, ids=lambda path: path.stem)
def test_malay_guides_are_not_indonesian(path: Path) -> None:
    assert not INDONESIAN.search(read(path)[1])


@pytest.mark.parametrize("path", MALAY, ids=lambda path: path.stem)
def test_front_matter_agrees_between_languages(path: Path) -> None:
    ours, theirs = (read(guides() / language / path.name)[0] for language in LANGUAGES)
    assert [ours[name] for name in ("dated", "reviewed", "label")] == [
        theirs[name] for name in ("dated", "reviewed", "label")
    ]
