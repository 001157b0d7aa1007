"""A whole gateway without sockets: each request on the short way is answered, booked and finished once."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting import CEILING_S

from selat.app import Platform
from selat.burst import Burst
from selat.engines.http1 import Connection as ToEngine
from selat.engines.pool import Pool
from selat.flows.chat import Reply, Streamed, short
from selat.gateway import completions, taken
from selat.gateway.app import ASKING, ROUTES, Gateway
from selat.gateway.connection import Connection
from selat.gateway.http import Request
from selat.gateway.logs import CURRENT
from selat.gateway.metrics import Metrics
from selat.gateway.worker import build_door
from selat.home import open_home
from selat.house import furnish
from selat.wire import APIS

SAID = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Baik"}}]}
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Baik"}}]}\n\n'


def answer(body: bytes, status: int = 200, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


WHOLE = answer(json.dumps(SAID).encode())
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (
    len(EVENT),
    EVENT,
)

DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Wire:
    """A transport of either side, that remembers."""

    protocol: Any

    def __init__(self) -> None:
        self.out = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.out += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_extra_info(self, name: str) -> None: ...


class House:
    """A platform with one engine, its gateway, and a caller on a connection."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        (folder / "cache").mkdir()
        (folder / "home.toml").write_text("version = 1\n")
        (folder / "selat.toml").write_text("log_requests = 1.0\n")
        (folder / "engines.toml").write_text(
            '[[engine]]\nname = "up"\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\nmodels = ["m"]\n'
            'site = { jurisdiction = "MY" }\n'
            '[[engine]]\nname = "far"\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\nmodels = ["far"]\n'
            'site = { jurisdiction = "SG" }\n'
        )
        home = open_home(folder)
        self.key = furnish(home)
        self.platform = Platform(home, "gateway-0")
        self.metrics = Metrics()
        door = build_door(self.platform, self.metrics, None, lambda: None)  # type: ignore[arg-type]
        self.gateway = Gateway(door)
        self.engines: list[Wire] = []
        self.finished: list[str] = []
        self.ways: list[str] = []
        house = self

        async def connect(pool: Pool, _call: object) -> ToEngine:
            connection, wire = ToEngine(pool, asyncio.get_running_loop()), Wire()
            wire.protocol = connection
            connection.connection_made(wire)  # type: ignore[arg-type]
            connection.adopted = True
            house.engines.append(wire)
            return connection

        monkeypatch.setattr(Pool, "_connect", connect)
        finish, told = Request.finish, taken.Taken._told

        def finishes(request: Request) -> None:
            house.finished.append(request.id)
            finish(request)

        def tells(one: taken.Taken, reply: Reply) -> None:
            house.ways.append(type(reply).__name__)
            told(one, reply)

        monkeypatch.setattr(Request, "finish", finishes)
        monkeypatch.setattr(taken.Taken, "_told", tells)

    def call(self) -> None:
        self.caller = Wire()
        self.connection = self.caller.protocol = Connection(self.gateway, set(), Burst())
        self.connection.connection_made(self.caller)

    def ask(self, path: str = "/v1/chat/completions", key: str = "", extra: str = "", **fields: Any) -> None:
        self.connection.data_received(b"".join(self.written(path, key, extra, **fields)))

    def written(
        self, path: str = "/v1/chat/completions", key: str = "", extra: str = "", **fields: Any
    ) -> tuple[bytes, bytes]:
        """A head and its body."""
        asked = {"model": "m", "messages": [{"role": "user", "content": "apa khabar"}], **fields}
        body = json.dumps(asked).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key or self.key}\r\n"
        return f"{head}{extra}content-length: {len(body)}\r\n\r\n".encode(), body

    async def warm(self) -> None:
        """Have a connection to the engine that is idle, as after any first request."""
        self.call()
        self.ask()
        await until(lambda: bool(self.engines and self.engines[0].out))
        self.engine = self.engines[0]
        self.engine.protocol.data_received(WHOLE)
        await until(lambda: b"Baik" in self.caller.out)
        self.caller.out = self.engine.out = b""
        self.finished.clear()
        self.ways.clear()

    @property
    def status(self) -> int:
        self.connection.burst.send()  # as the end of the turn does
        return int(self.caller.out.split(b" ")[1]) if self.caller.out else 0

    def leaves(self) -> list[dict[str, Any]]:
        self.platform.journal.close()
        found = []
        for path in (self.platform.home.path / "ledger" / "journals").iterdir():
            for piece in path.read_bytes().split(b'"v":1}')[:-1]:
                kind = piece[piece.rindex(b'"kind":"') + 8 :].split(b'"')[0].decode()
                outcome = piece[piece.rindex(b'"outcome":"') + 11 :].split(b'"')[0] if kind == "closed" else b""
                found.append({"kind": kind, "outcome": outcome.decode()})
        return [leaf for leaf in found if leaf["kind"] in ("opened", "closed", "refused")]


async def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CEILING_S
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.002)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path / "home", monkeypatch)
    yield made
    made.platform.close()


def story(tell: Callable[[House], Awaitable[None]]) -> Callable[..., None]:
    def test(house: House) -> None:
        async def all_of_it() -> None:
            await house.warm()
            await tell(house)
            shelf = house.platform.shelf
            await until(lambda: not any(one.in_flight for name in shelf.models() for one in shelf.lookup(name)))

        asyncio.run(all_of_it())

    test.__name__, test.__doc__ = tell.__name__, tell.__doc__
    return test


def test_the_short_way_is_taken_where_models_are_asked_and_nowhere_else(house: House) -> None:
    assert set(APIS) == ASKING

    async def tell() -> None:
        house.call()
        for path in ROUTES:
            for method in ("GET", "POST", "PUT"):
                request = Request(house.connection, {}, [b"{}"])
                request.path, request.method, request.complete = path, method, True
                took = house.gateway.begin(request) is not None
                assert took is (path in APIS and method == "POST"), f"{method} {path}"
        await asyncio.sleep(0.01)

    asyncio.run(tell())


@story
async def test_an_answer_is_given_without_a_task_and_logged(house: House) -> None:
    house.ask()
    assert house.engine.out == b"", "nothing leaves before the opening is durable"
    await until(lambda: bool(house.engine.out))
    assert b"apa khabar" in house.engine.out
    assert house.connection._task is None
    house.engine.protocol.data_received(WHOLE)
    assert house.status == 200
    assert house.ways == ["Whole"]
    assert len(house.finished) == 1
    assert [leaf["kind"] for leaf in house.leaves()] == ["opened", "closed", "opened", "closed"]


@story
async def test_a_body_that_comes_after_its_head_needs_no_task_either(house: House) -> None:
    head, body = house.written()
    for times in range(1, 4):  # by the parser's word, and by heads that came before
        house.connection.data_received(head)
        await asyncio.sleep(0)
        house.connection.data_received(body[:20])
        assert house.engine.out == b""
        house.connection.data_received(body[20:])
        assert house.connection._task is None
        await until(lambda: bool(house.engine.out))
        house.engine.out = b""
        house.engine.protocol.data_received(WHOLE)
        assert house.status == 200
        assert house.ways == ["Whole"] * times
        house.caller.out = b""
    assert [leaf["kind"] for leaf in house.leaves()] == ["opened", "closed"] * 4


@pytest.mark.parametrize(
    ("key", "extra", "status"), [("sk-selat-no", "", 401), ("", "selat-priority: first\r\n", 400)]
)
def test_what_a_head_shows_to_be_wrong_is_refused_before_the_body(
    house: House, key: str, extra: str, status: int
) -> None:
    async def tell() -> None:
        await house.warm()
        house.connection.data_received(house.written(key=key, extra=extra)[0])
        await until(lambda: len(house.finished) == 1)
        assert house.status == status
        assert b"connection: close" in house.caller.out

    asyncio.run(tell())


@pytest.mark.parametrize("limit", ["length", "time"])
def test_a_body_is_waited_for_within_the_limits(house: House, limit: str) -> None:
    limits = house.gateway.door.limits
    limits = replace(limits, body_bytes=8) if limit == "length" else replace(limits, body_s=0.01)
    house.gateway.door = replace(house.gateway.door, limits=limits)

    async def tell() -> None:
        house.call()
        head, body = house.written()
        house.connection.data_received(head + body[:-1])
        await until(lambda: len(house.finished) == 1)
        assert house.status == (413 if limit == "length" else 408)

    asyncio.run(tell())
    assert not house.leaves()


def test_who_hangs_up_in_the_middle_of_a_body_has_asked_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "selat.gateway")
    house.gateway.door = replace(house.gateway.door, limits=replace(house.gateway.door.limits, body_s=0.01))

    async def tell() -> None:
        house.call()
        head, body = house.written()
        house.connection.data_received(head + body[:-1])
        house.caller.close()
        await until(lambda: len(house.finished) == 1)
        await asyncio.sleep(0.03)
        assert not house.ways, "nobody waits for it any more"
        (line,) = [record for record in caplog.records if record.message == "request"]
        assert line.__dict__["fields"]["status"] == 499

    asyncio.run(tell())
    assert not house.leaves()


@pytest.mark.parametrize("at", ["ticket", "engine", "stream", "rest"])
def test_a_hang_up_ends_it_wherever_it_is(house: House, at: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "selat.gateway")

    async def tell() -> None:
        await house.warm()
        caplog.clear()
        house.ask(stream=at == "stream")
        if at != "ticket":
            await until(lambda: bool(house.engine.out))
        if at == "stream":
            house.engine.protocol.data_received(BEGUN)
            await until(lambda: b"Baik" in house.caller.out)
        if at == "rest":
            house.engine.close()
            await until(lambda: len(house.engines) == 2 and bool(house.engines[1].out))
        house.caller.close()
        await until(lambda: len(house.finished) == 1)
        await asyncio.sleep(0.02)
        assert len(house.finished) == 1
        assert house.engine.closing is (at != "ticket")
        (line,) = [record for record in caplog.records if record.message == "request"]
        assert line.__dict__["fields"]["status"] == 499
        assert house.platform.shelf.lookup("m")[0].in_flight == 0

    asyncio.run(tell())
    assert [leaf["outcome"] for leaf in house.leaves() if leaf["kind"] == "closed"] == ["complete", "cancelled"]


def test_a_stream_that_is_left_in_the_turn_it_begins_is_closed(house: House) -> None:
    async def tell() -> None:
        await house.warm()
        house.ask(stream=True)
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(BEGUN)
        house.connection.connection_lost(None)
        await until(lambda: len(house.finished) == 1)
        await until(lambda: house.platform.shelf.lookup("m")[0].in_flight == 0)

    asyncio.run(tell())
    assert [leaf["outcome"] for leaf in house.leaves() if leaf["kind"] == "closed"] == ["complete", "cancelled"]


@story
async def test_a_stream_goes_to_its_end_without_a_task(house: House) -> None:
    house.ask(stream=True)
    await until(lambda: bool(house.engine.out))
    house.engine.protocol.data_received(BEGUN)
    assert house.status == 200
    assert b"Baik" in house.caller.out, "the first event goes on in the call that brings it"
    house.engine.protocol.data_received(DONE)
    house.connection.burst.send()
    assert house.caller.out.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert (len(house.finished), house.ways) == (1, ["Streamed"])
    assert len(asyncio.all_tasks()) == 1
    assert [leaf["outcome"] for leaf in house.leaves() if leaf["kind"] == "closed"] == ["complete", "complete"]


@story
async def test_a_stream_to_a_slow_reader_waits_and_is_over_when_all_has_gone(house: House) -> None:
    house.ask(stream=True)
    await until(lambda: bool(house.engine.out))
    house.connection.pause_writing()
    house.engine.protocol.data_received(BEGUN)
    house.engine.protocol.data_received(DONE)
    house.connection.burst.send()
    assert b"Baik" in house.caller.out
    assert b"DONE" not in house.caller.out
    assert house.finished == []
    house.connection.resume_writing()
    await until(lambda: len(house.finished) == 1)
    house.connection.burst.send()
    assert house.caller.out.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("fails", "code", "outcome"),
    [("engine", b"engine_unreachable", "engine_error"), ("event", b"engine_garbage", "engine_error"),
     ("begin_stream", b"internal_error", "cancelled"), ("pass_on", b"internal_error", "cancelled")],
)  # fmt: skip
def test_a_stream_that_fails_tells_its_caller_and_is_finished_once(
    house: House, fails: str, code: bytes, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Any:
        raise KeyError("a prompt's words")

    async def tell() -> None:
        await house.warm()
        if fails == "begin_stream":
            monkeypatch.setattr(completions, fails, breaks)
        elif fails == "pass_on":
            monkeypatch.setattr(Streamed, fails, breaks)
        house.ask(stream=True)
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(BEGUN)
        if fails == "engine":
            house.engine.close()
        elif fails == "event":
            house.engine.protocol.data_received(b"e\r\ndata: <html>\n\n\r\n")
        await until(lambda: len(house.finished) == 1)
        house.connection.burst.send()
        assert code in house.caller.out
        assert b"words" not in house.caller.out
        await until(lambda: house.platform.shelf.lookup("m")[0].in_flight == 0)

    asyncio.run(tell())
    assert [leaf["outcome"] for leaf in house.leaves() if leaf["kind"] == "closed"] == ["complete", outcome]


@pytest.mark.parametrize(
    ("came", "status", "code"),
    [
        (answer(b"not JSON"), 502, "engine_garbage"),
        (answer(b"{}", 500), 502, "engine_error"),
        (answer(b"{}", 302), 502, "engine_garbage"),
        (b"what is this\r\n\r\n", 502, "engine_garbage"),
        (answer(b'{"error":"too long"}', 400), 400, ""),
    ],
    ids=["garbage", "broken", "redirect", "no http", "its own"],
)
def test_what_an_engine_does_is_answered_as_ever(house: House, came: bytes, status: int, code: str) -> None:
    async def tell() -> None:
        await house.warm()
        house.ask()
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(came)
        await until(lambda: len(house.finished) == 1)
        assert house.status == status
        told = house.metrics.samples.get(f'selat_refused_total{{code="{code}"}}', 0)
        assert told == (1 if code else 0)
        assert house.caller.closing is False

    asyncio.run(tell())
    closed = [leaf["outcome"] for leaf in house.leaves() if leaf["kind"] == "closed"]
    assert closed == ["complete", "engine_error" if code else "complete"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"key": "sk-selat-no"}, 401, "invalid_api_key"),
        ({"model": "none"}, 404, "not_found"),
        ({"messages": 3}, 400, "bad_request"),
        (
            {"model": "far", "messages": [{"role": "user", "content": "sulit"}], "label": "sulit"},
            403,
            "policy_denied",
        ),
    ],
    ids=["key", "model", "body", "policy"],
)
def test_what_is_refused_is_answered_and_counted_once(
    house: House, asked: dict[str, Any], status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = asked.pop("label", "")

    async def tell() -> None:
        await house.warm()
        house.ask(extra=label and f"selat-label: {label}\r\n", **asked)
        await until(lambda: len(house.finished) == 1)
        assert house.status == status
        assert house.metrics.samples[f'selat_refused_total{{code="{code}"}}'] == 1
        assert house.engine.out == b""
        assert house.caller.closing is False
        # The connection goes on.
        house.caller.out = b""
        house.ask()
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(WHOLE)
        assert house.status == 200

    asyncio.run(tell())


@pytest.mark.parametrize("where", ["who_asks", "read", "start", "_booked", "_came", "tell_whole", "settled"])
def test_a_mistake_of_ours_is_a_500_with_its_place_in_the_log(
    house: House, where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> Any:
        raise KeyError("a prompt's words")

    async def tell() -> None:
        await house.warm()
        caplog.clear()
        if where in ("who_asks", "read", "tell_whole"):
            monkeypatch.setattr(completions, where, breaks)
        elif where == "settled":
            monkeypatch.setattr(short.Short, "fail", breaks)
            monkeypatch.setattr(short.Short, "_booked", breaks)
        else:
            monkeypatch.setattr(short.Short, where, breaks)
        house.ask()
        if where in ("_came", "tell_whole"):
            await until(lambda: bool(house.engine.out))
            house.engine.protocol.data_received(WHOLE)
        await until(lambda: len(house.finished) == 1)
        assert house.status == 500
        assert b"words" not in house.caller.out
        (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert line.startswith("request failed: KeyError at breaks:")
        assert house.metrics.samples['selat_refused_total{code="internal_error"}'] == 1
        assert house.platform.shelf.lookup("m")[0].in_flight == 0

    asyncio.run(tell())


@story
async def test_an_entry_that_is_lost_is_a_503_and_nothing_left(house: House) -> None:
    segment = house.platform.journal._segment
    assert segment is not None

    def full(bodies: list[bytes]) -> None:
        raise OSError(28, "No space left on device")

    segment.commit = full  # type: ignore[method-assign]
    house.ask()
    await until(lambda: len(house.finished) == 1)
    assert house.status == 503
    assert house.engine.out == b""


@story
async def test_the_log_of_a_callback_names_its_request(house: House) -> None:
    seen: list[str] = []
    booked = short.Short._booked

    def notes(one: short.Short) -> Any:
        seen.append(CURRENT.get())
        return booked(one)

    short.Short._booked = notes  # type: ignore[assignment,method-assign]
    try:
        house.ask()
        CURRENT.set("another's")
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(WHOLE)
    finally:
        short.Short._booked = booked  # type: ignore[method-assign]
    assert seen == house.finished


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (429, "7", True),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", True),
        (429, "ask 900101-14-5678", False),
        (429, "-1", False),
        (400, "7", False),
        (503, "7", False),
    ],
)
def test_an_engine_that_is_asked_too_much_says_until_when(
    house: House, path: str, status: int, said: str, told: bool
) -> None:
    async def tell() -> None:
        await house.warm()
        house.ask(path, max_tokens=9)
        await until(lambda: bool(house.engine.out))
        came = answer(b'{"error":{"message":"later"}}', status)
        house.engine.protocol.data_received(came.replace(b"X\r\n", f"X\r\nRetry-After: {said}\r\n".encode()))
        await until(lambda: len(house.finished) == 1)
        assert house.status == (status if status < 500 else 502)
        assert (f"\r\nretry-after: {said}\r\n".encode() in house.caller.out) is told
        assert b"900101" not in house.caller.out

    asyncio.run(tell())


@story
async def test_requests_that_came_together_are_answered_in_turn(house: House) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "apa khabar"}]})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.key}\r\n"
    house.connection.data_received(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode() * 3)
    for number in range(3):
        await until(lambda: bool(house.engine.out))
        house.engine.out = b""
        house.engine.protocol.data_received(WHOLE)
        assert house.status == 200
        assert house.caller.out.count(b"HTTP/1.1 200") == number + 1
    assert len(house.finished) == 3


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_request_made_is_gone_when_it_is_over(house: House, stream: bool, apart: bool) -> None:
    """A circle of objects would wait for the collector, which takes more time than all the checks."""

    async def tell() -> None:
        await house.warm()
        gc.collect()
        gc.disable()
        head, body = house.written(stream=stream)
        for read in (head, body) if apart else (head + body,):
            house.connection.data_received(read)
        current = house.connection._current
        assert current is not None
        assert current.asked is not None
        kept = weakref.ref(current), weakref.ref(current.asked.timing)
        del current
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(BEGUN + DONE if stream else WHOLE)
        await until(lambda: len(house.finished) == 1)
        await until(lambda: house.metrics.fold() is None and [one() for one in kept] == [None, None])

    try:
        asyncio.run(tell())
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("fails", "wrong"),
    [
        ("key", {"key": "sk-selat-wrong"}),
        ("field", {"messages": 7}),
        ("model", {"model": "none"}),
        ("policy", {"extra": "selat-label: rahsia\r\n", "model": "far"}),
        ("engine", {}),
        ("garbage", {}),
        ("caller", {}),
        ("stream", {"stream": True}),
    ],
)
def test_what_failed_is_gone_when_it_is_over(house: House, fails: str, wrong: dict[str, Any]) -> None:
    async def tell() -> None:
        await house.warm()
        gc.collect()
        gc.disable()
        if fails == "caller":
            house.engine.close()  # so that a task awaits a fresh connection
            await until(lambda: not house.platform.shelf.lookup("m")[0]._pool.open)  # type: ignore[attr-defined]
        house.ask(**wrong)
        current = house.connection._current
        assert current is not None
        kept = weakref.ref(current)
        del current
        if fails == "caller":
            await until(lambda: len(house.engines) == 2)
            house.connection.connection_lost(None)
        elif not wrong or fails == "stream":
            await until(lambda: bool(house.engine.out))
            if fails == "stream":
                house.engine.protocol.data_received(BEGUN)
                house.engine.close()
            elif fails == "engine":
                house.engine.protocol.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
                house.engine.close()
            else:
                house.engine.protocol.data_received(answer(b"not JSON"))
        await until(lambda: len(house.finished) == 1)
        assert fails in ("caller", "stream") or house.status >= 400
        await until(lambda: house.metrics.fold() is None and kept() is None)

    try:
        asyncio.run(tell())
    finally:
        gc.enable()


def test_a_connection_is_gone_when_it_is_lost(house: House) -> None:
    async def tell() -> None:
        await house.warm()
        gc.collect()
        gc.disable()
        kept = weakref.ref(house.connection)
        house.connection.connection_lost(None)
        house.caller.protocol = None  # as a loop's transport lets go of it
        del house.connection
        assert kept() is None

    try:
        asyncio.run(tell())
    finally:
        gc.enable()


def test_a_head_that_comes_again_is_read_once_but_its_key_is_asked_about_each_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    wish_of = completions.wish_of

    def reads(request: Request, secret: str) -> completions.Wish:
        read.append(request.id)
        return wish_of(request, secret)

    monkeypatch.setattr(completions, "wish_of", reads)

    async def again(extra: str) -> None:
        house.caller.out = house.engine.out = b""
        house.ask(extra=extra)
        await until(lambda: bool(house.engine.out))
        house.engine.protocol.data_received(WHOLE)
        await until(lambda: bool(house.caller.out))  # its label is kept first, by a thread
        assert b"selat-label: terhad/" in house.caller.out

    async def tell() -> None:
        await house.warm()
        read.clear()
        for _ in range(5):
            await again("selat-label: terhad\r\n")
        assert len(read) == 2, "once by the parser's word, once as a head that came again"
        (key,) = house.platform.keys.list("default")
        house.platform.keys.revoke("default", key.id)
        house.caller.out = house.engine.out = b""
        house.ask(extra="selat-label: terhad\r\n")
        await until(lambda: bool(house.caller.out))
        assert (house.status, house.engine.out) == (401, b"")

    asyncio.run(tell())
