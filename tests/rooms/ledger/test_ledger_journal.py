"""The writer syncs at once for one who asks alone, once for many, and lets nobody wait long for company."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest
from ledger_house import leaf
from ledger_story import Watched, story
from waiting import CEILING_S, until

from selat.ledger import Journal, Ticket
from selat.ledger import journal as module

NEVER_S = 100 * CEILING_S


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sync that waits for the one before to be SPACING_S ago, or for LINGER_S, begins while a test lasts."""
    monkeypatch.setattr(module, "SPACING_S", NEVER_S)
    monkeypatch.setattr(module, "LINGER_S", NEVER_S)


async def durable(*tickets: Ticket) -> None:
    async def one(ticket: Ticket) -> None:
        await ticket

    await asyncio.wait_for(asyncio.gather(*map(one, tickets)), CEILING_S)


@story
async def test_one_who_asks_alone_waits_for_no_company(journal: Journal, apart: None) -> None:
    made = Watched(journal).commits
    for number in range(5):
        await durable(journal.append(leaf(number)))
        journal.append(leaf(number, "closed"))
    assert made == [1, 2, 2, 2, 2], "each closing goes with the opening after it"


@story
async def test_after_a_shared_sync_all_that_come_in_time_share_the_next(journal: Journal, apart: None) -> None:
    made = Watched(journal).commits
    await durable(journal.append(leaf(0)), journal.append(leaf(1)))
    later, called = [], list[int]()
    for number in range(2, 22):
        later.append(journal.append(leaf(number)))
        assert later[-1].then(lambda number=number: called.append(number))  # type: ignore[misc]
        await asyncio.sleep(0.001)
    assert (made, called, journal.waiting) == ([2], [], 20)
    await asyncio.wait_for(asyncio.to_thread(journal.close), CEILING_S)
    assert made == [2, 20], "the end waits for nothing"
    await durable(*later)
    assert called == list(range(2, 22))


@story
async def test_nobody_waits_longer_than_the_spacing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    spacing_s = 0.05
    monkeypatch.setattr(module, "SPACING_S", spacing_s)
    made, began, paused = Watched(journal).commits, list[float](), list[float]()
    real = journal._bell.wait

    def wait(timeout: float | None = None) -> bool:
        if journal._began and not journal._resting:
            assert timeout is not None
            paused.append(timeout)
        return real(timeout)

    monkeypatch.setattr(journal._bell, "wait", wait)
    for number in range(0, 10, 2):
        await durable(journal.append(leaf(number)), journal.append(leaf(number + 1)))
        began.append(journal._began)
    assert made == [2] * 5
    assert all(after - before >= spacing_s for before, after in pairwise(began))
    assert max(paused, default=0.0) <= spacing_s


@story
async def test_an_entry_that_nobody_waits_for_is_written_soon(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPACING_S", NEVER_S)
    made = Watched(journal).commits
    first = [journal.append(leaf(number, "closed")) for number in range(3)]
    await asyncio.to_thread(until, lambda: first[0].durable)
    assert made == [3]
    await asyncio.to_thread(until, lambda: journal._resting)
    assert not journal._watched
    again = journal.append(leaf(3, "closed"))
    await asyncio.to_thread(until, lambda: again.durable)
    assert made == [3, 1]


@story
async def test_what_is_appended_during_a_sync_is_written_soon_though_nobody_waits(journal: Journal) -> None:
    at, go = threading.Event(), threading.Event()
    Watched(journal).before = lambda: (at.set(), go.wait(CEILING_S))
    first = journal.append(leaf(0))
    waits = asyncio.ensure_future(durable(first))
    await asyncio.to_thread(at.wait, CEILING_S)
    later = journal.append(leaf(1))
    assert later is not first
    assert journal.waiting == 1
    go.set()
    await waits
    await asyncio.to_thread(until, lambda: later.durable)


@story
async def test_a_timer_that_finds_nothing_wakes_nobody(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    rings: list[int] = []
    monkeypatch.setattr(journal._bell, "notify", lambda: rings.append(1))
    await asyncio.to_thread(until, lambda: journal._resting)
    journal._ring()
    assert (rings, journal._watched) == ([], False)
    monkeypatch.undo()
    await durable(journal.append(leaf(0)))


def test_batches_end_at_their_bound_and_all_are_written(
    journal: Journal, apart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 10)
    made = Watched(journal).commits

    async def burst() -> None:
        tickets = [journal.append(leaf(number)) for number in range(35)]
        assert journal.waiting == 35
        await durable(tickets[-1])
        assert all(ticket.durable for ticket in tickets)

    asyncio.run(burst())
    assert made == [10, 10, 10, 5]


def test_the_end_writes_all_that_was_appended(
    journal: Journal, apart: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 10)

    async def burst() -> list[Ticket]:
        return [journal.append(leaf(number)) for number in range(35)]

    tickets = asyncio.run(burst())
    journal.close()
    assert all(ticket.durable for ticket in tickets)
    assert journal.waiting == 0
