"""Exams of others are read as they are, with their traps; absent data is a skip with a reason."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from selat.core.errors import Misused, NotFound
from selat.evals.bars import measure, read_bar
from selat.evals.corpus import directions
from selat.evals.external import LOADERS, load_external
from selat.evals.item import FIRST_CHARACTER, FIRST_TOKEN, FULL_ANSWER, Reply, Score, Scored
from selat.evals.load import find_pack, read_pack
from selat.evals.passport import result_of
from selat.evals.run import Run, Subject
from selat.evals.scaffold import scaffold
from selat.evals.score import score
from selat.evals.summary import summarise
from selat.evals.template import messages, samples
from selat.evals.verbatim import verbatim
from selat.testing.exam import right, wrong

HERE = Path(__file__).parents[3]
PLACES = (Path(os.environ.get("SELAT_SHARED_DATA", "-")), HERE.parent / "shared" / "data")


def data(name: str) -> Path:
    for place in PLACES:
        if (place / name).is_dir():
            return place / name
    pytest.skip(f"the data set {name} is not at hand; set SELAT_SHARED_DATA to the folder that holds it")


MALAYMMLU = [
    {
        "id": 1,
        "prompt": "Alat untuk membuka pintu ialah ...\nA. kunci (keys)\nB. sifer (cipher)",
        "answer": "A. kunci (keys)",
        "subject": "Bahasa Melayu",
        "category": "Language",
        "level": "Primary",
        "options": ["A. kunci (keys)", "B. sifer (cipher)"],
        "num_options": 2,
        "key": "A",
    },
    {
        "id": 2,
        "prompt": "2 + 2 = ...\nA. 3\nB. 4\nC. 5",
        "answer": "B. 4",
        "subject": "Matematik",
        "category": "STEM",
        "level": "Primary",
        "options": ["A. 3", "B. 4", "C. 5"],
        "num_options": 3,
        "key": "B",
    },
]


@pytest.mark.parametrize("lines", [False, True], ids=["array", "row a line"])
def test_malaymmlu_does_not_write_its_options_twice_and_knows_its_chance(tmp_path: Path, lines: bool) -> None:
    path = tmp_path / "MalayMMLU_0shot.json"
    rows = [json.dumps(row, ensure_ascii=False) for row in MALAYMMLU]
    path.write_text("\n".join(rows) if lines else f"[{','.join(rows)}]")
    pack = load_external("malaymmlu", path)
    assert pack.chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert pack.items[0].choices == ("kunci (keys)", "sifer (cipher)")
    for template in ("biasa", "kurungan", "arahan"):
        put = messages(pack.items[0], template)[-1]["content"]
        assert put.count("kunci (keys)") == 1
    published = "Berikut adalah soalan aneka pilihan tentang Bahasa Melayu. Sila berikan jawapan sahaja.\n\n"
    assert messages(pack.items[0])[0]["content"] == f"{published}{MALAYMMLU[0]['prompt']}\nJawapan:"
    assert score(pack.items[1], Reply("B. 4")).value == 1


def test_malaymmlu_is_scored_in_the_three_published_ways(tmp_path: Path) -> None:
    path = tmp_path / "MalayMMLU_0shot.json"
    path.write_text(json.dumps(MALAYMMLU))
    pack = load_external("malaymmlu", path)
    item = pack.items[1]  # 2 + 2: A. 3, B. 4, C. 5
    # First token: the likeliest of the letters that are options, whatever else is likelier.
    top = (("D", -0.1), ("Jawapan", -0.2), (" B", -1.0), ("A", -2.0))
    assert score(item, Reply("", top=top), FIRST_TOKEN).answer == "B"
    assert score(item, Reply("", top=(("D", -0.1),)), FIRST_TOKEN).status == "invalid"
    # Full answer: each option is written out once after the question, whose own options are not written again.
    [sample] = [one for one in samples(pack, scoring=FULL_ANSWER) if one.item is item]
    prompts = json.loads(sample.body)["prompt"]
    asked = MALAYMMLU[1]["prompt"]
    assert [text.partition(f"{asked}\nJawapan:")[2] for text in prompts] == MALAYMMLU[1]["options"]
    assert score(item, Reply("", means=(-1.2, -1.1, -1.3)), FULL_ANSWER).value == 1
    assert score(item, Reply("", means=(-1.2, -1.1)), FULL_ANSWER).status == "invalid"
    # Models without log-probabilities: the reply's first character is the key.
    said = {"B": 1.0, "B. 4": 1.0, "C. 5": 0.0, "Jawapan: B": 0.0, "": 0.0}
    assert {text: score(item, Reply(text), FIRST_CHARACTER).value for text in said} == said
    assert score(item, Reply("Jawapan: B")).value == 1, "our own reading is more lenient, and another scoring"


def test_a_key_that_is_no_option_stops_the_load(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{**MALAYMMLU[0], "key": "C"}]))
    with pytest.raises(Misused, match="none of the 2 options"):
        load_external("malaymmlu", path)
    path.write_text("[{}]")
    with pytest.raises(Misused, match="not MalayMMLU"):
        load_external("malaymmlu", path)


def test_parallel_questions_share_a_cluster_over_four_languages() -> None:
    pack = load_external("global-mmlu-lite", data("seahelm-ms"))
    assert Counter(item.language for item in pack.items) == {"ms": 400, "en": 400, "zh": 400, "id": 400}
    assert set(Counter(item.cluster for item in pack.items).values()) == {4}
    assert pack.chance == 0.25


def test_the_language_gap_is_found_with_its_interval() -> None:
    """A model that is right on 80 % in English and 65 % in Malay, on the same 400 questions."""
    pack = load_external("global-mmlu-lite", data("seahelm-ms"))
    rate = {"ms": 0.65, "en": 0.8, "zh": 0.75, "id": 0.7}
    scored = []
    for item in pack.items:
        drawn = int.from_bytes(hashlib.sha256(item.cluster.encode()).digest()[:4], "big") / 2**32
        value = float(drawn < rate[item.language])
        scored.append(Scored(pack.name, item.id, "biasa", item.language, item.cluster, Score(value)))
    summary = summarise(pack, scored, len(scored))
    assert [(gap.first, gap.second) for gap in summary.gaps] == [("ms", "en"), ("ms", "id"), ("ms", "zh")]
    gap = summary.gap
    assert gap is not None
    assert gap.low < 0.15 < gap.high
    assert gap.low > 0.1
    assert summary.score.clusters == 400, "a question in four languages counts as one"


def test_safeguard_asks_as_many_to_answer_as_to_decline() -> None:
    pack = load_external("sea-safeguard", data("seahelm-ms"))
    assert Counter(item.expect for item in pack.items) == {"answer": 430, "refuse": 430}


def test_deccp_has_two_sides() -> None:
    pack = load_external("deccp", data("deccp"))
    sides = Counter(item.side for item in pack.items)
    assert sides["sensitif"] == 95
    assert sides["kawalan"] > 30


def test_flores_translates_both_ways() -> None:
    pytest.importorskip("sacrebleu", reason="needs the extra 'evals'")
    pack = load_external("flores", data("flores-zsm-dev"))
    assert set(Counter(item.topic for item in pack.items).values()) == {997}
    assert len({item.topic for item in pack.items}) == 6
    assert score(pack.items[0], right(pack.items[0])).value == pytest.approx(1)
    assert score(pack.items[0], wrong(pack.items[0])).value < 0.2


def test_chrf_of_a_whole_text_is_sacrebleus_and_not_the_mean_of_its_sentences() -> None:
    chrf = pytest.importorskip("sacrebleu.metrics.chrf", reason="needs the extra 'evals'").CHRF()
    pack = find_pack("terjemahan")
    replies, scored = {}, []
    for number, item in enumerate(pack.items):
        words = item.reference.split()
        reply = Reply(" ".join(words[: 1 + number % len(words)]) or "x")
        replies[item.id] = reply
        scored.append(
            Scored(
                *(pack.name, item.id, "biasa", item.language, item.cluster, score(item, reply)),
                topic=item.topic,
                side=item.side,
                sample=item.id,
            )
        )
    found = dict(directions(pack, scored, replies))
    assert sorted(found) == ["en>ms", "ms>en", "ms>ta", "ms>zh", "ta>ms", "zh>ms"]
    into = [item for item in pack.items if item.topic == "en>ms"]
    said = [replies[item.id].text for item in into]
    known = chrf.corpus_score(said, [[item.reference for item in into]]).score / 100
    assert found["en>ms"].mean == pytest.approx(known)
    assert found["en>ms"].low < known < found["en>ms"].high
    assert found["en>ms"].n == len(into) == 10
    mean = sum(one.score.value for one in scored if one.topic == "en>ms") / len(into)
    assert abs(mean - known) > 0.001
    summary = summarise(pack, scored, len(scored), directions(pack, scored, replies))
    assert summary.part("chrf", "en>ms") == found["en>ms"]
    run = Run("R", "t", Subject("m", "e", "openai"), (), ())
    shown = measure(read_bar("x", "terjemahan chrf=en>ms score >= 0.5"), result_of(run, pack, summary))
    assert shown == pytest.approx(known, abs=1e-6)


def test_unknown_or_absent_exams_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="global-mmlu-lite"):
        load_external("tiada", tmp_path)
    for name in LOADERS:
        with pytest.raises(Misused):
            load_external(name, tmp_path / "tiada")


def test_what_is_known_by_heart_is_told_from_what_is_guessed() -> None:
    pack = verbatim(find_pack("tatabahasa"))
    assert pack.name == "tatabahasa~verbatim"
    assert pack.chance is None
    assert len(pack.items) >= 30
    item = pack.items[0]
    assert item.reference not in item.question
    assert score(item, right(item)).value == 1
    cut = " ".join(item.reference.split()[:2]) + " lain daripada asal"
    assert score(item, Reply(cut)).value == 0
    short = replace(
        find_pack("tatabahasa"), items=(replace(find_pack("tatabahasa").items[0], question="Ya?", choices=()),)
    )
    with pytest.raises(Misused, match="nothing to continue"):
        verbatim(short)


def test_a_scaffold_is_a_pack_that_runs(tmp_path: Path) -> None:
    path = scaffold("bank-pinjaman", tmp_path, "2026-11-22")
    pack = read_pack(path)
    assert {item.kind for item in pack.items} == {"choice", "match", "cite"}
    with pytest.raises(Misused, match="there already"):
        scaffold("bank-pinjaman", tmp_path, "2026-11-22")
    for name in ("Bank", "../x", "a b", "é"):
        with pytest.raises(Misused, match="name has"):
            scaffold(name, tmp_path, "2026-11-22")
