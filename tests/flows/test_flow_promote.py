"""A model serves a purpose only by a passport that meets its bars and still fits what runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from selat.core.caller import Caller, Site
from selat.core.errors import LedgerUnavailable, Misused
from selat.core.finding import CLEAN
from selat.core.label import LOWEST
from selat.engines import EngineSpec, Hosting, Leases, LlamaSpec, OpenAIEngine
from selat.engines.llama.engine import LlamaEngine
from selat.evals import find_pack
from selat.evals.bars import Bars, read_bar
from selat.evals.item import Reply, Sample
from selat.evals.passport import ClaimedScore
from selat.evals.run import Budget, Exam, Run, Subject
from selat.evals.store import Store
from selat.evals.template import template_digest
from selat.evals.weigh import digest_file
from selat.flows.claims import Claims, beside, claimed_of
from selat.flows.evaluate import Plan, evaluate, opened, own_weights, subject_of
from selat.flows.promote import Gate, Judged, Registry, Wish, make_passport, promote, weigh
from selat.models import Lineage, Model, ModelFile
from selat.policy import DEFAULT, AuthorizationRequest, Decider, PolicySet
from selat.testing.exam import is_right, right, wrong

PINS = {"tatabahasa": find_pack("tatabahasa").digest}
NOW = "2026-11-22T00:00:00.000Z"


def engine(url: str = "http://127.0.0.1:1/v1", name: str = "dekat", upstream: str = "asal") -> OpenAIEngine:
    return OpenAIEngine(EngineSpec(name, "openai", Site("MY"), (("murid", upstream),), url))


@dataclass
class Bench:
    """A folder with a store and a registry, a model that sat an exam, and what was booked."""

    folder: Path
    booked: list[tuple[str, dict[str, object]]]
    store: Store
    registry: Registry

    async def examine(self, subject: Subject, accuracy: float) -> None:
        pack = find_pack("tatabahasa")
        exams = (Exam(pack.name, pack.digest, pack.version),)
        run = Run(f"R{len(self.store.runs())}", NOW, subject, exams, (Exam("biasa", template_digest("biasa")),))

        async def put(sample: Sample) -> Reply:
            item = sample.item
            return right(item) if is_right(item, accuracy) else wrong(item)

        await evaluate(Plan(run, (pack,), Budget(), lambda: NOW), opened(put), self.store)

    def record(self, kind: str, facts: dict[str, object]) -> str:
        self.booked.append((kind, facts))
        return f"RCPT{len(self.booked)}"

    def promote(
        self, subject: Subject, bar: str = "tatabahasa lower bound >= 0.6", weights: Path | None = None
    ) -> Judged:
        wish = Wish(subject, "chat", Bars(30, (read_bar("x", bar),), PINS), weigh(weights))
        passport = make_passport("P1", NOW, subject, self.store)
        return promote(wish, passport, self.registry, self.record)

    def gate(self, now: str = NOW) -> Gate:
        return Gate(self.registry, lambda: now)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    registry = Registry(tmp_path / "passports", tmp_path / "keys" / "passport.key")
    store = Store(tmp_path / "evals.db")
    yield Bench(tmp_path, [], store, registry)
    store.close()


def examined(bench: Bench, accuracy: float = 0.9, weights: Path | None = None) -> Subject:
    subject = subject_of(engine(), "murid", digest_file(weights))
    asyncio.run(bench.examine(subject, accuracy))
    return subject


def test_a_model_that_meets_the_bar_is_promoted_and_booked(bench: Bench) -> None:
    judged = bench.promote(examined(bench))
    assert judged.promoted
    [(kind, facts)] = bench.booked
    assert kind == "model.promoted"
    assert facts["passport"] == judged.digest
    assert facts["packs"] == {"tatabahasa": find_pack("tatabahasa").digest}
    assert bench.gate().permits("chat", "murid", engine())
    assert bench.registry.passport(judged.digest) == judged.passport


def test_a_model_that_misses_the_bar_is_not_and_the_refusal_is_booked(bench: Bench) -> None:
    judged = bench.promote(examined(bench, 0.5))
    assert not judged.promoted
    assert judged.verdicts[0].reason.endswith("misses 0.6")
    assert [kind for kind, _ in bench.booked] == ["model.not_promoted"]
    assert not bench.gate().permits("chat", "murid", engine())


def test_a_model_never_examined_is_not_promoted(bench: Bench) -> None:
    judged = bench.promote(subject_of(engine(), "murid"))
    assert not judged.promoted
    assert "selat eval run" in judged.verdicts[0].reason


def test_without_its_entry_there_is_no_promotion(bench: Bench) -> None:
    subject = examined(bench)

    def full(kind: str, facts: dict[str, object]) -> str:
        raise LedgerUnavailable("the disk is full")

    bench.record = full  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable):
        bench.promote(subject)
    assert not bench.gate().permits("chat", "murid", engine())


@pytest.mark.parametrize(
    "change",
    [
        lambda: ("chat", "murid", engine(url="http://127.0.0.1:2/v1")),
        lambda: ("chat", "murid", engine(upstream="lain")),
        lambda: ("chat", "murid", engine(name="jauh")),
        lambda: ("docs", "murid", engine()),
        lambda: ("chat", "lain", engine()),
    ],
    ids=["address", "upstream model", "engine", "purpose", "model"],
)
def test_whatever_changes_voids_it(bench: Bench, change: Callable[[], tuple[str, str, OpenAIEngine]]) -> None:
    bench.promote(examined(bench))
    assert not bench.gate().permits(*change())


def test_changed_weights_void_it_at_once(bench: Bench) -> None:
    weights = bench.folder / "murid.gguf"
    weights.write_bytes(b"w" * 1000)
    subject = examined(bench, weights=weights)
    assert bench.promote(subject, weights=weights).promoted
    gate = bench.gate()
    assert gate.permits("chat", "murid", engine())
    was = weights.stat()
    weights.write_bytes(b"v" * 1000)
    os.utime(weights, ns=(was.st_atime_ns, was.st_mtime_ns))  # as one who would hide it
    assert "not those that were examined" in gate.why_not("chat", "murid", engine())
    weights.unlink()
    assert not gate.permits("chat", "murid", engine())


def test_the_gate_reads_no_weights(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of many gigabytes must not be read while a caller waits."""
    weights = bench.folder / "murid.gguf"
    weights.write_bytes(b"w" * 1000)
    bench.promote(examined(bench, weights=weights), weights=weights)

    def unread(path: Path) -> str:
        raise AssertionError("the gate read the weights")

    monkeypatch.setattr("selat.flows.promote.digest_file", unread)
    assert bench.gate().permits("chat", "murid", engine())


def llama(gguf: Path, **said: Any) -> LlamaEngine:
    spec = LlamaSpec(str(gguf), **said)
    models = (("murid", "murid"), *((name, name) for name, _ in spec.adapters))
    place = gguf.parent / "models.json"
    return LlamaEngine(EngineSpec("sini", "llama", Site("MY"), models, llama=spec), Leases(Hosting(place)))


def test_an_engine_that_selat_runs_is_bound_to_its_file_and_settings(bench: Bench) -> None:
    weights, other, template = (bench.folder / name for name in ("a.gguf", "b.gguf", "t.jinja"))
    for path in (weights, other, template):
        path.write_bytes(b"w")
    assert own_weights(llama(weights)) == weights
    subject = subject_of(llama(weights), "murid", digest_file(weights))
    asyncio.run(bench.examine(subject, 0.9))
    assert bench.promote(subject, weights=weights).promoted
    gate = bench.gate()
    assert gate.permits("chat", "murid", llama(weights))
    changed = [
        llama(other),
        llama(weights, context=512),
        llama(weights, chat_template=str(template)),
        llama(weights, adapters=(("murid", str(other)),)),
    ]
    reasons = [gate.why_not("chat", "murid", one) for one in changed]
    assert all("not those that were examined" in reason for reason in reasons), reasons


def test_a_changed_chat_template_voids_it(bench: Bench) -> None:
    template = bench.folder / "t.jinja"
    template.write_text("{{ messages }}")
    subject = subject_of(engine(), "murid", "", digest_file(template))
    asyncio.run(bench.examine(subject, 0.9))
    bars = Bars(30, (read_bar("x", "tatabahasa score >= 0.6"),), PINS)
    wish = Wish(subject, "chat", bars, chat_template=weigh(template))
    promote(wish, make_passport("P1", NOW, subject, bench.store), bench.registry, bench.record)
    assert bench.gate().permits("chat", "murid", engine())
    template.write_text("{{ messages }} ")
    assert "chat template are not those" in bench.gate().why_not("chat", "murid", engine())


def test_what_is_claimed_stands_beside_what_was_verified_and_opens_no_gate(bench: Bench) -> None:
    weights = bench.folder / "murid.gguf"
    weights.write_bytes(b"w" * 1000)
    subject = examined(bench, accuracy=0.7, weights=weights)
    claims = Claims(bench.registry.folder)
    claims.add("murid", ClaimedScore("Tatabahasa", 500_000, "Penjual", "kad", "2026-01-01", "tatabahasa"))
    claims.add("murid", ClaimedScore("Tatabahasa", 990_000, "Penjual", "kad", "2026-10-01", "tatabahasa"))
    claims.add("murid", ClaimedScore("Peperiksaan lain", 900_000, "Penjual", "kad", "2026-10-01"))
    shelf = [
        Model("penjual/lain", "1" * 40, (ModelFile("x.gguf", "a" * 64, 1),), vendor="Lain"),
        Model(
            "penjual/murid",
            "2" * 40,
            (ModelFile("murid.gguf", subject.weights, 1000),),
            vendor="Penjual",
            country="MY",
            licence="apache-2.0",
            lineage=Lineage(("asal",), "finetune", ("teks",)),
        ),
    ]
    claimed = claimed_of(shelf, subject.weights, claims.of("murid"))
    passport = make_passport("P1", NOW, subject, bench.store, claimed)
    bars = Bars(30, (read_bar("x", "tatabahasa lower bound >= 0.9"),), PINS)
    wish = Wish(subject, "chat", bars, weigh(weights))
    judged = promote(wish, passport, bench.registry, bench.record)
    assert not judged.promoted, "a claim of 99 % is none of ours"
    kept = bench.registry.passport(judged.digest)
    said = kept.claimed
    assert (said.vendor, said.licence, said.base, said.relation) == (
        "Penjual",
        "apache-2.0",
        ("asal",),
        "finetune",
    )
    grammar, rest = beside(kept)
    assert [(one.score, grammar.agrees(one)) for one in grammar.claimed] == [(990_000, False)]
    assert (rest.exam, rest.verified, rest.agrees(rest.claimed[0])) == ("Peperiksaan lain", None, None)
    assert claimed_of(shelf, "", ()).vendor == "", "without a digest nothing says which model on the shelf it is"


def test_a_changed_form_voids_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.promote(examined(bench))
    monkeypatch.setattr("selat.flows.promote.template_digest", lambda name: "0" * 64)
    assert "forms that have changed" in bench.gate().why_not("chat", "murid", engine())


def test_it_ends_after_its_days(bench: Bench) -> None:
    bench.promote(examined(bench))
    assert bench.gate("2026-12-21T00:00:00Z").permits("chat", "murid", engine())
    assert "ended on 2026-12-22" in bench.gate("2026-12-23T00:00:00Z").why_not("chat", "murid", engine())


def test_an_altered_passport_is_no_passport(bench: Bench) -> None:
    judged = bench.promote(examined(bench))
    path = bench.registry.folder / f"{judged.digest}.passport"
    path.write_text(path.read_text().replace('"missing":0', '"missing":1'))
    assert "false" in bench.gate().why_not("chat", "murid", engine())
    path.unlink()
    assert not bench.gate().permits("chat", "murid", engine())
    (bench.registry.folder / "promotions.json").write_text("[{")
    assert not bench.gate().permits("chat", "murid", engine())


def test_a_gate_sees_a_promotion_made_after_it(bench: Bench) -> None:
    gate = bench.gate()
    assert not gate.permits("chat", "murid", engine())
    bench.promote(examined(bench))
    assert gate.permits("chat", "murid", engine())


def test_a_passport_of_another_subject_is_refused(bench: Bench) -> None:
    subject = examined(bench)
    other = replace(subject, weights="ab" * 32)
    wish = Wish(other, "chat", Bars(1, (read_bar("x", "tatabahasa score >= 0"),), PINS))
    with pytest.raises(Misused, match="another model's"):
        promote(wish, make_passport("P", NOW, subject, bench.store), bench.registry, bench.record)


def test_policy_refuses_a_purpose_that_needs_a_passport_without_one(bench: Bench) -> None:
    """What the chat flow does with the gate's answer, by the shipped policy."""
    decider = Decider(PolicySet.load(DEFAULT))
    caller = Caller("default", "k", frozenset({"builder"}), LOWEST, frozenset({"chat"}))

    def effect() -> str:
        passport = bench.gate().permits("chat", "murid", engine())
        asked = ("infer", "dekat", Site("MY"), "chat", LOWEST, CLEAN)
        request = AuthorizationRequest(caller, *asked, passport=passport, passport_needed=True)
        return decider.decide(request).effect

    assert effect() == "deny"
    bench.promote(examined(bench))
    assert effect() == "permit"


def test_only_complete_runs_enter_a_passport(bench: Bench) -> None:
    subject = examined(bench)
    run = replace(bench.store.run("last"), state="partial")
    bench.store.save(run)
    assert make_passport("P", NOW, subject, bench.store).results == ()


def test_a_bar_may_name_the_only_form_of_a_run(bench: Bench) -> None:
    subject = examined(bench)
    assert bench.promote(subject, "tatabahasa template=biasa score >= 0.6").promoted
    judged = bench.promote(subject, "tatabahasa template=arahan score >= 0.6")
    assert judged.verdicts[0].reason == "pack tatabahasa does not show this"
