"""chat is the only road: nothing leaves undecided or unbooked, and every end is written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_kit import CALLER, Office, chunks, written

from selat.core.caller import Site
from selat.core.errors import (
    EngineBusy,
    EngineTimeout,
    EngineUnreachable,
    Forbidden,
    GuardFailed,
    LedgerUnavailable,
    NotFound,
)
from selat.core.finding import Finding, Scan
from selat.core.label import parse_label
from selat.flows.chat import Streamed, chat
from selat.guard import Guard
from selat.policy import DEFAULT, PolicySet
from selat.testing import EchoEngine
from selat.wire import Ask, has_others
from selat.wire.shapes import PlainChat

CLIENTS = Path(__file__).parents[2] / "docs" / "howto" / "clients.md"
MYKAD = "900101-14-5678"
PROMPT = f"Sila semak pemohon dengan MyKad {MYKAD} hari ini"


@pytest.fixture
def office(tmp_path: Path, guard: Guard) -> Iterator[Callable[..., Office]]:
    made: list[Office] = []

    def make(*engines: EchoEngine) -> Office:
        made.append(Office(tmp_path, guard, *engines))
        return made[-1]

    yield make
    for one in made:
        one.journal.close()


def abroad() -> EchoEngine:
    return EchoEngine(site=Site("SG", "awan", "US"))


def test_an_answer_leaves_an_opening_and_a_closing(office: Callable[..., Office]) -> None:
    desk = office(EchoEngine())
    reply, body = asyncio.run(desk.answer(desk.ask("apa khabar")))
    assert json.loads(body)["choices"][0]["message"]["content"] == "Echo: apa khabar"
    opened, closed = desk.leaves()
    assert (opened["kind"], opened["id"], opened["decision"]["effect"]) == ("opened", reply.opening.id, "permit")
    assert opened["language"] == "ms"
    assert (closed["kind"], closed["id"], closed["outcome"], closed["status"]) == (
        "closed",
        reply.opening.id,
        "complete",
        200,
    )
    assert closed["answer"]["bytes"] == len(body)


def test_what_an_earlier_ask_met_holds_only_while_nothing_changes(
    office: Callable[..., Office], tmp_path: Path
) -> None:
    desk = office(abroad())

    def permitted(ask: Ask) -> bool:
        try:
            asyncio.run(desk.answer(ask))
        except Forbidden:
            return False
        return True

    salam = desk.ask("salam")
    assert permitted(salam)
    (lane,) = desk.desk.lanes.values()
    assert permitted(salam)
    assert [*desk.desk.lanes.values()] == [lane]
    assert not permitted(salam._replace(label=parse_label("sulit")))
    assert not permitted(salam._replace(caller=replace(CALLER, purposes=frozenset())))
    assert permitted(salam)
    shutil.copytree(DEFAULT, tmp_path / "none")
    (tmp_path / "none" / "policies" / "none.cedar").write_text('@id("none") forbid (principal, action, resource);')
    desk.desk.decider.use(PolicySet.load(tmp_path / "none"))
    assert not permitted(salam)


def test_a_permitted_body_leaves_as_it_was_read(office: Callable[..., Office]) -> None:
    engine = EchoEngine()
    desk = office(engine)
    ask = desk.ask("salam", seed=7, logit_bias={})
    asyncio.run(desk.answer(ask))
    assert json.loads(engine.calls[0].body) == json.loads(ask.body)


def test_policy_may_keep_fields_that_are_nobodys_from_going_on(
    office: Callable[..., Office], tmp_path: Path
) -> None:
    desk = office(EchoEngine(), abroad())
    shown = re.search(r"```cedar\n(.*?)```", CLIENTS.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    shutil.copytree(DEFAULT, tmp_path / "strict")
    (tmp_path / "strict" / "policies" / "90.cedar").write_text(shown[1])
    asks = [desk.ask("hai", seed=7, stop=["x"]), desk.ask("hai", top_k=5)]
    for ask in asks:
        asyncio.run(desk.answer(ask._replace(label=parse_label("terbuka"))))
    desk.desk.decider.use(PolicySet.load(tmp_path / "strict"))
    here, there = desk.desk.shelf.engines  # type: ignore[attr-defined]
    for engine, ask in ((here, asks[1]), (there, asks[0])):
        desk.desk.shelf.engines = (engine,)  # type: ignore[attr-defined]
        asyncio.run(desk.answer(ask))
    with pytest.raises(Forbidden) as refused:
        asyncio.run(desk.answer(asks[1]))
    assert refused.value.rules == ("only-the-protocols-fields-abroad",)
    opened = [leaf for leaf in desk.leaves() if leaf["kind"] in ("opened", "refused")]
    assert [leaf["scan"]["flags"] for leaf in opened] == [
        [],
        ["UNKNOWN_FIELDS"],
        ["UNKNOWN_FIELDS"],
        [],
        ["UNKNOWN_FIELDS"],
    ]


def test_an_ask_that_is_plain_has_no_fields_of_its_own() -> None:
    """Its fields are not looked at again."""
    assert not has_others(dict.fromkeys(PlainChat.__struct_fields__), "/chat/completions")
    assert has_others({"model": "m", "top_k": 1}, "/chat/completions")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_masked_abroad_comes_back_restored(office: Callable[..., Office], stream: bool) -> None:
    engine = abroad()
    desk = office(engine)
    reply, body = asyncio.run(desk.answer(desk.ask(PROMPT, stream=stream)))
    sent = engine.calls[0].body.decode()
    assert MYKAD not in sent
    assert "<MYKAD_1>" in sent
    said = "".join(written(body)) if stream else json.loads(body)["choices"][0]["message"]["content"]
    assert said == f"Echo: {PROMPT}"
    assert reply.opening.about.decision.effect == "redact"
    opened = desk.leaves()[0]
    assert opened["scan"]["findings"] == {"MYKAD": 1}
    assert opened["label"]["personal"] == "personal"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("far", [False, True])
def test_a_house_may_mask_what_an_answer_brings(office: Callable[..., Office], stream: bool, far: bool) -> None:
    """The caller's own number stays; the neighbour's, which they did not send, does not."""
    reply = "<MYKAD_1>" if far else MYKAD
    engine = replace(abroad() if far else EchoEngine(), reply=f"{reply} sah; jiran: ic 850505-01-5231, ya.")
    desk = office(engine)
    object.__setattr__(desk.desk, "mask_answers", frozenset({"MYKAD"}))
    _, body = asyncio.run(desk.answer(desk.ask(PROMPT, stream=stream)))
    said = "".join(written(body)) if stream else json.loads(body)["choices"][0]["message"]["content"]
    assert said == f"{MYKAD} sah; jiran: ic <MYKAD_1>, ya."
    assert desk.leaves()[-1]["scan"]["findings"]["MYKAD"] >= 1


def test_a_stream_that_cannot_be_masked_ends_in_failure(office: Callable[..., Office]) -> None:
    desk = office(EchoEngine())
    object.__setattr__(desk.desk, "mask_answers", frozenset({"MYKAD"}))

    class Fails(Guard):
        def segment(self, text: str, start: int, end: int, *, final: bool) -> Scan:
            raise GuardFailed("the detector broke")

    object.__setattr__(desk.desk, "guard", Fails(desk.desk.guard._engine))
    with pytest.raises(GuardFailed):
        asyncio.run(desk.answer(desk.ask("hai apa khabar", stream=True)))
    assert desk.leaves()[-1]["outcome"] == "failed"


def test_denial_never_reaches_an_engine(office: Callable[..., Office]) -> None:
    engine = abroad()
    desk = office(engine)
    with pytest.raises(Forbidden) as refused:
        asyncio.run(desk.answer(desk.ask("kertas mesyuarat", label=parse_label("sulit"))))
    assert engine.calls == []
    (leaf,) = desk.leaves()
    assert (leaf["kind"], leaf["id"]) == ("refused", refused.value.receipt)
    assert leaf["decision"]["rules"] == list(refused.value.rules)


def test_the_first_permitted_engine_is_taken_over_an_earlier_one_that_needs_masking(
    office: Callable[..., Office],
) -> None:
    far, near = abroad(), EchoEngine(name="dekat")
    desk = office(far, near)
    asyncio.run(desk.answer(desk.ask(PROMPT)))
    assert far.calls == []
    assert len(near.calls) == 1


def test_an_unregistered_purpose_is_refused_and_its_words_stay_out_of_the_leaf(
    office: Callable[..., Office],
) -> None:
    engine = EchoEngine()
    desk = office(engine)
    ask = desk.ask("hai")
    ask = ask._replace(purpose=f"semak {MYKAD}")
    with pytest.raises(Forbidden):
        asyncio.run(desk.answer(ask))
    (leaf,) = desk.leaves()
    assert leaf["purpose"] == "unregistered"
    assert MYKAD not in json.dumps(leaf)
    assert engine.calls == []


class BrokenGuard:
    """A scanner that fails."""

    detectors = ()

    def scan(self, text: str) -> Scan:
        raise GuardFailed("the detector broke")


def test_a_failed_scan_denies(office: Callable[..., Office]) -> None:
    engine = EchoEngine()
    desk = office(engine)
    object.__setattr__(desk.desk, "guard", BrokenGuard())
    with pytest.raises(Forbidden):
        asyncio.run(desk.answer(desk.ask("hai")))
    assert engine.calls == []


class BrokenDetector:
    """A further detector, such as an adapter whose model is gone."""

    name = "broken"

    def find(self, text: str) -> list[Finding]:
        raise RuntimeError(text)


def test_a_failing_further_detector_denies(
    office: Callable[..., Office], caplog: pytest.LogCaptureFixture
) -> None:
    engine = EchoEngine()
    desk = office(engine)
    broken = Guard(desk.desk.guard._engine, [BrokenDetector()])
    object.__setattr__(desk.desk, "guard", broken)
    with pytest.raises(Forbidden):
        asyncio.run(desk.answer(desk.ask(f"hai {MYKAD}")))
    assert engine.calls == []
    assert MYKAD not in caplog.text


def test_nothing_is_sent_while_the_ledger_cannot_be_written(office: Callable[..., Office]) -> None:
    engine = EchoEngine()
    desk = office(engine)
    desk.journal.close()
    with pytest.raises(LedgerUnavailable):
        asyncio.run(desk.answer(desk.ask("hai")))
    assert engine.calls == []


def test_the_opening_is_on_disk_before_the_engine_is_called(office: Callable[..., Office]) -> None:
    on_disk: list[bool] = []

    class Looking(EchoEngine):
        async def send(self, call: object) -> object:  # type: ignore[override]
            journals = b"".join(path.read_bytes() for path in (desk.folder / "journals").iterdir())
            on_disk.append(b'"kind":"opened"' in journals)
            return await super().send(call)  # type: ignore[arg-type]

    desk = office(Looking())
    asyncio.run(desk.answer(desk.ask("hai")))
    assert on_disk == [True]


@pytest.mark.parametrize(
    ("failure", "outcome", "status"),
    [
        (EngineUnreachable("engine 'echo' refused"), "engine_error", 502),
        (EngineTimeout("slow"), "engine_timeout", 504),
        (EngineBusy("full"), "engine_error", 503),
    ],
)
def test_an_engine_that_fails_is_a_booked_end(
    office: Callable[..., Office], failure: EngineUnreachable, outcome: str, status: int
) -> None:
    desk = office(EchoEngine(fails=failure))
    with pytest.raises(type(failure)):
        asyncio.run(desk.answer(desk.ask("hai")))
    closed = desk.leaves()[1]
    assert (closed["outcome"], closed["status"]) == (outcome, status)


def test_an_engine_that_breaks_mid_stream_is_a_booked_end(office: Callable[..., Office]) -> None:
    desk = office(EchoEngine(breaks=EngineUnreachable("engine 'echo' left")))
    with pytest.raises(EngineUnreachable):
        asyncio.run(desk.answer(desk.ask("hai", stream=True)))
    assert desk.leaves()[1]["outcome"] == "engine_error"


def test_ten_of_ten_hang_ups_are_closed_and_the_engine_is_told(office: Callable[..., Office]) -> None:
    engine = EchoEngine()
    desk = office(engine)

    async def leave() -> None:
        reply = await chat(desk.desk, desk.ask("hai " * 50, stream=True))
        assert isinstance(reply, Streamed)

        begun = asyncio.Event()

        async def take() -> None:
            try:
                async for _ in chunks(reply):
                    begun.set()
                    await asyncio.sleep(60)
            finally:
                reply.close()

        task = asyncio.create_task(take())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    async def all_leave() -> None:
        await asyncio.gather(*(leave() for _ in range(10)))

    asyncio.run(all_leave())
    outcomes = [leaf["outcome"] for leaf in desk.leaves() if leaf["kind"] == "closed"]
    assert outcomes == ["cancelled"] * 10
    assert engine.closed_early == 10


def test_a_cancelled_plain_ask_is_a_booked_end(office: Callable[..., Office]) -> None:
    asked = asyncio.Event()

    class Slow(EchoEngine):
        async def send(self, call: object) -> object:  # type: ignore[override]
            asked.set()
            await asyncio.sleep(60)
            raise AssertionError

    desk = office(Slow())

    async def leave() -> None:
        task = asyncio.create_task(desk.answer(desk.ask("hai")))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert desk.leaves()[1]["outcome"] == "cancelled"


def test_an_unknown_model_names_the_known_ones_and_not_the_callers_word(office: Callable[..., Office]) -> None:
    desk = office(EchoEngine())
    with pytest.raises(NotFound) as refused:
        asyncio.run(desk.answer(desk.ask("hai", model=f"model-{MYKAD}")))
    assert "echo" in str(refused.value)
    assert MYKAD not in str(refused.value)


def test_no_prompt_finding_or_answer_text_is_in_a_leaf_a_log_or_a_metric(
    office: Callable[..., Office], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    words = ["nasihat", MYKAD, "siti@contoh.my", "012-345 6789", "sk-proj-abcdefghijklmnopqrstuvwx1234567890"]
    desk = office(abroad())
    asyncio.run(desk.answer(desk.ask(" ".join(words), stream=True)))
    desk.desk.shelf.engines[0].fails = EngineUnreachable("engine 'echo' refused the connection")  # type: ignore[attr-defined]
    with pytest.raises(EngineUnreachable) as failed:
        asyncio.run(desk.answer(desk.ask(" ".join(words))))
    with pytest.raises(Forbidden) as refused:
        asyncio.run(desk.answer(desk.ask(" ".join(words), label=parse_label("rahsia"))))
    seen = json.dumps(desk.leaves()) + caplog.text + str(failed.value) + str(refused.value) + str(desk.counted)
    for word in words:
        assert word not in seen


def test_an_ask_that_lets_others_go_first_says_so_to_the_engines_queue(office: Callable[..., Office]) -> None:
    engine = EchoEngine()
    desk = office(engine)
    asyncio.run(desk.answer(desk.ask("hai")))
    asyncio.run(desk.answer(desk.ask("hai")._replace(background=True)))
    assert [(call.tenant, call.background) for call in engine.calls] == [("default", False), ("default", True)]


def test_a_failed_engine_gives_way_to_the_next_and_the_change_is_booked_first(
    office: Callable[..., Office],
) -> None:
    booked: list[bool] = []

    class Looking(EchoEngine):
        async def send(self, call: object) -> object:  # type: ignore[override]
            journals = b"".join(path.read_bytes() for path in (desk.folder / "journals").iterdir())
            booked.append(b'"kind":"rerouted"' in journals)
            return await super().send(call)  # type: ignore[arg-type]

    down = EngineUnreachable("engine down")
    desk = office(EchoEngine(name="satu", fails=down), Looking(name="dua"))
    desk.desk.router.weight = lambda engine: 100 if engine.name == "satu" else 0
    _, body = asyncio.run(desk.answer(desk.ask("hai")))
    assert b"Echo: hai" in body
    opened, rerouted, closed = desk.leaves()
    assert (opened["engine"], rerouted["engine"], closed["outcome"]) == ("satu", "dua", "complete")
    assert booked == [True]


def test_an_engine_without_a_place_gives_way_and_is_not_taken_for_a_failing_one(
    office: Callable[..., Office],
) -> None:
    full, free = EchoEngine(name="penuh", fails=EngineBusy("engine full")), EchoEngine(name="lapang")
    both, alone = office(full, free), office(full)
    both.desk.router.weight = lambda engine: 100 if engine.name == "penuh" else 0
    for desk in (both, alone):
        for _ in range(8):
            with contextlib.suppress(EngineBusy):
                asyncio.run(desk.answer(desk.ask("hai")))
        assert desk.desk.router.states()["penuh"].failed == 0
    assert len(free.calls) == 8


def test_failover_abroad_masks_what_home_would_have_seen(office: Callable[..., Office]) -> None:
    home, far = EchoEngine(name="rumah", fails=EngineUnreachable("engine down")), abroad()
    desk = office(home, far)
    _, body = asyncio.run(desk.answer(desk.ask(PROMPT)))
    assert MYKAD in home.calls[0].body.decode()
    assert MYKAD not in far.calls[0].body.decode()
    assert MYKAD.encode() in body
    assert [leaf["decision"]["effect"] for leaf in desk.leaves()[:2]] == ["permit", "redact"]


def test_failover_never_reaches_where_policy_denied(office: Callable[..., Office]) -> None:
    home, far = EchoEngine(name="rumah", fails=EngineUnreachable("engine down")), abroad()
    desk = office(home, far)
    with pytest.raises(EngineUnreachable):
        asyncio.run(desk.answer(desk.ask("kertas mesyuarat", label=parse_label("sulit"))))
    assert far.calls == []


def test_no_other_engine_is_asked_once_a_first_byte_has_come(office: Callable[..., Office]) -> None:
    breaks, spare = EchoEngine(name="putus", breaks=EngineUnreachable("engine left")), EchoEngine(name="simpan")
    desk = office(breaks, spare)
    desk.desk.router.weight = lambda engine: 100 if engine.name == "putus" else 0
    with pytest.raises(EngineUnreachable):
        asyncio.run(desk.answer(desk.ask("hai hai", stream=True)))
    assert spare.calls == []


@pytest.mark.parametrize("promoted", [False, True])
def test_a_purpose_that_needs_a_passport_is_served_by_promoted_models_only(
    office: Callable[..., Office], promoted: bool
) -> None:
    engine = EchoEngine()
    desk = office(engine)
    asked: list[tuple[str, str]] = []

    def passported(ask: Ask, at: object) -> bool:
        asked.append((ask.purpose, ask.model))
        return promoted

    object.__setattr__(desk.desk, "passported", passported)
    caller = replace(CALLER, passport_purposes=frozenset({"chat"}))
    ask = desk.ask("hai")._replace(caller=caller)
    if promoted:
        asyncio.run(desk.answer(ask))
    else:
        with pytest.raises(Forbidden):
            asyncio.run(desk.answer(ask))
    assert len(engine.calls) == promoted
    assert asked == [("chat", "echo")]
    asyncio.run(desk.answer(desk.ask("hai")))
    assert len(asked) == 1
