"""The connection's parsing, by itself: however bytes are cut, and whatever they are."""

from __future__ import annotations

import asyncio
import gc
import http.client
import io
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.burst import Burst
from selat.core.errors import EngineError, EngineGarbage
from selat.engines.answer import HttpAnswer
from selat.engines.heads import UsualHead
from selat.engines.http1 import Connection
from selat.engines.limits import HIGH_WATER_BYTES, MAX_HEAD_BYTES, Timeouts
from selat.engines.pool import _settle

JSON = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"a": true}'
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    b"b;x=1\r\ndata: satu\n\r\n7\r\ndata: d\r\n3\r\nua\n\r\n0\r\nX-Trail: 1\r\n\r\n"
)
TO_CLOSE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nbody to the end"
WHOLE = [(JSON, b'{"a": true}'), (CHUNKED, b"data: satu\ndata: dua\n"), (TO_CLOSE, b"body to the end")]


class Wire(asyncio.Transport):
    """A transport that goes nowhere and remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = self.paused = False
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Keeper:
    engine = "laut"
    timeouts = Timeouts()

    def __init__(self) -> None:
        self.free = self.gone = 0
        self.usual, self.burst = UsualHead(), Burst()

    def freed(self, connection: Connection) -> None:
        self.free += 1

    def lost(self, connection: Connection) -> None:
        self.gone += 1


class Feed:
    """A Connection with bytes fed by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: bool = False) -> None:
        self.keeper, self.wire, self.loop = Keeper(), Wire(), loop
        self.connection = Connection(self.keeper, loop)
        self.connection.connection_made(self.wire)
        self.reply: asyncio.Future[Any] = loop.create_future()
        self.connection.begin(b"POST / HTTP/1.1\r\n\r\n", stream, partial(_settle, self.reply))

    def give(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.wire.closed:
                self.connection.data_received(piece)

    def end(self) -> None:
        self.connection.connection_lost(None)

    async def body(self) -> bytes:
        answer: HttpAnswer = await self.reply
        return b"".join([piece async for piece in answer.chunks()])


def fed(pieces: list[bytes], stream: bool = False) -> tuple[bytes, Keeper]:
    async def story() -> tuple[bytes, Keeper]:
        feed = Feed(asyncio.get_running_loop(), stream)
        feed.give(*pieces)
        feed.end()
        return await feed.body(), feed.keeper

    return asyncio.run(story())


@pytest.mark.parametrize(("wire", "body"), WHOLE)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_cut_anywhere_is_the_same_answer(wire: bytes, body: bytes, stream: bool) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        for first in range(len(wire) + 1):
            for second in {first, min(first + 1, len(wire)), (first + len(wire)) // 2}:
                feed = Feed(loop, stream)
                feed.give(*filter(None, (wire[:first], wire[first:second], wire[second:])))
                feed.end()
                assert await feed.body() == body
                assert feed.keeper.free == (wire is not TO_CLOSE)

    asyncio.run(story())


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(WHOLE), st.lists(st.integers(1, 40), min_size=1), st.booleans())
def test_an_answer_cut_many_times_is_the_same_answer(
    case: tuple[bytes, bytes], sizes: list[int], stream: bool
) -> None:
    wire, body = case
    pieces, start = [], 0
    for size in sizes * (len(wire) // sum(sizes) + 1):
        pieces.append(wire[start : start + size])
        start += size
    assert fed([piece for piece in pieces if piece], stream)[0] == body


TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
VALUE = st.text('abcXYZ019 ;,="/', max_size=20).map(str.strip)
FIELDS = st.lists(st.tuples(TOKEN.map(lambda name: f"x-{name}"), VALUE), max_size=5)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), FIELDS, FIELDS, st.booleans(), st.integers(1, 50))
def test_any_lawful_answer_is_read_as_the_standard_library_reads_it(
    pieces: list[bytes], fields: list[tuple[str, str]], trailers: list[tuple[str, str]], chunked: bool, cut: int
) -> None:
    def lines(given: list[tuple[str, str]]) -> bytes:
        return "".join(f"{name}: {value}\r\n" for name, value in given).encode()

    wire = b"HTTP/1.1 200 OK\r\n" + lines(fields)
    if chunked:
        wire += b"Transfer-Encoding: chunked\r\n\r\n"
        wire += b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        wire += b"0\r\n" + lines(trailers) + b"\r\n"
    else:
        wire += b"Content-Length: %d\r\n\r\n" % len(b"".join(pieces)) + b"".join(pieces)
    body, keeper = fed([wire[start : start + cut] for start in range(0, len(wire), cut)])

    class Sock:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(wire)

    other = http.client.HTTPResponse(Sock())  # type: ignore[arg-type]
    other.begin()
    assert body == other.read() == b"".join(pieces)
    assert keeper.free == 1


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([JSON, CHUNKED, TO_CLOSE]), st.data())
def test_a_damaged_answer_is_an_answer_or_our_error_and_nothing_else(wire: bytes, data: st.DataObject) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        change = data.draw(st.sampled_from(["set", "cut", "add"]))
        if change == "set":
            damaged[place] = data.draw(st.integers(0, 255))
        elif change == "cut" and len(damaged) > 1:
            del damaged[place]
        else:
            damaged[place:place] = data.draw(st.binary(max_size=6))
    cut = data.draw(st.integers(0, len(damaged)))
    try:
        fed([bytes(piece) for piece in (damaged[:cut], damaged[cut:]) if piece])
    except EngineError:
        return


SMUGGLED = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nab",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nab",
]


@pytest.mark.parametrize("wire", SMUGGLED)
def test_ambiguous_framing_is_garbage(wire: bytes) -> None:
    with pytest.raises(EngineGarbage):
        fed([wire])


@pytest.mark.parametrize(
    "extra", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"\0", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_a_connection_with_bytes_left_over_is_not_used_again(extra: bytes) -> None:
    body, keeper = fed([JSON + extra])
    assert (body, keeper.free) == (b'{"a": true}', 0)


def test_bytes_on_an_idle_connection_close_it() -> None:
    async def story() -> None:
        feed = Feed(asyncio.get_running_loop())
        feed.give(JSON)
        assert (feed.keeper.free, feed.wire.closed) == (1, False)
        feed.give(JSON)
        assert feed.wire.closed

    asyncio.run(story())


ENDLESS = [
    (b"HTTP/1.1 200 OK\r\nX: ", b"f" * 4096),
    (b"HTTP/1.1 200 OK\r\n", b"X: f\r\n" * 700),
    (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: ", b"f" * 4096),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;", b"f" * 4096),
]


@pytest.mark.parametrize(("start", "more"), ENDLESS)
def test_what_never_comes_to_a_body_is_cut_off(start: bytes, more: bytes) -> None:
    async def story() -> int:
        feed = Feed(asyncio.get_running_loop())
        feed.give(start) if start else None
        given = 0
        while not feed.wire.closed:
            feed.give(more)
            given += len(more)
            assert given < 4 * MAX_HEAD_BYTES
        with pytest.raises(EngineGarbage, match="over 65536 bytes"):
            await feed.body()
        return given

    assert asyncio.run(story()) <= MAX_HEAD_BYTES + 2 * len(more)


def test_reading_pauses_while_the_reader_is_slow_and_goes_on_when_it_takes() -> None:
    async def story() -> None:
        feed = Feed(asyncio.get_running_loop(), stream=True)
        feed.give(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000000\r\n\r\n")
        given = 0
        while not feed.wire.paused:
            feed.give(b"x" * 50_000)
            given += 50_000
        assert HIGH_WATER_BYTES <= given <= HIGH_WATER_BYTES + 50_000
        answer = await feed.reply
        assert len(await anext(answer.chunks())) == given
        assert not feed.wire.paused
        while given < 1_000_000:
            feed.give(b"x" * 50_000)
            given += 50_000
        assert not feed.wire.paused or feed.keeper.free == 0
        assert sum([len(piece) async for piece in answer.chunks()]) > 0
        assert feed.keeper.free == 1
        assert not feed.wire.paused

    asyncio.run(story())


def test_a_large_reply_not_streamed_is_handed_over_early_and_bounded() -> None:
    async def story() -> None:
        feed = Feed(asyncio.get_running_loop())
        feed.give(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n", b"x" * HIGH_WATER_BYTES)
        assert feed.reply.done()
        assert feed.wire.paused

    asyncio.run(story())


def test_time_does_not_count_against_the_engine_while_the_reader_is_slow() -> None:
    async def story() -> None:
        feed = Feed(asyncio.get_running_loop(), stream=True)
        feed.give(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\nx")
        now = asyncio.get_running_loop().time()
        for _ in range(10):
            feed.connection.tick(now, 50.0)
        assert not feed.wire.closed
        answer = await feed.reply
        await anext(answer.chunks())
        feed.connection.tick(now, 50.0)
        assert not feed.wire.closed
        feed.connection.tick(now, 50.0)
        assert feed.wire.closed

    asyncio.run(story())


def test_a_finished_connection_keeps_nothing_of_the_answer_alive() -> None:
    async def story() -> None:
        feed = Feed(asyncio.get_running_loop())
        feed.give(JSON)
        assert await feed.body() == b'{"a": true}'
        del feed.reply
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, HttpAnswer)]

    asyncio.run(story())
