"""What an answer cites a source for is judged against it; where no judge answers in time, wording decides."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_kit import Office

from selat.core.label import LOWEST, parse_label
from selat.core.passage import Passage, Source
from selat.engines.engine import Answer, Call
from selat.flows.answer import Grounded, conclude
from selat.flows.entail import ENTAILMENT, FALLBACK, LEXICAL, Checker, EngineJudge, Judge, ModelJudge, verdict
from selat.flows.helpers import folder_of, judging
from selat.guard import Guard
from selat.knowledge import Claim, claims, onnx_entailer
from selat.models import ModelStore
from selat.testing import EchoEngine

sys.path.append(str(Path(__file__).parents[1] / "rooms" / "knowledge"))

TEXT = "Pengawal data mesti melapor dalam tempoh 72 jam. Denda maksimum ialah RM250,000."
PASSAGE = Passage(Source("a", "Panduan"), 1, 0, len(TEXT), TEXT, LOWEST)
# Both are worded as the passage is; only the first follows from it.
TRUE = "Pengawal data mesti melapor dalam 72 jam"
FALSE = "Pengawal data palsu melapor dalam tempoh 72 jam"
ANSWER = f"{TRUE} [1]. {FALSE} [1]."


class Strict(EchoEngine):
    """Says no to every statement that holds one word; or whatever it was told to say, as late as it was told."""

    def __init__(self, says: str = "", after_s: float = 0.0) -> None:
        super().__init__()
        self.says, self.after_s = says, after_s

    async def send(self, call: Call) -> Answer:
        await asyncio.sleep(self.after_s)
        statement = json.loads(json.loads(call.body)["messages"][-1]["content"])["statement"]
        self.reply = self.says or ("No." if "palsu" in statement else "yes")
        return await super().send(call)


@pytest.fixture
def open_office(tmp_path: Path, guard: Guard) -> Iterator[Callable[[EchoEngine], Office]]:
    made: list[Office] = []

    def open_(engine: EchoEngine) -> Office:
        made.append(Office(tmp_path / f"office{len(made)}", guard, engine))
        return made[-1]

    yield open_
    for office in made:
        office.journal.close()


def onnx_judge(folder: Path) -> Judge:
    onnx_kit = pytest.importorskip("onnx_kit", reason="onnx is not installed")
    return ModelJudge(lambda: onnx_entailer(onnx_kit.entailer(folder / "nli", "palsu")))


def engine_judge(folder: Path) -> Judge:
    return EngineJudge("echo")


@pytest.mark.parametrize("make", [onnx_judge, engine_judge])
def test_every_judge_keeps_what_follows_and_refuses_what_does_not(
    make: Callable[[Path], Judge], open_office: Callable[[EchoEngine], Office], tmp_path: Path
) -> None:
    office = open_office(Strict())
    checker = Checker(make(tmp_path))
    verdicts = asyncio.run(checker.verdicts(office.desk, office.ask("x"), (PASSAGE,), ANSWER))
    assert verdicts.how == ENTAILMENT
    assert verdicts.entailed == {Claim(TRUE, 1): True, Claim(FALSE, 1): False}
    grounded = Grounded("x", "ms", (PASSAGE,), LOWEST, "")
    marked = conclude(grounded, ANSWER, verdicts)
    assert marked.text == f"{TRUE} [1]. {FALSE} [?].\n[?] tidak disokong oleh sumber yang dipetik"
    assert (marked.unsupported, marked.dropped, marked.checked) == (1, 1, ENTAILMENT)
    assert conclude(grounded, ANSWER, verdicts, drop=True).text == f"{TRUE} [1]."


def test_a_judgement_by_an_engine_is_an_ask_of_its_own_under_the_passages_label(
    open_office: Callable[[EchoEngine], Office],
) -> None:
    office = open_office(Strict())
    secret = Passage(PASSAGE.source, 1, 0, len(TEXT), TEXT, parse_label("terhad/internal/none/MY"))
    asyncio.run(Checker(EngineJudge("echo")).verdicts(office.desk, office.ask("x"), (secret,), ANSWER))
    opened = [leaf for leaf in office.leaves() if leaf["kind"] == "opened"]
    assert len(opened) == 2
    assert all(leaf["label"]["official"] == "terhad" for leaf in opened), opened[0]["label"]


@pytest.mark.parametrize(
    ("judge", "engine"),
    [
        (EngineJudge("absent"), Strict()),
        (EngineJudge("echo"), Strict(after_s=300)),
        (EngineJudge("echo"), Strict(says="It seems that the source may say so")),
        (ModelJudge(lambda: onnx_entailer(Path("/nonexistent"))), Strict()),
    ],
    ids=["absent", "slow", "rambling", "no-model"],
)
def test_without_a_verdict_in_time_wording_decides_and_the_answer_says_so(
    judge: Judge, engine: Strict, open_office: Callable[[EchoEngine], Office]
) -> None:
    office = open_office(engine)
    checker = Checker(judge, timeout_s=0.3)
    verdicts = asyncio.run(checker.verdicts(office.desk, office.ask("x"), (PASSAGE,), ANSWER))
    assert (verdicts.how, verdicts.entailed) == (FALLBACK, {})
    answered = conclude(Grounded("x", "ms", (PASSAGE,), LOWEST, ""), ANSWER, verdicts)
    assert answered.checked == FALLBACK
    assert answered.text == ANSWER


def test_a_slow_judge_leaves_no_ask_open(open_office: Callable[[EchoEngine], Office]) -> None:
    for timeout_s in (1.0, 60.0):  # a second is not enough everywhere to book them
        office = open_office(Strict(after_s=300))
        checker = Checker(EngineJudge("echo"), timeout_s=timeout_s)
        asyncio.run(checker.verdicts(office.desk, office.ask("x"), (PASSAGE,), ANSWER))
        kinds = [leaf["kind"] for leaf in office.leaves()]
        assert kinds.count("opened") == kinds.count("closed")
        if kinds.count("opened") == 2:
            break
    assert kinds.count("opened") == 2


def test_quotes_and_markers_without_a_source_are_not_judged() -> None:
    assert claims("Denda maksimum ialah RM250,000. [1] Lain pula begini [4]. Ini baharu [1]", (PASSAGE,)) == [
        Claim("Ini baharu", 1)
    ]


def test_a_number_that_the_source_has_not_is_unsupported_whatever_a_model_says(
    open_office: Callable[[EchoEngine], Office],
) -> None:
    office = open_office(Strict(says="yes"))
    wrong = "Pengawal data mesti melapor dalam 96 jam [1]."
    verdicts = asyncio.run(
        Checker(EngineJudge("echo")).verdicts(office.desk, office.ask("x"), (PASSAGE,), f"{TRUE} [1]. {wrong}")
    )
    answered = conclude(Grounded("x", "ms", (PASSAGE,), LOWEST, ""), f"{TRUE} [1]. {wrong}", verdicts)
    assert "96 jam [?]." in answered.text


def test_without_a_model_wording_alone_checks(open_office: Callable[[EchoEngine], Office]) -> None:
    office = open_office(engine := Strict())
    verdicts = asyncio.run(Checker().verdicts(office.desk, office.ask("x"), (PASSAGE,), ANSWER))
    assert (verdicts.how, engine.calls) == (LEXICAL, [])


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("yes", True),
        (" Ya. ", True),
        ("NO!", False),
        ("no", False),
        ("tidak", False),
        ("yes, because", None),
        ("", None),
    ],
)
def test_only_one_word_is_a_verdict(said: str, means: bool | None) -> None:
    assert verdict(said) is means


def test_a_model_is_found_by_its_folder_or_on_the_shelf(tmp_path: Path) -> None:
    class House:
        home = type("Home", (), {"path": tmp_path})()
        models = ModelStore(tmp_path / "models")

    house: Any = House()
    (tmp_path / "nli").mkdir()
    assert folder_of("nli", house) == tmp_path / "nli"
    assert judging("", house) is None
    assert isinstance(judging("engine:x", house), EngineJudge)
    with pytest.raises(Exception, match="no folder 'org/nli', and no model 'org/nli' on the shelf"):
        folder_of("org/nli", house)
