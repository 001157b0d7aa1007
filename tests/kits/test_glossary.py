"""The glossary: every row parses, keys are unique, and each language is written in its own script."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

import selat

FOLDER = Path(selat.__file__).parent / "knowledge" / "glossary"
LISTS = {"shortforms.tsv": ("short", "standard"), "acronyms.tsv": ("acronym", "ms", "en")}
DOMAINS = sorted(path for path in FOLDER.glob("*.tsv") if path.name not in LISTS)
HEADER = ("ms", "en", "zh", "ta", "domain")
HAN, TAMIL = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[\u0b80-\u0bff]")


def rows(path: Path) -> list[list[str]]:
    """The rows under the header, as cells."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def header(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines()[0].split("\t"))


@pytest.mark.parametrize("path", DOMAINS, ids=lambda path: path.stem)
def test_domain_rows_parse_and_keys_are_unique(path: Path) -> None:
    table = rows(path)
    assert header(path) == HEADER
    assert all(len(cells) == len(HEADER) and cells[0] and cells[1] for cells in table)
    assert all(cells[4] for cells in table)
    keys = [cells[0].split("|")[0].casefold() for cells in table]
    assert len(keys) == len(set(keys)), sorted({key for key in keys if keys.count(key) > 1})


@pytest.mark.parametrize("path", DOMAINS, ids=lambda path: path.stem)
def test_each_language_is_in_its_own_script(path: Path) -> None:
    for ms, en, zh, ta, _ in rows(path):
        assert not HAN.search(ms + en), (ms, en)
        assert not TAMIL.search(ms + en + zh), (ms, en, zh)
        assert not zh or HAN.search(zh), zh
        assert all(TAMIL.search(word) for word in ta.split("|") if word), ta
        assert not HAN.search(ta), ta


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.tsv")), ids=lambda path: path.stem)
def test_cells_are_tidy(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == unicodedata.normalize("NFC", text)
    for cells in rows(path):
        for cell in cells:
            words = cell.split("|") if cell else []
            assert all(word and word == word.strip() for word in words), cells
            assert len(words) == len(set(words)), cells


def test_glossary_is_large_enough() -> None:
    table = [cells for path in DOMAINS for cells in rows(path)]
    assert len(table) >= 2000
    assert sum(bool(cells[2] and cells[3]) for cells in table) >= 2000


@pytest.mark.parametrize(("name", "columns"), LISTS.items())
def test_lists_parse_and_keys_are_unique(name: str, columns: tuple[str, ...]) -> None:
    table = rows(FOLDER / name)
    assert header(FOLDER / name) == columns
    assert all(len(cells) == len(columns) and all(cells) for cells in table)
    keys = [cells[0].casefold() for cells in table]
    assert len(keys) == len(set(keys))
    assert all(" " not in key for key in keys)


def test_lists_are_large_enough() -> None:
    assert len(rows(FOLDER / "shortforms.tsv")) >= 250
    assert len(rows(FOLDER / "acronyms.tsv")) >= 200


def test_shortforms_lead_to_standard_words_in_one_step() -> None:
    table = dict(rows(FOLDER / "shortforms.tsv"))
    words = {word for cell in table.values() for reading in cell.split("|") for word in reading.split()}
    assert not words & set(table)
    assert table["yg"] == "yang"
    assert table["brp"] == "berapa"
