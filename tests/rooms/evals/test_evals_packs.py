"""Packs are whole, dated and sourced; a teacher's mistake is answered with file, item and field."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from selat.core.errors import Misused, NotFound
from selat.core.sources import abstention, read_sources
from selat.evals.item import FIRST_TOKEN, LETTERS
from selat.evals.load import PACKS, find_pack, read_pack, shipped
from selat.evals.score import finds, plain, score
from selat.evals.template import count, messages, put_in, samples, template_digest, templates
from selat.flows.answer import _RULES
from selat.testing.exam import right, wrong

GOOD = """
name = "cuba"
version = "2026-11-22"
licence = "CC0-1.0"
kind = "choice"
title = { ms = "Cuba", en = "Trial" }
about = { ms = "Cuba", en = "Trial" }
[defaults]
language = "ms"
date = "2026-11-22"
source = "sendiri"
[[item]]
id = "c-1"
question = "Ibu negara Malaysia?"
choices = ["Kuala Lumpur", "Ipoh"]
answer = "A"
rationale = "fakta asas"
"""


@pytest.mark.parametrize("name", shipped())
def test_shipped_pack_holds_sixty_items_each_with_source_and_reason(name: str) -> None:
    pack = find_pack(name)
    assert pack.name == name
    assert pack.licence == "CC0-1.0"
    assert len(pack.items) >= 60
    assert all(item.source and item.rationale and item.date for item in pack.items)
    assert pack.digest == hashlib.sha256((PACKS / f"{name}.toml").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", shipped())
def test_no_two_items_ask_the_same(name: str) -> None:
    items = find_pack(name).items
    asked = Counter((i.system, i.question, i.choices, i.documents) for i in items)
    assert [one for one, count in asked.items() if count > 1] == []


@pytest.mark.parametrize("name", shipped())
def test_answers_are_not_found_by_their_place(name: str) -> None:
    """Always choosing the same letter must score near chance, or the pack can be passed without reading."""
    items = [item for item in find_pack(name).items if item.kind == "choice"]
    if items:
        commonest = Counter(item.answer for item in items).most_common(1)[0][1]
        assert commonest / len(items) <= 0.4


@pytest.mark.parametrize("name", shipped())
def test_answers_are_not_found_by_their_length(name: str) -> None:
    items = [item for item in find_pack(name).items if item.kind == "choice"]
    longest = shortest = 0
    for item in items:
        lengths = sorted(map(len, item.choices))
        mine = len(item.choices[LETTERS.index(item.answer)])
        longest += mine == lengths[-1] > lengths[-2]
        shortest += mine == lengths[0] < lengths[1]
    assert max(longest, shortest) <= 0.35 * len(items)


@pytest.mark.parametrize("name", shipped())
def test_no_question_gives_its_answer_away(name: str) -> None:
    """What shows that a question was answered must not stand in the question itself."""
    for item in find_pack(name).items:
        asked = plain(item.question)
        if item.kind == "stance":
            assert [text for text in item.any_of if finds(text, asked)] == [], item.id
        if item.kind == "chrf":
            assert plain(item.reference) not in asked, item.id


@pytest.mark.parametrize("name", shipped())
def test_every_item_is_put_in_every_form(name: str) -> None:
    pack = find_pack(name)
    for template in templates():
        for item in pack.items:
            if not put_in(item, template):
                continue
            put = messages(item, template)
            whole = "".join(one["content"] for one in put)
            assert all(document in whole for document in item.documents)
            assert put[-1]["role"] == "user"
            assert item.question in put[-1]["content"]
            assert all(choice in put[-1]["content"] for choice in item.choices)
            assert "{question}" not in put[-1]["content"]


def test_three_forms_are_there_and_differ() -> None:
    assert len(templates()) >= 3
    assert len({template_digest(name) for name in templates()}) == len(templates())
    with pytest.raises(NotFound):
        template_digest("tiada")


def test_a_sample_is_known_by_what_is_asked(tmp_path: Path) -> None:
    (tmp_path / "cuba.toml").write_text(GOOD)
    pack = read_pack(tmp_path / "cuba.toml")
    first, again = samples(pack)[0], samples(pack)[0]
    assert first.digest == again.digest
    assert first.digest != samples(pack, "kurungan")[0].digest
    assert first.digest != samples(pack, scoring=FIRST_TOKEN)[0].digest
    assert b'"logprobs":true' in samples(pack, scoring=FIRST_TOKEN)[0].body


def test_braces_in_a_question_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "cuba.toml").write_text(GOOD.replace("Ibu negara Malaysia?", "Apakah {options} dan {x}?"))
    put = messages(read_pack(tmp_path / "cuba.toml").items[0])
    assert "Apakah {options} dan {x}?" in put[0]["content"]


def test_an_edited_item_changes_the_packs_digest(tmp_path: Path) -> None:
    path = tmp_path / "cuba.toml"
    path.write_text(GOOD)
    before = read_pack(path).digest
    path.write_text(GOOD.replace("Ipoh", "Taiping"))
    assert read_pack(path).digest != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('answer = "A"', 'answer = "C"', "item c-1: answer is one of A, B"),
        ('source = "sendiri"', "", "item c-1: source is missing"),
        ('rationale = "fakta asas"', "", "item c-1: rationale is missing"),
        ('date = "2026-11-22"\nsource', 'date = "semalam"\nsource', "date is written as"),
        ('choices = ["Kuala Lumpur", "Ipoh"]', "choices = [1, 2]", "choices is a list of texts"),
        ('answer = "A"', 'answer = "A"\njawapan = "A"', "unknown field 'jawapan'"),
        ('language = "ms"', 'language = "melayu"', "language is one of"),
        ('kind = "choice"', 'kind = "esei"', "kind is one of"),
        ('licence = "CC0-1.0"', "", "licence is missing"),
        ("[[item]]", "[[items]]", "unknown field 'items'"),
        ('name = "cuba"', "name =", "not valid TOML"),
        ('answer = "A"', 'answer = "A"\nany_of = ["re:("]', "a pattern is not valid"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "cuba.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(Misused, match=r"cuba\.toml") as caught:
        read_pack(path)
    assert said in str(caught.value)


def test_an_id_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "cuba.toml"
    path.write_text(GOOD + "\n[[item]]" + GOOD.split("[[item]]")[1])
    with pytest.raises(Misused, match="c-1: the id is there twice"):
        read_pack(path)


def test_unknown_pack_names_those_that_are_there() -> None:
    with pytest.raises(NotFound, match="tatabahasa"):
        find_pack("tiada")


@pytest.mark.parametrize("name", shipped())
def test_every_item_can_be_got_right_and_wrong(name: str) -> None:
    """An item whose own right answer scores nothing, or whose wrong one passes, is a mistake of ours."""
    for item in find_pack(name).items:
        assert score(item, right(item)).value == 1, item.id
        assert score(item, wrong(item)).value == 0, item.id


def test_grounding_is_examined_in_the_form_that_serves() -> None:
    """The words are the answer flow's own, and the sources are read back as it writes them."""
    pack = find_pack("berasas")
    served = samples(pack, "selat")
    assert len(served) == len(pack.items) == count(pack, ["selat"])
    assert samples(find_pack("tatabahasa"), "selat") == []
    for sample in served:
        language = sample.item.language
        system = messages(sample.item, "selat")[0]["content"]
        assert system.startswith(_RULES[language].format(abstention=abstention(language)))
        block = read_sources(system)
        assert block is not None
        assert tuple(passage.text for passage in block.passages) == sample.item.documents
