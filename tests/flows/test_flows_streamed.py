"""What a stream gathers before it is scanned and committed to: nothing is lost, and nothing taken twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import Office, chunks

from selat.core.entry import SALT_BYTES, Commitment
from selat.core.errors import EngineGarbage, EngineUnreachable, GuardFailed
from selat.core.finding import Scan
from selat.engines import Answer, Call
from selat.flows.chat import Streamed, chat
from selat.flows.chat.streamed import GATHERED_BYTES
from selat.guard import Guard
from selat.testing import EchoEngine

MYKAD = "900101-14-5678"
SALT = bytes(SALT_BYTES)


@pytest.fixture
def office(tmp_path: Path, guard: Guard) -> Iterator[Callable[..., Office]]:
    made: list[Office] = []

    def make(pieces: Sequence[bytes]) -> Office:
        made.append(Office(tmp_path, guard, Says(pieces)))
        made[-1].desk = replace(made[-1].desk, entropy=bytes)
        return made[-1]

    yield make
    for one in made:
        one.journal.close()


class Says(EchoEngine):
    """An engine that streams given bytes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__()
        self.pieces = pieces

    async def send(self, call: Call) -> Answer:
        return Pieces(self.pieces)


class Pieces:
    status, content_type = 200, "text/event-stream"

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def close(self) -> None: ...


def event(text: str, field: str = "content", index: int = 0) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": index, "delta": {field: text}}]}).encode() + b"\n\n"


def finish(index: int, **delta: str) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": "stop"}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
# So that the number lies across the moment in which what was gathered is taken up, wherever that is.
LONG = [event(letter) for letter in (f" {MYKAD} dan lain-lain" * 300)]


def found(leaf: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = leaf["scan"]["findings"]
    return counts


def test_a_long_stream_is_scanned_and_committed_to_whole(office: Callable[..., Office]) -> None:
    pieces = [*LONG, event("ic ", "reasoning"), event(MYKAD, "reasoning"), DONE]
    assert sum(map(len, pieces)) > 10 * GATHERED_BYTES
    desk = office(pieces)
    _, body = asyncio.run(desk.answer(desk.ask("hai", stream=True)))
    assert body == b"".join(pieces)
    closed = desk.leaves()[1]
    assert closed["outcome"] == "complete"
    assert found(closed) == {"MYKAD": 301}
    assert closed["usage"]["completion"] == (len(f" {MYKAD} dan lain-lain" * 300 + "ic " + MYKAD) + 3) // 4
    assert closed["answer"] == Commitment.to(body, SALT).to_json()


@pytest.mark.parametrize("taken", [1, 40, len(LONG) // 2])
def test_a_hang_up_books_the_scan_of_what_was_passed_on(office: Callable[..., Office], taken: int) -> None:
    desk = office([event(f"ic {MYKAD}"), *LONG, DONE])

    async def leave() -> bytes:
        reply = await chat(desk.desk, desk.ask("hai", stream=True))
        assert isinstance(reply, Streamed)
        got = []
        async for piece in chunks(reply):
            got.append(piece)
            if len(got) == taken:
                break
        reply.close()
        return b"".join(got)

    body = asyncio.run(leave())
    closed = desk.leaves()[1]
    assert closed["outcome"] == "cancelled"
    assert found(closed)["MYKAD"] >= 1
    assert closed["answer"] == Commitment.to(body, SALT).to_json()


def test_garbage_is_not_passed_on_and_what_came_before_is_booked(office: Callable[..., Office]) -> None:
    desk = office([event(f"ic {MYKAD}"), b"data: <html>\n\n", event("lagi")])
    got: list[bytes] = []

    async def take() -> None:
        reply = await chat(desk.desk, desk.ask("hai", stream=True))
        assert isinstance(reply, Streamed)
        await reply.pour(got.append)

    with pytest.raises(EngineGarbage):
        asyncio.run(take())
    assert got == [event(f"ic {MYKAD}")]
    closed = desk.leaves()[1]
    assert closed["outcome"] == "engine_error"
    assert found(closed) == {"MYKAD": 1}
    assert closed["answer"] == Commitment.to(got[0], SALT).to_json()


@pytest.mark.parametrize("said", [[], [event("Baik")], [event("Baik"), event("a", index=1), finish(1)]])
def test_an_answer_whose_end_was_never_said_is_one_that_broke_off(
    office: Callable[..., Office], said: list[bytes]
) -> None:
    """As where an engine frames its answer by the connection's close alone, and dies."""
    desk = office(said)
    got: list[bytes] = []

    async def take() -> None:
        reply = await chat(desk.desk, desk.ask("hai", stream=True))
        assert isinstance(reply, Streamed)
        await reply.pour(got.append)

    with pytest.raises(EngineUnreachable, match="broke off its answer midway"):
        asyncio.run(take())
    assert got == said
    assert desk.leaves()[1]["outcome"] == "engine_error"


@pytest.mark.parametrize(
    "last", [[DONE], [finish(0)], [finish(0, content="!")], [event("a", index=1), finish(0), finish(1)]]
)
def test_an_answer_is_whole_that_says_so_by_its_last_event_or_how_each_choice_finished(
    office: Callable[..., Office], last: list[bytes]
) -> None:
    desk = office([event("Baik"), event(" saja"), *last])
    asyncio.run(desk.answer(desk.ask("hai", stream=True)))
    assert desk.leaves()[1]["outcome"] == "complete"


@pytest.mark.parametrize(
    ("pieces", "outcome"), [([event("kata " * 5000)] * 8, "failed"), ([event("k"), DONE], "complete")]
)
def test_a_guard_that_fails_is_booked_with_what_the_caller_got(
    office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], outcome: str
) -> None:
    """A long answer's scan fails on the way, a short one's when all of it has gone."""

    def fails(*_: object, **__: object) -> Scan:
        raise GuardFailed("no scan")

    desk = office(pieces)
    got: list[bytes] = []

    async def take() -> None:
        reply = await chat(desk.desk, desk.ask("hai", stream=True))
        assert isinstance(reply, Streamed)
        monkeypatch.setattr(Guard, "segment", fails)
        monkeypatch.setattr(Guard, "scan", fails)
        await reply.pour(got.append)

    with pytest.raises(GuardFailed) if outcome == "failed" else contextlib.nullcontext():
        asyncio.run(take())
    assert (len(got) < len(pieces)) is (outcome == "failed")
    closed = desk.leaves()[1]
    assert closed["outcome"] == outcome
    assert closed["scan"]["ok"] is False
    assert closed["answer"] == Commitment.to(b"".join(got), SALT).to_json()


def test_each_gap_between_pieces_is_told_once(
    office: Callable[..., Office],
) -> None:
    desk = office([*LONG, DONE])
    gaps: list[float] = []
    desk.desk = replace(desk.desk, gaps=gaps.extend)
    ask = desk.ask("hai", stream=True)

    async def take() -> list[float]:
        moments: list[float] = []
        reply = await chat(desk.desk, ask)
        assert isinstance(reply, Streamed)
        loop = asyncio.get_running_loop()
        await reply.pour(lambda piece: moments.append(loop.time()))
        return moments

    moments = asyncio.run(take())
    assert len(gaps) == len(LONG)
    assert min(gaps) >= 0
    assert ask.timing.first <= moments[0]
    assert ask.timing.first + sum(gaps) == pytest.approx(moments[-1], abs=0.01)
