"""A head known from before: what goes by without the parser means the same as with it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selat.engines.heads as heads
from selat.burst import Burst
from selat.engines.answer import HttpAnswer
from selat.engines.heads import UsualHead
from selat.engines.http1 import Connection
from selat.engines.limits import Timeouts


def answer(body: bytes, fields: bytes = b"Content-Type: application/json\r\n", after: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n%b\r\n%b" % (fields, len(body), after, body)


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def never() -> UsualHead:
    """One that has given up for ever."""
    usual = UsualHead()
    usual._learnt, usual._counted_until = 1000, math.inf
    return usual


class Line:
    """A connection whose exchanges are played one after the other, and how many reads its parser saw."""

    engine = "laut"
    timeouts = Timeouts()

    def __init__(self, loop: asyncio.AbstractEventLoop, usual: UsualHead) -> None:
        self.usual, self.burst, self.wire = usual, Burst(loop), Wire()
        self.free = self.parsed = 0
        self.connection = Connection(self, loop)
        self.connection.connection_made(self.wire)
        feed = self.connection._feed

        def counted(data: bytes) -> None:
            self.parsed += 1
            feed(data)

        self.connection._feed = counted

    def freed(self, connection: Connection) -> None:
        self.free += 1

    def lost(self, connection: Connection) -> None: ...

    def play(self, pieces: list[bytes], stream: bool = False, ends: bool = False) -> tuple[Any, ...]:
        """All that can be seen of one exchange."""
        told: list[Any] = []
        begun = self.connection.begin(b"POST / HTTP/1.1\r\n\r\n", stream, told.append)
        got: list[bytes] = []
        over: list[Exception | None] = []
        for piece in pieces:
            if not self.wire.closed:
                self.connection.data_received(piece)
            if told and isinstance(told[0], HttpAnswer) and not over and begun._over is None:
                begun.flow(got.append, over.append)
        if ends and not self.wire.closed:
            self.connection.connection_lost(None)
            self.wire.closed = True
        outcome = told[0] if told else "nothing"
        seen: tuple[Any, ...] = (type(outcome), str(outcome))
        if isinstance(outcome, HttpAnswer):
            if begun._over is None and not over:
                begun.flow(got.append, over.append)
            seen = (outcome.status, outcome.content_type, [str(one) for one in over])
        return (len(told), *seen, b"".join(got), self.free, self.wire.closed)


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    LOOPS.append(loop)
    yield loop
    LOOPS.remove(loop)
    loop.close()


LOOPS: list[asyncio.AbstractEventLoop] = []


def line(usual: UsualHead | None = None) -> Line:
    return Line(LOOPS[-1], usual or UsualHead())


def test_a_head_that_comes_again_goes_by_without_the_parser() -> None:
    one = line()
    assert one.play([answer(b'{"a": 1}')])[1:6] == (200, "application/json", ["None"], b'{"a": 1}', 1)
    assert one.parsed == 1
    for number in range(3):
        body = b"x" * 10**number
        assert one.play([answer(body)])[1:6] == (200, "application/json", ["None"], body, number + 2)
    assert one.parsed == 1
    # Another kind of answer comes next, in many pieces: the parser stands where it stood.
    other = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    seen = one.play([other[place : place + 1] for place in range(len(other))])
    assert (seen[1], seen[4], seen[5]) == (404, b"{}", 5)
    assert one.play([answer(b"yz")])[4] == b"yz"
    assert one.parsed == 1 + len(other)


def test_what_one_connection_learnt_another_knows() -> None:
    usual = UsualHead()
    first, second = line(usual), line(usual)
    first.play([answer(b"ab")])
    assert second.play([answer(b"cde")])[4] == b"cde"
    assert second.parsed == 0


def test_the_length_may_stand_anywhere_and_a_head_may_hold_a_percent_sign() -> None:
    fields, after = b"X-Load: 5%d %s %\r\n", b"X-Rest: 100%\r\nConnection: keep-alive\r\n"
    one = line()
    for body in (b"ab", b"c" * 2000):
        assert one.play([answer(body, fields, after)])[4] == body
    assert one.parsed == 1


@pytest.mark.parametrize(
    "data",
    [
        answer(b""),
        answer(b"ab").replace(b": 2", b": 02"),
        answer(b"ab", b"Connection: close\r\n"),
        answer(b"ab").replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer(b"ab").replace(b"200 OK", b"201 Created"),
        answer(b"ab", b"X: " + b"x" * 5000 + b"\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ab"),
        answer(b"ab") + b"x",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_plain_is_not_learnt(data: bytes) -> None:
    one = line()
    one.play([data], ends=True)
    assert one.usual.form is None


def test_an_answer_in_two_reads_is_not_learnt_nor_taken_for_a_known_one() -> None:
    one, data = line(), answer(b'{"a": 1}')
    one.play([data[:-1], data[-1:]])
    assert one.usual.form is None
    one.play([data])
    seen = one.play([data[:-1], data[-1:]])
    assert (seen[4], one.parsed) == (b'{"a": 1}', 5)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nX: y\r\nX-", answer(b"cd")],  # the second looks like a whole answer, but is none
        [answer(b"")[:-4], b"\r\n\r\n"],  # nothing of a body, but its head is not over
        [answer(b""), answer(b"cd")],
        [answer(b"cd")[:-2], b"cd"],
        [answer(b"cd")[:-1], answer(b"cd")],
    ],
)
def test_what_only_looks_like_a_known_answer_is_left_to_the_parser(pieces: list[bytes]) -> None:
    known, plain = line(), line(never())
    for one in (known, plain):
        one.play([answer(b"ab")])
    assert known.play(pieces) == plain.play(pieces)
    assert known.parsed == plain.parsed


@pytest.mark.parametrize("more", [b"x", answer(b"ab"), b"\r\n"])
def test_bytes_after_a_known_answer_are_no_part_of_it_and_end_the_connection(more: bytes) -> None:
    known, plain = line(), line(never())
    for one in (known, plain):
        one.play([answer(b"ab")])
    assert known.play([answer(b"cd") + more]) == plain.play([answer(b"cd") + more])
    assert known.parsed == 2


def test_a_head_that_is_another_each_time_is_given_up_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(heads.time, "monotonic", lambda: now[0])
    one = line()

    def learnt(number: int) -> bool:
        one.play([answer(b"ab", b"X-Id: %d\r\n" % number)])
        return one.usual.form is not None

    # A date is another each second, and may be seen twice as it changes.
    for number in range(100):
        now[0] += 0.5
        assert learnt(number)
    now[0] += 1.0
    assert [learnt(number) for number in range(9)] == [True] * 7 + [False] * 2
    now[0] += 59.0
    assert not learnt(1)
    now[0] += 1.5
    assert learnt(1)


NAMES = st.sampled_from([b"Content-Type: text/plain\r\n", b"Connection: keep-alive\r\n", b"X: %d%\r\n", b""])
PLAIN = st.builds(answer, st.binary(max_size=30), NAMES, NAMES)
CHUNKED = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]
)


@st.composite
def exchanges(draw: st.DrawFn) -> list[tuple[list[bytes], bool, bool]]:
    """Answers, most of them lawful and alike, some damaged, cut or with more behind; each cut into reads."""
    usual = draw(PLAIN)
    found = []
    for _ in range(draw(st.integers(1, 5))):
        data = bytearray(draw(st.one_of(st.just(usual), PLAIN, CHUNKED)))
        change = draw(st.sampled_from(["", "", "", "set", "cut", "add", "more", "digit"]))
        place = draw(st.integers(0, len(data) - 1))
        if change == "set":
            data[place] = draw(st.integers(0, 255))
        elif change == "cut":
            del data[place:]
        elif change == "add":
            data[place:place] = draw(st.binary(min_size=1, max_size=4))
        elif change == "more":
            data += draw(st.one_of(PLAIN, st.binary(min_size=1, max_size=4)))
        elif change == "digit":
            at = data.find(b"Content-Length: ")
            if at >= 0:
                data[at + 16 : at + 17] = draw(st.sampled_from([b"0", b"1", b"9", b"+1", b"01", b" 2", b"2 "]))
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=2)))
        edges = [0, *cuts, len(data)]
        pieces = [bytes(data[a:b]) for a, b in pairwise(edges) if a < b]
        found.append((pieces, draw(st.booleans()), draw(st.booleans())))
    return found


@settings(deadline=None, max_examples=600)
@given(exchanges())
def test_any_answers_give_the_same_with_and_without_a_known_head(
    played: list[tuple[list[bytes], bool, bool]],
) -> None:
    usual, none = UsualHead(), never()
    known, plain = line(usual), line(none)
    for pieces, stream, ends in played:
        if known.wire.closed:  # the next connection to the same engine
            known, plain = line(usual), line(none)
        assert known.play(pieces, stream, ends) == plain.play(pieces, stream, ends)
        if not known.wire.closed and known.connection._answer is not None:
            known.connection.abandon()
            plain.connection.abandon()
