"""The catalogue is whole and sourced, and suggestions keep to what was asked, from several vendors."""

from __future__ import annotations

import re

import pytest

from selat.core.errors import Misused
from selat.models.catalogue import Entry, Need, as_of, catalogue, entry_of, read_memory, suggest
from selat.models.licence import licence, licences, read_card, recognise
from selat.models.record import check_name

FAMILIES = "DeepSeek Qwen3 Llama Kimi GLM gpt-oss Mistral Gemma SEA-LION Sailor2 MaLLaM"


def test_every_family_is_there_with_sources_and_known_licences() -> None:
    found = {one.family for one in catalogue()}
    for family in FAMILIES.split():
        assert any(name.startswith(family) for name in found), family
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", as_of())
    for one in catalogue():
        check_name(one.name)
        assert one.source.startswith("https://"), one.name
        assert one.checked in ("maker", "other", ""), one.name
        assert re.fullmatch(r"[A-Z]{2}", one.country), one.name
        assert bool(one.base) == bool(one.base_country), one.name
        assert one.licence == "" or one.licence in licences(), one.name
        assert one.checked or "Not verified" in one.note, one.name
    assert len({one.name for one in catalogue()}) == len(catalogue())


def test_every_licence_that_is_not_permissive_says_what_it_forbids_in_four_languages() -> None:
    for one in licences().values():
        assert one.source.startswith("https://"), one.id
        told = (one.forbids, one.forbids_ms, one.forbids_zh, one.forbids_ta)
        assert all(bool(text) == (not one.permissive) for text in told), one.id
        assert one.permissive or len(set(told)) == 4, one.id
    assert not licence("entah").permissive
    assert not licence("").permissive


def test_memory_is_by_the_stated_formula_or_by_the_source() -> None:
    eight = next(one for one in catalogue() if one.name == "Qwen/Qwen3-8B")
    assert eight.memory_gb("f16") == pytest.approx(8.2 * 2 * 1.1 + 1, abs=0.05)
    assert eight.memory_gb("q4_k_m") == pytest.approx(8.2 * 4.89 / 8 * 1.1 + 1, abs=0.05)
    small = entry_of("OpenAI/GPT-OSS-20b")
    assert small is not None
    assert small.memory_gb("mxfp4") == 16.0
    assert small.quantisations() == ("mxfp4",)


def test_suggestions_keep_to_memory_language_licence_and_country() -> None:
    found = suggest(Need(16.0, "ms", permissive=True, not_from=frozenset({"CN"})))
    assert len({one.entry.vendor for one in found}) >= 3
    for one in found:
        assert one.memory_gb <= 16.0
        assert licence(one.entry.licence).permissive
        assert "CN" not in (one.entry.country, one.entry.base_country)
        assert "ms" in one.entry.languages or one.entry.many
        assert len(one.reasons) == len(one.reasons_ms) >= 4
    every = [said for one in suggest(Need(2000.0, most=99)) for said in one.reasons_ms]
    assert any("tidak dinyatakan" in said for said in every)
    assert not any("none stated" in said for said in every)
    assert found[0].entry.name == "aisingapore/Apertus-SEA-LION-v4-8B-IT"
    made_of = suggest(Need(16.0, "ms", permissive=True, most=50))
    assert any(one.entry.base_country == "CN" for one in made_of), (
        "what is made from a Chinese base counts as such"
    )


def test_what_takes_too_much_or_speaks_another_language_is_not_suggested() -> None:
    assert suggest(Need(0.1)) == []
    names = {one.entry.name for one in suggest(Need(2000.0, "ms", most=50))}
    assert "openai/gpt-oss-120b" not in names
    assert "mistralai/Mistral-Small-3.2-24B-Instruct-2506" in names
    tight = next(one for one in suggest(Need(17.5, "ms", most=50)) if "Mistral-Small" in one.entry.name)
    assert tight.quantisation == "q4_k_m"
    roomy = next(one for one in suggest(Need(64.0, "ms", most=50)) if "Mistral-Small" in one.entry.name)
    assert roomy.quantisation == "f16"


def test_one_vendor_does_not_fill_the_list() -> None:
    rows = [
        Entry(f"v{n % 2}/m{n}", "f", f"v{n % 2}", "MY", "mit", float(n + 1), 1, ("ms",), "https://x", "maker")
        for n in range(6)
    ]
    assert [one.entry.vendor for one in suggest(Need(99.0, most=4), rows)] == ["v1", "v0", "v1", "v0"]


@pytest.mark.parametrize(
    ("text", "gb"), [("16GB", 16.0), ("16", 16.0), ("512 MB", 0.512), ("1TB", 1000.0), ("8gib", 8.59)]
)
def test_memory_is_read_as_people_write_it(text: str, gb: float) -> None:
    assert read_memory(text) == pytest.approx(gb, abs=0.01)
    with pytest.raises(Misused):
        read_memory(f"{text}?")


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("Apache License\n   Version 2.0, January 2004", "apache-2.0"),
        ("MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy", "mit"),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT", "llama3.1"),
        ("Gemma Terms of Use\nLast modified", "gemma"),
        ("Qwen RESEARCH LICENSE AGREEMENT", "qwen-research"),
        ("semua hak terpelihara", ""),
    ],
)
def test_a_licence_is_recognised_by_its_text(text: str, id_: str) -> None:
    assert recognise(text) == id_


@pytest.mark.parametrize(
    ("front", "id_", "base"),
    [
        ("license: apache-2.0\nbase_model: a/b", "apache-2.0", ("a/b",)),
        ("license: other\nlicense_name: modified-mit\nbase_model:\n- a/b\n- c/d", "modified-mit", ("a/b", "c/d")),
        ("license: 'MIT'\nbase_model: [a/b, 'c/d']", "mit", ("a/b", "c/d")),
        ("tags:\n- x", "", ()),
    ],
)
def test_a_card_is_read_from_front_matter(front: str, id_: str, base: tuple[str, ...]) -> None:
    card = read_card(f"---\n{front}\n---\n# x")
    assert (card.licence, card.lineage.base) == (id_, base)
    assert read_card(front).licence == ""
