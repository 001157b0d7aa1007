"""What must hold of every byte sequence that the HTTP parsers meet, whoever sends it and however it is cut.

hypothesis checks these laws on every run (test_fuzz_http.py), atheris by coverage (fuzz_http.py).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

from selat.burst import Burst
from selat.core.errors import EngineError, EngineGarbage, EngineUnreachable, SelatError
from selat.engines.answer import HttpAnswer
from selat.engines.heads import UsualHead
from selat.engines.http1 import Connection as EngineConnection
from selat.engines.limits import Timeouts
from selat.gateway.connection import MAX_KEPT, Connection, Leave
from selat.gateway.http import JSON, Request
from selat.wire import Events

LIMIT_BYTES = 4096


class Wire:
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        self.out = b""
        self.closed = self.ended = False

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        if not self.closed:
            self.out += data

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        """It has been read already."""

    resume_reading = pause_reading

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


class Answers:
    """Answers every request and remembers it: in a task, or, of `begin`, each so many turns of the loop later.

    Where `turns` are 0 that is as soon as its body has come; of those that `begin` gets, every `nth` is left to a
    task all the same.
    """

    def __init__(self, turns: int | None = None, nth: int = 0) -> None:
        self.seen: list[tuple[str, str, str, dict[bytes, bytes], bytes]] = []
        self.by_kept = 0
        self._turns, self._nth, self._begun = turns, nth, 0

    def begin(self, request: Request) -> Leave | None:
        assert request.method
        self.by_kept += request.head_kept is not None
        self._begun += 1
        if self._turns is None or (self._nth and self._begun % self._nth == 0):
            return None
        if request.complete:
            self._later(request, self._turns)
        else:
            try:
                request.when_arrived(LIMIT_BYTES, 5, partial(self._later, request, self._turns))
            except SelatError as error:
                self._refuse(request, error)
        return request.forget

    def _later(self, request: Request, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._later, request, turns - 1)
            return
        try:
            self._answer(request, request.arrived_body(LIMIT_BYTES))
        except SelatError as error:
            self._refuse(request, error)
        else:
            request.finish()

    def _refuse(self, request: Request, error: SelatError) -> None:
        request.answer(error.status, b"", JSON, b"")
        request.finish()

    async def __call__(self, request: Request) -> None:
        try:
            body = await request.body(LIMIT_BYTES, 5)
        except SelatError as error:
            await request.respond(error.status, b"")
            return
        self._answer(request, body)

    def _answer(self, request: Request, body: bytes) -> None:
        self.seen.append((request.method, request.path, request.query, dict(request.headers), body))
        request.answer(200, b"{}", JSON, b"")


async def served(parts: Sequence[bytes], answers: Answers, keeps: bool = True) -> tuple[list[Any], bytes]:
    """What a caller's connection made of its bytes: the requests, and the first line of what was answered last.

    Unless it `keeps` heads, the parser sees every byte.
    """
    wire = Wire()
    connection = Connection(answers, set(), Burst())
    if not keeps:
        connection._kept_before = MAX_KEPT
    connection.connection_made(wire)
    for part in parts:
        if wire.closed:
            break
        connection.data_received(part)
        for _ in range(4):
            await asyncio.sleep(0)
    for _ in range(40):
        await asyncio.sleep(0)
    last = [line for line in wire.out.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")][-1:]
    connection.connection_lost(None)
    for _ in range(4):
        await asyncio.sleep(0)
    assert len(answers.seen) <= wire.out.count(b"HTTP/1.1 200")
    return answers.seen, b"".join(last)[:12]


class Keeper:
    """Stands for the pool."""

    engine = "fuzz"
    timeouts = Timeouts()

    def __init__(self) -> None:
        self.usual, self.burst = UsualHead(), Burst()

    def freed(self, connection: Any) -> None:
        """One exchange is enough."""

    lost = freed


async def answered(parts: Sequence[bytes], stream: bool) -> tuple[int, bytes, str]:
    """What an engine's bytes gave: status, body, and the kind of error that ended it, if one did."""
    wire = Wire()
    connection = EngineConnection(Keeper(), asyncio.get_running_loop())
    connection.connection_made(wire)  # type: ignore[arg-type]
    connection.adopted = True
    reply: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()

    def told(outcome: HttpAnswer | EngineError | None) -> None:
        if isinstance(outcome, HttpAnswer):
            reply.set_result(outcome)
        else:
            reply.set_exception(outcome or EngineUnreachable("closed"))

    connection.begin(b"POST / HTTP/1.1\r\n\r\n{}", stream, told)
    for part in parts:
        if wire.closed:
            break
        connection.data_received(part)
    connection.connection_lost(None)
    body, status = b"", 0
    try:
        answer = await asyncio.wait_for(reply, 1)
        status = answer.status
        async for piece in answer.chunks():
            body += piece
    except EngineError as error:
        return status, body, type(error).__name__
    return status, body, ""


def watched(parts: Sequence[bytes]) -> tuple[bytes, bool, list[tuple[str, str]]]:
    """What a stream's bytes gave: those to forward, whether they were garbage, and each channel's text."""
    texts: dict[str, str] = {}

    def watch(channel: str, text: str) -> None:
        texts[channel] = texts.get(channel, "") + text

    events = Events("fuzz", watch)
    out = b""
    try:
        for part in parts:
            out += events.feed(part)
        out += events.close()
    except EngineGarbage:
        return b"", True, []
    return out, False, sorted(texts.items())


def check_requests(data: bytes, cuts: Sequence[int]) -> None:
    """A caller's bytes mean the same in one piece and in many, and nothing is answered after a refusal.

    Nor does it matter whether a task answers, a plain call, or now one and now the other.
    """
    parts = pieces(data, cuts)
    whole = asyncio.run(served([data], Answers()))
    for answers in (Answers(), Answers(0), Answers(1), Answers(0, 2), Answers(3, 3)):
        assert asyncio.run(served(parts, answers)) == whole


def check_repeated(parts: Sequence[bytes], cuts: Sequence[int]) -> int:
    """Heads that came before mean what the parser would make of them, also where a part comes in several reads.

    How many requests came by such a head.
    """
    by_kept = 0
    for reads in (parts, [piece for part in parts for piece in pieces(part, cuts)]):
        parsed = asyncio.run(served(reads, Answers(0), keeps=False))
        for answers in (Answers(0), Answers(2), Answers(), Answers(0, 2)):
            assert asyncio.run(served(reads, answers)) == parsed
            by_kept = max(by_kept, answers.by_kept)
    check_requests(b"".join(parts), cuts)
    return by_kept


def check_answers(data: bytes, cuts: Sequence[int], stream: bool) -> None:
    """An engine's bytes are an answer or one of our errors, the same however they are cut."""

    async def both() -> tuple[Any, Any]:
        return await answered([data], stream), await answered(pieces(data, cuts), stream)

    whole, cut = asyncio.run(both())
    if not whole[2] and not cut[2]:
        assert whole == cut
    else:
        assert bool(whole[2]) == bool(cut[2]), (whole, cut)


def check_events(data: bytes, cuts: Sequence[int]) -> None:
    """A stream's bytes are forwarded, or garbage, the same however they are cut."""
    assert watched([data]) == watched(pieces(data, cuts))
