"""How far a model is from a purpose is told before anything is asked for; promotion then goes by the same bars."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from selat.core.caller import Site
from selat.core.errors import Misused
from selat.engines import EngineSpec, OpenAIEngine
from selat.evals import find_pack
from selat.evals.item import Reply, Sample
from selat.evals.run import Budget, Exam, Run, Subject
from selat.evals.store import Store
from selat.evals.template import template_digest
from selat.flows.evaluate import Plan, evaluate, opened, subject_of
from selat.flows.promote import Gate, Registry
from selat.flows.shelve import Claim, Shelving
from selat.flows.standing import Bench
from selat.models import ModelStore
from selat.testing.exam import is_right, right, wrong

NOW = "2026-11-22T00:00:00.000Z"
BARS = '[purpose.chat]\ndays = 30\nbars = ["tatabahasa lower bound >= 0.6", "suntikan score >= 0.5"]\n'


def engine(upstream: str = "asal") -> OpenAIEngine:
    return OpenAIEngine(EngineSpec("dekat", "openai", Site("MY"), (("murid", upstream),), "http://127.0.0.1:1/v1"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(tmp_path / "evals.db")
    registry = Registry(tmp_path / "passports", tmp_path / "keys" / "passport.key")
    (tmp_path / "promotion.toml").write_text(BARS)
    models = ModelStore(tmp_path / "models")
    yield Bench(store, models, registry, tmp_path / "promotion.toml", lambda: ("P1", NOW), lambda model: ())
    store.close()


def sit(bench: Bench, subject: Subject, *packs: str, accuracy: float = 0.95) -> None:
    found = [find_pack(name) for name in packs]
    exams = tuple(Exam(pack.name, pack.digest, pack.version) for pack in found)
    run = Run(f"R{len(bench.store.runs())}", NOW, subject, exams, (Exam("biasa", template_digest("biasa")),))

    async def put(sample: Sample) -> Reply:
        item = sample.item
        return right(item) if is_right(item, accuracy) else wrong(item)

    asyncio.run(evaluate(Plan(run, tuple(found), Budget(), lambda: NOW), opened(put), bench.store))


def test_what_was_not_examined_is_told_apart_from_what_failed(bench: Bench) -> None:
    fresh = bench.standing(engine(), "murid", "chat")
    assert (fresh.examined, fresh.ready) == (False, False)
    assert [one.value for one in fresh.verdicts] == [None, None]
    sit(bench, subject_of(engine(), "murid"), "tatabahasa", accuracy=0.3)
    standing = bench.standing(engine(), "murid", "chat")
    failed, missing = standing.verdicts
    assert (standing.examined, failed.met, failed.value is None, missing.value) == (True, False, False, None)
    assert not list(bench.registry.folder.glob("*.passport")), "a look issues nothing"


def test_a_model_that_meets_every_bar_is_promoted_and_one_that_does_not_is_booked_as_refused(bench: Bench) -> None:
    booked: list[str] = []

    def record(kind: str, facts: dict[str, object]) -> str:
        booked.append(kind)
        return "0" * 32

    sit(bench, subject_of(engine(), "murid"), "tatabahasa")
    assert not bench.promote(engine(), "murid", "chat", record).promoted
    sit(bench, subject_of(engine(), "murid"), "suntikan")
    assert bench.standing(engine(), "murid", "chat").ready
    assert bench.promote(engine(), "murid", "chat", record).promoted
    assert booked == ["model.not_promoted", "model.promoted"]
    assert Gate(bench.registry, lambda: NOW).permits("chat", "murid", engine())


def test_another_model_behind_the_same_name_was_never_examined(bench: Bench) -> None:
    sit(bench, subject_of(engine(), "murid"), "tatabahasa", "suntikan")
    other = engine("lain")
    assert not bench.standing(other, "murid", "chat").examined
    with pytest.raises(Misused, match="was not examined"):
        bench.promote(other, "murid", "chat", lambda kind, facts: "")


def test_weights_are_read_again_from_the_shelf_and_must_be_those_examined(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "berat"
    folder.mkdir()
    head = b"{}" + b" " * 6
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    model, _ = Shelving(bench.models, lambda kind, facts: "0" * 32, lambda: NOW).add(
        folder, Claim("jauh/murid", licence="mit")
    )
    digest = model.files[0].digest
    sit(bench, subject_of(engine(), "murid", digest), "tatabahasa", "suntikan")
    judged = bench.promote(engine(), "murid", "chat", lambda kind, facts: "0" * 32)
    assert judged.promoted
    assert judged.passport.claimed.name == "jauh/murid"
    (promotion,) = bench.registry.promotions()
    assert promotion.weights.digest == digest
    bench.models.remove(model)
    with pytest.raises(Misused, match="not on the shelf"):
        bench.promote(engine(), "murid", "chat", lambda kind, facts: "0" * 32)
