"""A ticket is settled once, tells everybody who waits for it, and rings for the writer no more than it must."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator

import pytest
from ledger_house import leaf
from ledger_story import Watched, story
from waiting import until

from selat import durable
from selat.core.errors import LedgerUnavailable
from selat.ledger import Journal, Ticket


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that syncs the journal's data once the event is set, and at the end."""
    real, go = durable.data_sync, threading.Event()

    def sync(descriptor: int) -> None:
        go.wait(60)
        real(descriptor)

    monkeypatch.setattr(durable, "data_sync", sync)
    yield go
    go.set()


@story
async def test_what_is_to_be_called_is_called_once_on_the_loop_when_the_entry_is_durable(
    journal: Journal, disk: threading.Event
) -> None:
    ticket, called = journal.append(leaf(0)), asyncio.Event()
    seen: list[tuple[bool, threading.Thread]] = []

    def call() -> None:
        seen.append((ticket.durable, threading.current_thread()))
        called.set()

    assert ticket.then(call)
    await asyncio.sleep(0.02)
    assert seen == []
    disk.set()
    await asyncio.wait_for(called.wait(), 60)
    ticket.redeem()
    await journal.append(leaf(1))
    assert seen == [(True, threading.current_thread())]


@story
async def test_nothing_is_called_where_the_entry_is_durable_already(journal: Journal) -> None:
    ticket = journal.append(leaf(0))
    await ticket
    calls: list[int] = []
    assert not ticket.then(lambda: calls.append(1))
    ticket.redeem()
    await journal.append(leaf(1))
    assert calls == []


@story
async def test_a_lost_entry_is_told_to_whom_asks_before_and_after(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "data_sync", refuse)
    ticket, called = journal.append(leaf(0)), asyncio.Event()
    assert ticket.then(called.set)
    await asyncio.wait_for(called.wait(), 60)
    assert not ticket.then(called.clear)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="No space left"):
            ticket.redeem()
    with pytest.raises(LedgerUnavailable, match="No space left"):
        await ticket
    assert not ticket.durable


@story
async def test_one_that_raises_keeps_no_other_from_its_call(journal: Journal, disk: threading.Event) -> None:
    told: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context.get("exception")))
    first, second = journal.append(leaf(0)), journal.append(leaf(1))
    calls: list[str] = []
    error = ValueError("of its own")

    def fail() -> None:
        calls.append("fail")
        raise error

    for ticket, name in ((first, "a"), (first, "b"), (second, "c")):
        assert ticket.then(fail)
        assert ticket.then(lambda name=name: calls.append(name))  # type: ignore[misc]
    disk.set()
    await first
    await second
    assert sorted(calls) == ["a", "b", "c", "fail", "fail", "fail"]
    assert told == [error] * 3


def test_a_loop_that_is_gone_keeps_nobody_from_being_told(journal: Journal, disk: threading.Event) -> None:
    calls: list[int] = []

    async def leave() -> None:
        assert journal.append(leaf(0)).then(lambda: calls.append(1))
        await asyncio.sleep(0.02)

    asyncio.run(leave())
    after = journal.append(leaf(1))
    disk.set()
    after.wait(60)
    assert calls == []
    assert journal.down is None


@story
async def test_one_who_is_cancelled_leaves_the_others_their_call(journal: Journal, disk: threading.Event) -> None:
    ticket = journal.append(leaf(0))

    async def stay() -> None:
        await ticket

    gone, stays = asyncio.create_task(stay()), asyncio.create_task(stay())
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(0)
    disk.set()
    await asyncio.wait_for(stays, 60)
    assert gone.cancelled()


@story
async def test_the_writer_is_rung_once_a_turn_of_the_loop(journal: Journal) -> None:
    made = Watched(journal).commits
    tickets = [journal.append(leaf(number)) for number in range(50)]
    left = set(range(50))
    for number, ticket in enumerate(tickets):
        assert ticket.then(lambda number=number: left.remove(number))  # type: ignore[misc]
        assert ticket.then(lambda: None)
    await asyncio.gather(*map(_redeem, tickets))
    assert left == set()
    assert made == [50]


async def _redeem(ticket: object) -> None:
    await ticket  # type: ignore[misc]


def test_enlisting_while_it_is_settled_is_called_or_told_but_never_neither(journal: Journal) -> None:
    """Two threads at once, many times: `then` that was true is called, one that was false is settled."""

    async def race() -> None:
        for number in range(300):
            ticket, called = journal.append(leaf(number)), asyncio.Event()
            journal._ring()
            for _ in range(number % 40):
                await asyncio.sleep(0)
            if ticket.then(called.set):
                await asyncio.wait_for(called.wait(), 60)
            else:
                assert ticket.durable

    asyncio.run(race())
    until(lambda: journal.waiting == 0)


@story
async def test_only_the_first_of_those_who_wait_hurries_the_writer() -> None:
    hurried: list[object] = []
    ticket = Ticket(threading.Lock(), hurried.append)
    called: list[int] = []
    for number in range(3):
        assert ticket.then(lambda number=number: called.append(number))  # type: ignore[misc]
    assert hurried == [asyncio.get_running_loop()]
    assert ticket.waiters == 3
    ticket.settle(None)
    await ticket
    await asyncio.sleep(0)
    assert called == [0, 1, 2]
    assert len(hurried) == 1
