"""A caller's connection without sockets: whoever answers, each request gets its turn, its end and its hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from selat.burst import Burst
from selat.core.errors import TooLarge
from selat.gateway.connection import MAX_KEPT, MAX_PIPELINED, Connection, Leave
from selat.gateway.http import HELD_BYTES, JSON, Request
from selat.gateway.logs import CURRENT
from selat.gateway.server import _drain


class Wire:
    """A transport that remembers; what it was told to close is lost a turn of the loop later, as on a socket."""

    protocol: Connection

    def __init__(self) -> None:
        self.out = b""
        self.closing = self.ended = self.paused = False

    def write(self, data: bytes) -> None:
        if not self.closing:
            self.out += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str) -> None:
        """It has none."""


class Desk:
    """Takes what the path says: /now is answered inside `begin`, /held by the test, /task in a task."""

    def __init__(self) -> None:
        self.held: list[Request] = []
        self.left: list[str] = []
        self.told: list[str] = []
        self.cancelled = 0
        self.go_on = asyncio.Event()

    def begin(self, request: Request) -> Leave | None:
        assert request.complete
        assert CURRENT.get() == request.id
        if request.path == "/task":
            return None
        if request.path == "/breaks":
            raise RuntimeError("a mistake of ours")
        if request.path == "/now":
            self.answer(request)
            request.finish()
        elif request.path == "/abort":
            request.abort()
            request.finish()
        else:
            self.held.append(request)
        return lambda: self.left.append(request.query)

    def answer(self, request: Request) -> None:
        self.told.append(request.query)
        request.answer(200, request.query.encode(), JSON, b"")

    async def __call__(self, request: Request) -> None:
        try:
            await self.go_on.wait()
            await request.body(1000, 5)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.answer(request)


def asked(path: str, number: int = 0, extra: str = "") -> bytes:
    return f"POST {path}?{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{extra}\r\n{{}}".encode()


class Scene:
    def __init__(self) -> None:
        self.desk, self.wire, self.connections = Desk(), Wire(), set[Connection]()
        self._burst = Burst()
        self.connection = self.wire.protocol = Connection(self.desk, self.connections, self._burst)
        self.connection.connection_made(self.wire)
        self.send = self.connection.data_received

    @property
    def out(self) -> bytes:
        """What was written, this turn included."""
        self._burst.send()
        return self.wire.out


def on_loop(story: Callable[[Scene], Awaitable[None]]) -> Callable[[], None]:
    async def run() -> None:
        await story(Scene())

    def test() -> None:
        asyncio.run(run())

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@on_loop
async def test_thousands_in_one_read_are_answered_at_once_in_order(scene: Scene) -> None:
    scene.send(b"".join(asked("/now", number) for number in range(5000)))
    assert scene.desk.told == [str(number) for number in range(5000)]
    assert scene.out.count(b"HTTP/1.1 200 OK") == 5000
    assert not scene.wire.paused
    assert scene.connection.waiting_since is not None


@on_loop
async def test_who_does_not_read_the_answers_is_not_answered_further(scene: Scene) -> None:
    scene.send(asked("/now", 1))
    scene.connection.pause_writing()
    for number in range(2, 4 + MAX_PIPELINED):
        scene.send(asked("/now", number))  # among them the head of the first, which is known
    assert scene.desk.told == ["1"]
    assert scene.wire.paused
    assert scene.connection.waiting_since is not None  # so that it is let go in the end
    scene.connection.resume_writing()
    assert scene.desk.told == [str(number) for number in range(1, 4 + MAX_PIPELINED)]
    assert not scene.wire.paused


@on_loop
async def test_a_long_pipeline_is_not_read_further_until_little_of_it_is_left(scene: Scene) -> None:
    scene.send(b"".join(asked("/held", number) for number in range(MAX_PIPELINED + 2)))
    assert scene.wire.paused
    for left in (True, False):
        scene.desk.answer(scene.desk.held[-1])
        scene.desk.held[-1].finish()
        assert scene.wire.paused is left


@on_loop
async def test_one_of_a_pipeline_is_at_work_however_long_it_takes(scene: Scene) -> None:
    scene.send(asked("/now", 1) + asked("/held", 2))
    assert scene.connection.waiting_since is None


@on_loop
async def test_tasks_and_plain_calls_keep_the_order_of_the_pipeline(scene: Scene) -> None:
    paths = ["/now", "/held", "/now", "/task", "/task", "/held", "/now", "/held", "/task", "/now"] * 3
    scene.desk.go_on.set()
    scene.send(b"".join(asked(path, number) for number, path in enumerate(paths)))
    while len(scene.desk.told) < len(paths):
        assert len(scene.desk.held) <= 1
        for request in scene.desk.held:
            scene.desk.answer(request)
            request.finish()
        scene.desk.held.clear()
        await turns(3)
    assert scene.desk.told == [str(number) for number in range(len(paths))]
    assert scene.out.count(b"HTTP/1.1 200 OK") == len(paths)
    assert not scene.wire.paused


@pytest.mark.parametrize(
    "head",
    [
        b"GET /now?1 HTTP/1.1\r\n\r\n",
        b"GET /now?1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /now?1 HTTP/1.1\r\nHost: x,y\r\n\r\n",
        b"GET /now?1 HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /now?1 HTTP/0.9\r\nHost: x\r\n\r\n",
    ],
)
def test_what_the_parser_lets_pass_and_is_not_http_1_1_is_refused(head: bytes) -> None:
    async def story() -> None:
        scene = Scene()
        scene.send(head + head)
        await turns()
        assert scene.out.startswith(b"HTTP/1.1 400 ")
        assert scene.out.count(b"HTTP/1.1 4") == 1
        assert scene.wire.closing or scene.wire.ended
        assert not scene.desk.told

    asyncio.run(story())


@pytest.mark.parametrize("target", [b"http://x:1/now?7", b"HTTPS://x/now?7", b"/now?7"])
def test_a_target_may_name_the_host(target: bytes) -> None:
    async def story() -> None:
        scene = Scene()
        scene.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        assert scene.desk.told == ["7"]

    asyncio.run(story())


@on_loop
async def test_one_that_has_not_come_whole_gets_a_task(scene: Scene) -> None:
    scene.desk.go_on.set()
    scene.send(asked("/held")[:-1])
    scene.send(b"}")
    await turns()
    assert scene.desk.told == ["0"]
    assert not scene.desk.held


@on_loop
async def test_one_that_came_whole_while_another_was_at_work_needs_no_task(scene: Scene) -> None:
    scene.send(asked("/held", 1) + asked("/now", 2)[:-1])
    scene.send(b"}")
    scene.desk.answer(scene.desk.held[0])
    scene.desk.held[0].finish()
    assert scene.desk.told == ["1", "2"]


@on_loop
async def test_a_hang_up_is_told_once_and_what_waits_is_dropped(scene: Scene) -> None:
    scene.send(asked("/held", 1) + asked("/held", 2))
    scene.connection.connection_lost(None)
    assert scene.desk.left == ["1"]
    scene.desk.held[0].finish()
    await turns()
    assert scene.desk.left == ["1"]
    assert len(scene.desk.held) == 1
    assert not scene.connections


@on_loop
async def test_a_hang_up_after_the_answer_is_told_to_nobody(scene: Scene) -> None:
    scene.send(asked("/held"))
    scene.desk.answer(scene.desk.held[0])
    scene.connection.connection_lost(None)
    scene.desk.held[0].finish()
    assert not scene.desk.left


@on_loop
async def test_a_hang_up_after_the_end_is_told_to_nobody(scene: Scene) -> None:
    scene.send(asked("/held"))
    scene.desk.answer(scene.desk.held[0])
    scene.desk.held[0].finish()
    scene.connection.connection_lost(None)
    assert not scene.desk.left


@on_loop
async def test_a_second_finish_lets_nobody_in_early(scene: Scene) -> None:
    scene.send(asked("/held", 1) + asked("/held", 2) + asked("/held", 3))
    scene.desk.answer(scene.desk.held[0])
    scene.desk.held[0].finish()
    scene.desk.held[0].finish()
    assert [request.query for request in scene.desk.held] == ["1", "2"]


@on_loop
async def test_given_up_without_an_answer_closes_and_lets_nobody_in(scene: Scene) -> None:
    scene.send(asked("/held", 1) + asked("/held", 2))
    scene.desk.held[0].finish()
    assert scene.wire.closing
    await turns()
    assert len(scene.desk.held) == 1
    assert not scene.desk.left


@on_loop
async def test_a_connection_broken_inside_begin_lets_nobody_in(scene: Scene) -> None:
    scene.send(asked("/abort", 1) + asked("/now", 2))
    await turns()
    assert scene.wire.closing
    assert not scene.desk.told
    assert not scene.desk.left


@on_loop
async def test_a_mistake_inside_begin_breaks_the_connection(scene: Scene) -> None:
    with pytest.raises(RuntimeError, match="mistake"):
        scene.send(asked("/breaks"))
    assert scene.wire.closing


@on_loop
async def test_connection_close_is_kept_by_who_answers_at_once(scene: Scene) -> None:
    scene.send(asked("/now", extra="Connection: close\r\n"))
    assert b"connection: close" in scene.out
    assert scene.wire.closing


@on_loop
async def test_a_caller_who_hangs_up_cancels_the_task(scene: Scene) -> None:
    scene.send(asked("/task"))
    await turns()
    scene.connection.connection_lost(None)
    await turns()
    assert scene.desk.cancelled == 1
    assert not scene.desk.left


async def drained(scene: Scene) -> asyncio.Task[None]:
    draining = asyncio.create_task(_drain(scene.connections))
    await turns()
    return draining


@pytest.mark.parametrize("path", ["/held", "/task"])
def test_a_drain_waits_for_the_answer_and_closes(path: str) -> None:
    async def story() -> None:
        scene = Scene()
        scene.send(asked(path, 1) + asked(path, 2))
        draining = await drained(scene)
        assert not draining.done()
        scene.desk.go_on.set()
        for request in scene.desk.held:
            scene.desk.answer(request)
            request.finish()
        await turns()
        assert draining.done()
        assert scene.desk.told == ["1"]
        assert b"connection: close" in scene.out
        assert scene.wire.closing

    asyncio.run(story())


@on_loop
async def test_a_drain_closes_who_only_waits(scene: Scene) -> None:
    await (await drained(scene))
    assert scene.wire.closing


def test_a_drain_that_takes_too_long_tells_who_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selat.gateway.server.DRAIN_S", 0.01)

    async def story() -> None:
        scene = Scene()
        scene.send(asked("/held", 1))
        draining = await drained(scene)
        while not scene.desk.left:
            await asyncio.sleep(0.001)
        assert not draining.done()  # what was left may still have an end to book
        scene.desk.held[0].finish()
        await draining
        assert scene.desk.left == ["1"]

    asyncio.run(story())


def posted(body: bytes, path: str = "/held", extra: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nX: y\r\n{extra}\r\n"
    return head.encode() + body


def end(scene: Scene) -> Request:
    """Answer the one that is held; which it was."""
    (request,) = scene.desk.held
    scene.desk.held.clear()
    scene.desk.answer(request)
    request.finish()
    return request


def one(scene: Scene, data: bytes) -> Request:
    scene.send(data)
    return end(scene)


@on_loop
async def test_a_head_that_comes_again_is_the_same_head(scene: Scene) -> None:
    first = one(scene, posted(b"a" * 20, "/held?a=b"))
    second, third = one(scene, posted(b"b" * 300, "/held?a=b")), one(scene, posted(b"c" * 7, "/held?a=b"))
    assert first.head_kept is None
    assert second.head_kept is not None
    assert second.head_kept is third.head_kept
    assert (third.method, third.path, third.query) == ("POST", "/held", "a=b")
    assert second.arrived_body(300) == b"b" * 300
    assert second.headers == {b"host": b"x", b"content-length": b"300", b"x": b"y"}
    assert third.headers[b"content-length"] == b"7"
    assert first.headers[b"content-length"] == b"20"
    assert len({first.id, second.id, third.id}) == 3


@on_loop
async def test_another_head_is_kept_in_its_place(scene: Scene) -> None:
    other = "Authorization: x\r\n"
    heads = [one(scene, posted(b"a", extra=extra)).head_kept for extra in ("", "", other, other, "")]
    assert [head is not None for head in heads] == [False, True, False, True, False]


@on_loop
async def test_who_never_repeats_a_head_is_not_watched_for_ever(scene: Scene) -> None:
    for number in range(MAX_KEPT + 1):
        one(scene, posted(b"a", extra=f"N: {number}\r\n"))
    assert one(scene, posted(b"a", extra=f"N: {MAX_KEPT}\r\n")).head_kept is None
    assert one(scene, posted(b"a", extra=f"N: {MAX_KEPT - 1}\r\n")).head_kept is not None


@pytest.mark.parametrize(
    "head",
    [
        b"POST /held HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /held HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        b"PUT /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 02\r\n\r\n{}",
        b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2 \r\n\r\n{}",
        b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"\r\nPOST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX: " + b"x" * 4096 + b"\r\n\r\n{}",
    ],
)
def test_heads_that_could_mean_more_are_left_to_the_parser(head: bytes) -> None:
    async def story() -> None:
        scene = Scene()
        assert [one(scene, head).head_kept for _ in range(3)] == [None, None, None]

    asyncio.run(story())


@on_loop
async def test_a_body_that_is_not_there_to_the_byte_is_left_to_the_parser(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    scene.desk.go_on.set()
    scene.send(posted(b"{ }")[:-1])
    assert not scene.desk.held
    scene.send(b"}" + posted(b"[]")[:9])
    await turns()
    assert scene.desk.told == ["", ""]
    assert scene.connection.in_head
    scene.send(posted(b"[]")[9:])
    assert end(scene).arrived_body(2) == b"[]"
    scene.send(posted(b"{}") + posted(b"[]"))
    assert [end(scene).arrived_body(2), end(scene).arrived_body(2)] == [b"{}", b"[]"]
    assert one(scene, posted(b"{}")).head_kept is not None


@on_loop
async def test_a_known_head_that_comes_while_one_is_at_work_waits_its_turn(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    scene.send(posted(b"first"))
    scene.send(posted(b"second"))
    assert end(scene).arrived_body(9) == b"first"
    assert end(scene).arrived_body(9) == b"second"


@on_loop
async def test_what_is_wrong_after_a_known_head_is_refused(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    assert one(scene, posted(b"{}")).head_kept is not None
    scene.send(b"NONSENSE\r\n\r\n")
    await turns()
    assert b"HTTP/1.1 400" in scene.out
    scene.wire.closing = False  # as if it could still be read from
    scene.send(posted(b"{}"))
    assert not scene.desk.held


@on_loop
async def test_limits_and_the_drain_hold_for_known_heads(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    assert scene.connection.waiting_since is not None
    scene.send(posted(b"x" * 50))
    assert scene.connection.waiting_since is None
    with pytest.raises(TooLarge):
        scene.desk.held[0].arrived_body(49)
    ended = scene.connection.drain()
    assert ended is not None
    assert end(scene).head_kept is not None
    assert scene.out.endswith(b"connection: close\r\n\r\n")
    assert scene.wire.closing
    assert ended.done()
    scene.send(posted(b"{}"))
    assert not scene.desk.held


@on_loop
async def test_a_body_that_was_held_back_holds_back_nothing_after_it(scene: Scene) -> None:
    scene.send(posted(b"{}") + posted(b"x" * HELD_BYTES))
    scene.send(posted(b"{}")[:20])
    end(scene)
    assert end(scene).arrived_body(HELD_BYTES) == b"x" * HELD_BYTES
    scene.send(posted(b"{}")[20:] + posted(b"y" * (HELD_BYTES + 1)))
    assert scene.wire.paused
    end(scene)
    assert not scene.wire.paused
    end(scene)
    one(scene, posted(b"{}"))
