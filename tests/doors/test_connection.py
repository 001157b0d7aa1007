"""A caller's connection without sockets: whoever answers, each request gets its turn, its end and its hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from selat.burst import Burst
from selat.core.errors import SelatError, TooLarge
from selat.gateway.connection import MAX_HEAD_BYTES, MAX_KEPT, MAX_PIPELINED, Connection, Leave
from selat.gateway.http import AT_ONCE_BYTES, HELD_BYTES, JSON, Request
from selat.gateway.logs import CURRENT
from selat.gateway.server import _drain

BODY_BYTES = 2 * HELD_BYTES


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
    """Takes what the path says, once its body has come: /now is answered at once, /held by the test, /task in a
    task."""

    patience_s = 60.0

    def __init__(self) -> None:
        self.held: list[Request] = []
        self.left: list[str] = []
        self.told: list[str] = []
        self.cancelled = 0
        self.go_on = asyncio.Event()

    def begin(self, request: Request) -> Leave | None:
        assert CURRENT.get() == request.id
        if request.path == "/task":
            return None
        if request.path == "/breaks":
            raise RuntimeError("a mistake of ours")
        if request.complete:
            self.take(request)
        else:
            try:
                request.when_arrived(BODY_BYTES, self.patience_s, partial(self.take, request))
            except TooLarge as error:
                self.refuse(request, error)
        return partial(self.leave, request)

    def leave(self, request: Request) -> None:
        request.forget()
        self.left.append(request.query)

    def take(self, request: Request) -> None:
        assert CURRENT.get() == request.id
        try:
            request.arrived_body(BODY_BYTES)
        except SelatError as error:
            self.refuse(request, error)
            return
        if request.path == "/now":
            self.answer(request)
            request.finish()
        elif request.path == "/abort":
            request.abort()
            request.finish()
        else:
            self.held.append(request)

    def refuse(self, request: Request, error: SelatError) -> None:
        request.answer(error.status, b"", JSON, b"")
        request.finish()

    def answer(self, request: Request) -> None:
        self.told.append(request.query)
        request.answer(200, request.query.encode(), JSON, b"")

    async def __call__(self, request: Request) -> None:
        try:
            await self.go_on.wait()
            await request.body(BODY_BYTES, self.patience_s)
        except SelatError as error:
            await request.respond(error.status, b"")
            return
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
async def test_a_slow_caller_is_felt_within_the_turn_that_brings_much(scene: Scene) -> None:
    scene.wire.write = lambda data: scene.connection.pause_writing()  # type: ignore[method-assign]
    scene.send(asked("/held"))
    assert scene.desk.held[0].pass_on(b"little") is None
    assert scene.desk.held[0].pass_on(b"m" * AT_ONCE_BYTES + b"uch") is not None


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


@pytest.mark.parametrize("wide", ["POST /now?%s HTTP/1.1\r\n", "POST /now?1 HTTP/1.1\r\nX: %s\r\n"])
@pytest.mark.parametrize("before", [b"", asked("/now", 7)])
@pytest.mark.parametrize("parted", [0, 20, MAX_HEAD_BYTES])
def test_a_head_over_the_limit_is_431_in_however_many_reads(wide: str, before: bytes, parted: int) -> None:
    async def story(size_bytes: int) -> bytes:
        scene = Scene()
        sent = before + (wide % ("x" * size_bytes) + "Host: x\r\nContent-Length: 2\r\n\r\n{}").encode()
        for read in (sent[:parted], sent[parted:]) if parted else (sent,):
            scene.send(read)
        await turns()
        assert scene.out.count(b"HTTP/1.1 ") == 1 + bool(before)
        scene.wire.close()
        return scene.out

    assert b"HTTP/1.1 431 " in asyncio.run(story(MAX_HEAD_BYTES))
    assert b"HTTP/1.1 431 " not in asyncio.run(story(MAX_HEAD_BYTES - 100))


UPGRADE = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
IN_CHUNKS = b"POST /held?5 HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n" % UPGRADE.encode()
UPGRADES = {
    "sized": asked("/held", 5, UPGRADE),
    "chunked": IN_CHUNKS + b"1\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n",
}


@pytest.mark.parametrize("upgrading", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_is_ignored_wherever_the_reads_part(upgrading: bytes) -> None:
    """Java's client asks for HTTP/2 like this whenever it speaks without TLS."""

    async def story() -> None:
        sent = asked("/now", 4) + upgrading + asked("/now", 6) + upgrading + asked("/now", 7)
        for place in range(1, len(sent)):
            scene = Scene()
            scene.send(sent[:place])
            scene.send(sent[place:])
            for _ in range(2):
                (request,) = scene.desk.held
                assert request.arrived_body(2) == b"{}"
                assert (request.path, request.query, request.headers[b"upgrade"]) == ("/held", "5", b"h2c")
                scene.desk.held.clear()
                scene.desk.answer(request)
                request.finish()
            assert scene.desk.told == ["4", "5", "6", "5", "7"]
            assert scene.out.count(b"HTTP/1.1 200 OK") == 5
            scene.wire.close()
            await turns()

    asyncio.run(story())


@on_loop
async def test_an_upgrade_without_a_body_is_ignored_too(scene: Scene) -> None:
    scene.send(f"GET /now?1 HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode() * 2000 + asked("/now", 2))
    assert scene.desk.told == ["1"] * 2000 + ["2"]


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        IN_CHUNKS.replace(b"chunked", b"gzip") + b"{}",
        IN_CHUNKS.replace(b"chunked", b"chunked, identity") + b"2\r\n{}\r\n0\r\n\r\n",
        IN_CHUNKS.replace(b"chunked", b"chunked\r\nContent-Length: 2") + b"2\r\n{}\r\n0\r\n\r\n",
        IN_CHUNKS + b"{}",
    ],
)
def test_an_upgrade_makes_no_framing_good(head: bytes) -> None:
    async def story() -> None:
        for place in range(1, len(head) + 1):
            scene = Scene()
            scene.send(head[:place])
            scene.send(head[place:] + asked("/now", 1))
            await turns()
            assert scene.out.count(b"HTTP/1.1 4") == 1
            assert scene.out.startswith(b"HTTP/1.1 400 ")
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


@pytest.mark.parametrize("path", ["/held", "/task"])
def test_one_whose_body_is_still_coming_waits_for_it(path: str) -> None:
    async def story() -> None:
        scene = Scene()
        scene.desk.go_on.set()
        whole = posted(b"x" * 20, path)
        for cut in range(1, len(whole)):
            scene.send(whole[:cut])
            await turns()
            assert not scene.desk.held
            assert len(scene.desk.told) == cut - 1
            scene.send(whole[cut:])
            if path == "/held":
                assert scene.connection._task is None
                assert end(scene).arrived_body(20) == b"x" * 20
            await turns()
        assert len(scene.desk.told) == len(whole) - 1
        assert scene.connection.waiting_since is not None

    asyncio.run(story())


@on_loop
async def test_a_body_in_many_reads_is_the_bytes_that_came(scene: Scene) -> None:
    body = bytes(range(256)) * 40
    for _ in range(3):
        whole = posted(body)
        for start in range(0, len(whole), 100):
            scene.send(whole[start : start + 100])
        assert end(scene).arrived_body(len(body)) == body
    scene.send(posted(body)[:100])  # by a head that came before
    scene.send(posted(body)[100:] + posted(b"next"))
    assert end(scene).arrived_body(len(body)) == body
    assert end(scene).arrived_body(4) == b"next"


@on_loop
async def test_a_body_in_chunks_waits_without_a_task(scene: Scene) -> None:
    scene.send(b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{")
    scene.send(b"}\r\n0\r\n")
    assert not scene.desk.held
    scene.send(b"\r\n")
    assert scene.connection._task is None
    assert end(scene).arrived_body(2) == b"{}"


@pytest.mark.parametrize("known", [False, True])
def test_who_hangs_up_in_the_middle_of_a_body_is_told_of_once(known: bool) -> None:
    async def story() -> None:
        scene = Scene()
        scene.desk.patience_s = 0.01
        if known:
            one(scene, posted(b"{}", "/held?a"))
        scene.send(posted(b"{}", "/held?a")[:-1])
        scene.connection.connection_lost(None)
        await asyncio.sleep(0.03)
        assert scene.desk.left == ["a"]
        assert not scene.desk.held
        assert not scene.connections

    asyncio.run(story())


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("path", ["/held", "/task"])
def test_a_body_that_does_not_come_in_time_is_408_and_the_rest_is_thrown_away(path: str, known: bool) -> None:
    async def story() -> None:
        scene = Scene()
        scene.desk.go_on.set()
        scene.desk.patience_s = 0.01
        if known:
            one(scene, posted(b"{}"))
        scene.send(posted(b"{}", path)[:-1])
        while b"HTTP/1.1 408" not in scene.out:
            await asyncio.sleep(0.002)
        assert scene.wire.ended
        scene.send(b"}" + posted(b"{}"))
        await turns()
        assert not scene.desk.held
        assert scene.out.count(b"HTTP/1.1 ") == 1 + known

    asyncio.run(story())


@pytest.mark.parametrize("known", [False, True])
def test_a_body_that_is_declared_too_long_is_refused_before_it_comes(known: bool) -> None:
    async def story() -> None:
        scene = Scene()
        if known:
            one(scene, posted(b"{}"))
        scene.send(posted(b"x" * (BODY_BYTES + 1))[:90])
        assert b"HTTP/1.1 413" in scene.out
        assert scene.wire.ended
        scene.send(b"x" * 100)
        assert not scene.desk.held

    asyncio.run(story())


@on_loop
async def test_a_body_that_gets_too_long_in_chunks_is_refused_when_it_is(scene: Scene) -> None:
    scene.send(b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(BODY_BYTES // HELD_BYTES):
        scene.send(b"%x\r\n%b\r\n" % (HELD_BYTES, b"x" * HELD_BYTES))
    assert not scene.out
    scene.send(b"1\r\nx\r\n")
    assert b"HTTP/1.1 413" in scene.out
    assert scene.wire.ended


@on_loop
async def test_a_body_that_breaks_off_badly_is_refused(scene: Scene) -> None:
    scene.send(b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{")
    scene.send(b"}NONSENSE\r\n")
    assert b"HTTP/1.1 400" in scene.out
    assert scene.wire.ended
    assert not scene.desk.held


@on_loop
async def test_who_asks_whether_to_send_a_body_is_told_to(scene: Scene) -> None:
    whole = posted(b"{}", extra="Expect: 100-continue\r\n")
    scene.send(whole[:-2])
    assert scene.out == b"HTTP/1.1 100 Continue\r\n\r\n"
    scene.send(whole[-2:])
    assert end(scene).arrived_body(2) == b"{}"


@on_loop
async def test_a_long_body_is_held_back_until_its_turn_and_no_longer(scene: Scene) -> None:
    long = posted(b"x" * BODY_BYTES)
    scene.send(posted(b"{}") + long[: HELD_BYTES + 100])
    assert scene.wire.paused
    end(scene)
    assert not scene.wire.paused
    for _ in range(2):  # the second by a head that came before
        scene.send(long[HELD_BYTES + 100 :])
        assert not scene.wire.paused
        assert len(end(scene).arrived_body(BODY_BYTES)) == BODY_BYTES
        one(scene, posted(b"{}"))
        scene.send(long[: HELD_BYTES + 100])


@pytest.mark.parametrize("known", [False, True])
def test_a_drain_waits_for_a_body_and_its_answer(known: bool) -> None:
    async def story() -> None:
        scene = Scene()
        if known:
            one(scene, posted(b"{}"))
        scene.send(posted(b"{}")[:-1])
        draining = await drained(scene)
        assert not draining.done()
        scene.send(b"}" + posted(b"[]"))
        end(scene)
        await turns()
        assert draining.done()
        assert b"connection: close" in scene.out
        assert scene.wire.closing
        assert not scene.desk.held

    asyncio.run(story())


@on_loop
async def test_a_mistake_when_a_body_has_come_breaks_the_connection(scene: Scene) -> None:
    def breaks(_request: Request) -> None:
        raise RuntimeError("a mistake of ours")

    scene.desk.take = breaks  # type: ignore[method-assign]
    scene.send(posted(b"{}")[:-1])
    with pytest.raises(RuntimeError, match="mistake"):
        scene.send(b"}")
    assert scene.wire.closing


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
async def test_what_comes_behind_a_request_that_waits_is_not_kept_as_its_head(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    scene.connection.pause_writing()
    scene.send(posted(b"ab", "/held?first", "Authorization: first\r\n"))
    scene.send(posted(b"cd", "/held?second", "Authorization: second\r\n"))
    scene.connection.resume_writing()
    assert [end(scene).query, end(scene).query] == ["first", "second"]
    again = one(scene, posted(b"ef", "/held?second", "Authorization: second\r\n"))
    assert (again.query, again.headers[b"authorization"]) == ("second", b"second")


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
async def test_of_a_known_head_the_parser_sees_what_follows_its_body(scene: Scene) -> None:
    one(scene, posted(b"{}"))
    scene.send(posted(b"{ }")[:-1])
    assert not scene.desk.held
    scene.send(b"}" + posted(b"[]")[:9])
    first = end(scene)
    assert first.head_kept is not None
    assert first.arrived_body(3) == b"{ }"
    assert scene.connection.in_head
    scene.send(posted(b"[]")[9:])
    assert end(scene).arrived_body(2) == b"[]"
    scene.send(posted(b"{}") + posted(b"[]"))
    assert [end(scene).arrived_body(2), end(scene).arrived_body(2)] == [b"{}", b"[]"]
    assert one(scene, posted(b"{}")).head_kept is not None


@on_loop
async def test_a_head_whose_body_comes_later_is_kept_too(scene: Scene) -> None:
    found = []
    for body in (b"{}", b"[  ]", b"x" * 300):
        whole = posted(body)
        place = whole.index(b"\r\n\r\n") + 4
        scene.send(whole[:place])
        scene.send(whole[place:])
        found.append(end(scene))
    assert [request.head_kept is not None for request in found] == [False, True, True]
    assert [request.arrived_body(300) for request in found] == [b"{}", b"[  ]", b"x" * 300]


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
