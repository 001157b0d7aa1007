"""The short way ends as the awaited one does, whatever happens on it: one opening, one closing, one reply."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import Office

from selat.core.caller import Site
from selat.core.entry import Closing, Opening, Usage
from selat.core.errors import (
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    Forbidden,
    GuardFailed,
    LedgerUnavailable,
    NotFound,
    TooMany,
)
from selat.core.label import LOWEST, Label, parse_label
from selat.engines import Call, Engine
from selat.flows import chat as flow
from selat.flows import history
from selat.flows.chat import Reply, Streamed, Whole, chat, sent, short, start
from selat.flows.history import starting
from selat.guard import Guard
from selat.ledger import Ticket
from selat.testing import EchoEngine
from selat.wire import Ask

GOOD = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Baik"}}]}'
HERE: ContextVar[str] = ContextVar("here", default="")


class Mistake(Exception):
    """One that nobody foresaw."""


class Came:
    """An answer that came whole, or begins to stream."""

    def __init__(self, body: bytes = GOOD, status: int = 200, content_type: str = "application/json") -> None:
        self.body, self.status, self.content_type = body, status, content_type
        self.closed = 0

    async def chunks(self) -> Any:
        yield self.body

    async def close(self) -> None:
        self.closed += 1


class Journal:
    """Keeps what is appended; the test says when the opening is durable, or lost."""

    def __init__(self) -> None:
        self.leaves: list[dict[str, Any]] = []
        self.tickets: list[Ticket] = []
        self.down = False

    def append(self, leaf: bytes, secrets: Any = None) -> Ticket:
        if self.down:
            raise LedgerUnavailable("the disk is full")
        self.leaves.append(json.loads(leaf))
        self.tickets.append(Ticket(threading.Lock(), lambda loop: None))
        return self.tickets[-1]

    def settle(self, error: str | None = None) -> None:
        tickets, self.tickets = self.tickets, []
        for ticket in tickets:
            ticket.settle(error)


class Scene:
    """An ask on the short way, with hands on everything that it waits for."""

    def __init__(self, office: Office) -> None:
        self.office, self.journal = office, Journal()
        self.settled: list[Usage | None] = []
        self.timed: list[str] = []
        self.told: list[Reply] = []
        self.begun: list[tuple[str, Call]] = []
        self.idle = True
        self.hung_up = 0
        self.answer: Callable[[Any], None] = lambda came: None
        office.desk = replace(
            office.desk,
            journal=self.journal,  # type: ignore[arg-type]
            reserve=lambda ask, engine: self.settled.append,
            timed=lambda timing, opening, closing: self.timed.append(timing.outcome),
        )

    def begin(self, engine: Engine, call: Call, told: Callable[[Any], None]) -> Callable[[], None] | None:
        """What stands for an engine with an idle connection."""
        self.begun.append((engine.name, call))
        if not self.idle:
            self.begun.pop()
            return None
        self.answer = told

        def leave() -> None:
            self.hung_up += 1
            self.answer = lambda came: None

        return leave

    def start(self, ask: Ask | None = None) -> Callable[[], None]:
        leave = start(self.office.desk, ask or self.office.ask("hai"), self.told.append)
        assert leave is not None
        return leave

    async def durable(self, error: str | None = None) -> None:
        self.journal.settle(error)
        await asyncio.sleep(0)

    async def rest(self) -> Any:
        """What was handed over, awaited as its taker does; the journal goes on meanwhile."""
        (reply,) = self.told
        assert isinstance(reply, Awaitable)
        task = asyncio.ensure_future(reply)
        while not task.done():
            await asyncio.sleep(0)
            self.journal.settle()
        return await task

    @property
    def reply(self) -> Any:
        (reply,) = self.told
        return reply

    def ended(self, outcome: str, status: int) -> None:
        """That all of it was booked, settled, counted and told once."""
        kinds = [leaf["kind"] for leaf in self.journal.leaves]
        assert (kinds.count("opened"), kinds.count("closed")) == (1, 1)
        closed = self.journal.leaves[-1]
        assert (closed["outcome"], closed["status"]) == (outcome, status)
        assert [type(one) for one in self.office.counted] == [Opening, Closing]
        assert len(self.settled) == 1
        assert self.timed == [outcome]
        views = self.office.desk.router.states()
        assert all(view.total <= 1 for view in views.values())
        assert all(engine.in_flight == 0 for engine in self.office.desk.shelf.engines)  # type: ignore[attr-defined]

    @property
    def failures(self) -> int:
        return sum(view.failed for view in self.office.desk.router.states().values())


@pytest.fixture
def scene(tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scene]]:
    offices: list[Office] = []

    def make(*engines: EchoEngine) -> Scene:
        offices.append(Office(tmp_path, guard, *(engines or (EchoEngine(),))))
        made = Scene(offices[-1])
        monkeypatch.setattr(short, "begin", made.begin)
        monkeypatch.setattr(sent, "at_hand", lambda answer: getattr(answer, "body", None))
        return made

    yield make
    for office in offices:
        office.journal.close()


Make = Callable[..., Scene]
Story = Callable[[], Awaitable[None]]


def run(story: Story) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_an_answer_comes_by_plain_calls_alone(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        one.start()
        assert (one.told, one.begun) == ([], []), "nothing leaves before the opening is durable"
        await one.durable()
        assert [name for name, _ in one.begun] == ["echo"]
        one.answer(Came())
        assert isinstance(one.reply, Whole)
        assert one.reply.body == GOOD
        assert asyncio.all_tasks() == {asyncio.current_task()}
        one.ended("complete", 200)
        assert one.settled[0] is not None

    run(story)


def test_where_the_ledger_may_follow_no_byte_of_an_answer_goes_before_it(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        one.office.desk = replace(one.office.desk, durable_first=False)
        one.start()
        one.answer(Came())
        assert one.told == []
        await one.durable()
        assert isinstance(one.reply, Whole)
        one.ended("complete", 200)

    run(story)


@pytest.mark.parametrize("first", [True, False])
def test_an_entry_that_is_lost_is_told_and_no_answer_goes_out(scene: Make, first: bool) -> None:
    async def story() -> None:
        one = scene()
        one.office.desk = replace(one.office.desk, durable_first=first)
        one.start()
        came = Came()
        if not first:
            one.answer(came)
        await one.durable("the disk is full")
        assert isinstance(one.reply, LedgerUnavailable)
        assert bool(one.begun) is not first
        await asyncio.sleep(0)
        assert came.closed == (not first)
        one.ended("failed", 503)

    run(story)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("at", ["ticket", "engine", "answered"])
def test_a_hang_up_is_booked_at_once_and_nothing_is_told_after_it(scene: Make, at: str, first: bool) -> None:
    async def story() -> None:
        if at == "answered" and first:
            return  # an answer is then told in the call that brings it
        one = scene()
        one.office.desk = replace(one.office.desk, durable_first=first)
        leave = one.start()
        came = Came()
        if first and at == "engine":
            await one.durable()
        if at == "answered":
            one.answer(came)
        leave()
        one.ended("cancelled", 499)
        await one.durable()
        await asyncio.sleep(0)
        assert one.told == []
        assert one.hung_up == (at == "engine" or (at == "ticket" and not first))
        assert came.closed == (at == "answered")
        assert bool(one.begun) is not (at == "ticket" and first)
        assert one.failures == 0
        one.ended("cancelled", 499)

    run(story)


FAILURES = [
    EngineUnreachable("gone"),
    EngineTimeout("late"),
    Came(b"not JSON"),
    Came(b"{}", 401),
    Came(b"{}", 502),
]


@pytest.mark.parametrize("came", FAILURES, ids=["gone", "late", "garbage", "our key", "broken"])
def test_what_fails_is_booked_as_by_the_awaited_way(scene: Make, came: Any) -> None:
    async def story() -> tuple[Any, str]:
        one = scene()
        one.start()
        await one.durable()
        one.answer(came)
        assert isinstance(one.reply, EngineError)
        closed = one.journal.leaves[-1]
        one.ended(closed["outcome"], closed["status"])
        assert one.failures == 1
        return (closed["outcome"], closed["status"], type(one.reply)), str(one.reply)

    async def awaited() -> tuple[Any, str]:
        one = scene()

        async def send(call: Call) -> Any:
            if isinstance(came, Exception):
                raise came
            return came

        engine = one.office.desk.shelf.lookup("echo")[0]
        one.office.desk.shelf.engines = [Sends(engine, send)]  # type: ignore[attr-defined]
        task = asyncio.ensure_future(chat(one.office.desk, one.office.ask("hai")))
        await asyncio.sleep(0)
        await one.durable()
        with pytest.raises(EngineError) as caught:
            await task
        closed = one.journal.leaves[-1]
        return (closed["outcome"], closed["status"], caught.type), str(caught.value)

    assert asyncio.run(story()) == asyncio.run(awaited())


class Sends:
    """An engine with another `send`."""

    def __init__(self, engine: Engine, send: Callable[[Call], Awaitable[Any]]) -> None:
        self.name, self.site, self.models, self.in_flight = engine.name, engine.site, engine.models, 0
        self.upstream_model, self.send = engine.upstream_model, send


def test_the_engines_own_refusal_passes(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        one.start()
        await one.durable()
        one.answer(Came(b'{"error":{"message":"too long"}}', 400))
        assert (one.reply.status, one.reply.body) == (400, b'{"error":{"message":"too long"}}')
        one.ended("complete", 400)

    run(story)


@pytest.mark.parametrize("idle", [True, False])
def test_a_call_that_nobody_took_is_sent_again_by_the_awaited_way(scene: Make, idle: bool) -> None:
    async def story() -> None:
        engine = EchoEngine()
        one = scene(engine)
        one.idle = idle
        one.start()
        await one.durable()
        if idle:
            one.answer(None)
        reply = await one.rest()
        assert json.loads(reply.body)["choices"][0]["message"]["content"] == "Echo: hai"
        assert len(engine.calls) == 1
        one.ended("complete", 200)

    run(story)


def test_who_is_handed_over_and_leaves_is_booked_as_one_who_left(scene: Make) -> None:
    async def story() -> None:
        one = scene()

        async def send(call: Call) -> Any:
            await asyncio.Event().wait()

        engine = one.office.desk.shelf.lookup("echo")[0]
        one.office.desk.shelf.engines = [Sends(engine, send)]  # type: ignore[attr-defined]
        one.start()
        await one.durable()
        one.answer(None)
        task = asyncio.ensure_future(one.reply)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        one.ended("cancelled", 499)

    run(story)


@pytest.mark.parametrize("came", [EngineUnreachable("gone"), Came(b"{}", 503), Came(b"{}", 429)])
def test_an_engine_that_fails_gives_way_to_the_next(scene: Make, came: Any) -> None:
    async def story() -> None:
        one = scene(EchoEngine("satu"), EchoEngine("dua"))
        one.start()
        await one.durable()
        ((first, _),) = one.begun
        one.answer(came)
        reply = await one.rest()
        assert isinstance(reply, Whole)
        kinds = [leaf["kind"] for leaf in one.journal.leaves]
        assert kinds == ["opened", "rerouted", "closed"]
        one.ended("complete", 200)
        views = one.office.desk.router.states()
        assert {name: (view.failed, view.total) for name, view in views.items()} == {
            first: (1, 1),
            "dua" if first == "satu" else "satu": (0, 1),
        }

    run(story)


def test_a_house_that_hedges_asks_by_the_awaited_way(scene: Make) -> None:
    async def story() -> None:
        one = scene(EchoEngine("satu"), EchoEngine("dua"))
        one.office.desk = replace(one.office.desk, hedge_after_s=5.0)
        one.start()
        await one.durable()
        assert one.begun == []
        assert isinstance(await one.rest(), Whole)
        one.ended("complete", 200)

    run(story)


def test_a_stream_is_told_at_its_first_byte(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        one.start(one.office.ask("hai", stream=True))
        await one.durable()
        one.answer(Came(b"data: [DONE]\n\n", content_type="text/event-stream"))
        assert isinstance(one.reply, Streamed)
        one.reply.close()
        one.ended("cancelled", 499)

    run(story)


def test_what_is_masked_goes_masked_and_comes_back_restored(scene: Make) -> None:
    async def story() -> None:
        one = scene(EchoEngine(site=Site("SG", "awan", "US")))
        one.start(one.office.ask("MyKad saya 900101-14-5678"))
        await one.durable()
        ((_, call),) = one.begun
        assert b"900101" not in call.body
        one.answer(Came(GOOD.replace(b"Baik", b"Baik, <MYKAD_1>")))
        assert b"Baik, 900101-14-5678" in one.reply.body
        one.ended("complete", 200)

    run(story)


def test_a_denial_is_booked_durably_before_it_is_told(scene: Make) -> None:
    async def story() -> None:
        one = scene(EchoEngine(site=Site("SG", "awan", "US")))
        one.start(one.office.ask("rahsia", label=parse_label("sulit")))
        assert one.journal.leaves == []
        with pytest.raises(Forbidden) as caught:
            await one.rest()
        assert [leaf["kind"] for leaf in one.journal.leaves] == ["refused"]
        assert caught.value.receipt == one.journal.leaves[0]["id"]

    run(story)


def test_over_a_limit_nothing_goes_and_the_limit_is_booked(scene: Make) -> None:
    async def story() -> None:
        one = scene()

        def full(ask: Ask, engine: str) -> Any:
            raise TooMany("full", retry_after_s=1, limit="quota:x")

        one.office.desk = replace(one.office.desk, reserve=full)
        one.start()
        with pytest.raises(TooMany) as caught:
            await one.rest()
        assert one.journal.leaves[0]["decision"] == {"effect": "deny", "rules": ["quota:x"]}
        assert caught.value.receipt == one.journal.leaves[0]["id"]

    run(story)


def test_what_cannot_be_taken_is_raised_with_nothing_set_aside(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        with pytest.raises(NotFound):
            one.start(one.office.ask("hai", model="none"))
        one.journal.down = True
        with pytest.raises(LedgerUnavailable):
            one.start()
        assert (one.settled, one.told, one.office.counted) == ([None], [], [])

    run(story)


def test_a_large_body_and_other_makers_detectors_go_the_awaited_way(
    scene: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scene()
    monkeypatch.setattr(flow, "THREADED_BYTES", 10)
    assert start(one.office.desk, one.office.ask("hai"), one.told.append) is None
    assert (one.told, one.journal.leaves) == ([], [])


@pytest.mark.parametrize("where", ["aim", "begin", "heed", "at_once", "finish", "count", "timed"])
def test_a_mistake_of_ours_is_told_and_booked_like_any_other_end(
    scene: Make, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def breaks(*_: Any) -> Any:
        raise Mistake

    async def story() -> None:
        one = scene()
        if where == "begin":
            monkeypatch.setattr(short, "begin", breaks)
        elif where in ("count", "timed"):
            one.start()
            one.office.desk = replace(one.office.desk, **{where: breaks})  # type: ignore[arg-type]
            (waits,) = one.journal.tickets
            ((_, call),) = waits._calls
            step = call.args[0]  # type: ignore[attr-defined]
            step.__self__.desk = one.office.desk
        else:
            monkeypatch.setattr(short.Short, where, breaks)
        if where not in ("count", "timed"):
            one.start()
        await one.durable()
        one.answer(Came())
        assert isinstance(one.reply, Mistake)
        await asyncio.sleep(0)
        kinds = [leaf["kind"] for leaf in one.journal.leaves]
        assert kinds == ["opened", "closed"]
        assert len(one.settled) == 1
        if where not in ("count", "timed"):
            one.ended("failed", 499)

    run(story)


def test_a_guard_that_fails_at_masking_an_answer_is_told(scene: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        one = scene()

        class Answers:
            def whole(self, text: str) -> str:
                raise GuardFailed("the detector broke")

        one.office.desk = replace(one.office.desk, mask_answers=frozenset({"MYKAD"}))
        monkeypatch.setattr(short.Short, "answers", lambda self: Answers())
        one.start()
        await one.durable()
        one.answer(Came())
        assert isinstance(one.reply, GuardFailed)
        one.ended("failed", 500)

    run(story)


def test_a_closing_that_cannot_be_booked_keeps_no_answer_back(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        one.start()
        await one.durable()
        one.journal.down = True
        one.answer(Came())
        assert isinstance(one.reply, Whole)
        assert len(one.settled) == 1

    run(story)


def test_each_step_runs_in_the_context_that_it_was_started_in(scene: Make) -> None:
    async def story() -> None:
        one = scene()
        HERE.set("mine")
        seen: list[str] = []
        start(one.office.desk, one.office.ask("hai"), lambda reply: seen.append(HERE.get()))
        HERE.set("another's")
        await one.durable()
        one.answer(Came())
        assert seen == ["mine"]

    run(story)


class Keeps:
    """Stands for the memory of labels."""

    def __init__(self) -> None:
        self.kept: list[tuple[list[str], Label]] = []

    def label_of(self, tenant: str, texts: list[str]) -> Label:
        return LOWEST

    def keep(self, tenant: str, texts: list[str], label: Label) -> None:
        self.kept.append((texts, label))


@pytest.mark.parametrize("label", ["terbuka", "terhad"])
def test_an_answers_label_is_kept_before_it_goes_where_it_says_more_than_usual(scene: Make, label: str) -> None:
    async def story() -> None:
        one, memory = scene(), Keeps()
        begin = starting(lambda ask, told: start(one.office.desk, ask, told), memory)  # type: ignore[arg-type]
        begin(one.office.ask("hai", label=parse_label(label)), one.told.append)
        await one.durable()
        one.answer(Came())
        if label == "terbuka":
            assert isinstance(one.reply, Whole)
            assert memory.kept == []
        else:
            assert not isinstance(one.reply, Whole)
            assert isinstance(await one.rest(), Whole)
            assert [texts for texts, _ in memory.kept] == [["Baik"]]
        one.ended("complete", 200)

    run(story)


def test_a_mistake_in_what_is_remembered_is_told_too(scene: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> Any:
        raise Mistake

    async def story() -> None:
        one = scene()
        begin = starting(lambda ask, told: start(one.office.desk, ask, told), Keeps())  # type: ignore[arg-type]
        begin(one.office.ask("hai"), one.told.append)
        monkeypatch.setattr(history, "usual", breaks)
        await one.durable()
        one.answer(Came())
        assert isinstance(one.reply, Mistake)

    run(story)
