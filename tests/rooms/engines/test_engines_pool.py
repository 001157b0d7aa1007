"""The pool: bounded, fair, kept alive, verified by TLS, and never holding more than agreed."""

from __future__ import annotations

import asyncio
import datetime
import json
import random
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from engines_kit import OK, QUICK, chat, goes_through, read, run, scripted, spec, until
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import EngineBusy, EngineTimeout, EngineUnreachable
from selat.engines import Call, Capacity, OpenAIEngine, Timeouts
from selat.engines.fair import FairQueue, WaitingRoom
from selat.engines.limits import HIGH_WATER_BYTES
from selat.testing import Upstream

pytestmark = pytest.mark.usefixtures("each_loop")


def content(body: bytes) -> str:
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


# Limits and queue.


def test_no_more_connections_than_allowed_and_every_call_is_served(upstream: Upstream) -> None:
    async def one(engine: OpenAIEngine, number: int) -> str:
        return content(await read(await engine.send(chat("slow:0.01", str(number)))))

    async def story(engine: OpenAIEngine) -> None:
        got = await asyncio.gather(*(one(engine, number) for number in range(30)))
        assert got == [str(number) for number in range(30)]
        assert (engine.in_flight, engine.waiting) == (0, 0)

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=3))), story)
    assert upstream.connections == 3


def test_waiting_has_a_limit_in_time_and_in_number(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        busy = await engine.send(chat("endless:0.01", stream=True))
        waiting = asyncio.create_task(engine.send(chat("echo")))
        assert await until(lambda: engine.waiting == 1)
        with pytest.raises(EngineBusy, match="1 calls in flight and 1 waiting"):
            await engine.send(chat("echo"))
        waiting.cancel()
        assert await until(lambda: engine.waiting == 0)
        engine._pool.timeouts = Timeouts(queue_s=0.3)
        with pytest.raises(EngineBusy, match=r"no free connection within 0\.3 s \(1 in use"):
            await engine.send(chat("echo"))
        engine._pool.timeouts = Timeouts()
        await busy.close()
        assert content(await read(await engine.send(chat("echo", "lagi")))) == "lagi"

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=1, max_waiting=1))), story)


def test_tenants_take_turns_at_a_busy_engine(upstream: Upstream) -> None:
    order: list[str] = []

    async def one(engine: OpenAIEngine, tenant: str) -> None:
        answer = await engine.send(chat("slow:0.005", tenant=tenant))
        order.append(tenant)
        await read(answer)

    async def story(engine: OpenAIEngine) -> None:
        busy = await engine.send(chat("endless:0.01", stream=True))
        tasks = [asyncio.create_task(one(engine, "banyak")) for _ in range(8)]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(one(engine, "sedikit")) for _ in range(2)]
        await asyncio.sleep(0.01)
        await busy.close()
        await asyncio.gather(*tasks)

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=1))), story)
    assert order[:4].count("sedikit") == 2


def test_a_waiter_that_leaves_takes_no_place_with_it(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for close_first in (True, False) * 5:
            busy = await engine.send(chat("endless:0.01", stream=True))
            waiting = [asyncio.create_task(engine.send(chat("echo"))) for _ in range(3)]
            await asyncio.sleep(0.01)
            if close_first:
                await busy.close()
            for task in waiting[:2]:
                task.cancel()
            await busy.close()
            assert content(await read(await waiting[2])) == "apa khabar"
            await asyncio.gather(*waiting, return_exceptions=True)
        assert (engine.in_flight, engine.waiting) == (0, 0)

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=1))), story)


def test_a_mixed_crowd_leaves_the_pool_empty_and_whole(upstream: Upstream) -> None:
    """Good, slow, dying, refusing, cancelled: in the end nothing is in flight and a call still goes through."""
    models = ["echo", "slow:0.01", "dies:1", "refuses", "garbage", "hangs", "long", "says-close", "endless:0.001"]

    async def one(engine: OpenAIEngine, number: int) -> None:
        stream = number % 2 == 0
        try:
            answer = await engine.send(chat(models[number % len(models)], stream=stream, tenant=str(number % 3)))
            if "endless" in models[number % len(models)]:
                await anext(answer.chunks())
            else:
                await read(answer)
        finally:
            if number % 5:
                await asyncio.sleep(0)

    async def story(engine: OpenAIEngine) -> None:
        tasks = [asyncio.create_task(one(engine, number)) for number in range(90)]
        await asyncio.sleep(0.05)
        for task in tasks[::7]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await until(lambda: engine.in_flight == 0)
        assert engine.waiting == 0
        await goes_through(engine)

    limits = Timeouts(queue_s=5.0, first_byte_s=0.5, between_s=0.5, total_s=0.8)
    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=8), timeouts=limits)), story)


def test_a_closed_engine_finishes_what_it_has_and_takes_no_more(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(chat("slow:0.01", "satu dua tiga", stream=True))
        await engine.close()
        assert (await read(answer)).endswith(b"data: [DONE]\n\n")
        with pytest.raises(EngineUnreachable, match="removed"):
            await engine.send(chat("echo"))

    run(OpenAIEngine(spec(upstream.url)), story)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50))))
def test_the_queue_keeps_each_tenants_order_and_takes_turns(pushed: list[tuple[str, int]]) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for pair in pushed:
        queue.push(pair[0], pair)
    popped = [queue.pop() for _ in range(len(queue))]
    for tenant in "abc":
        assert [p for p in popped if p[0] == tenant] == [p for p in pushed if p[0] == tenant]
    for start in range(len(popped)):
        left = {tenant for tenant, _ in popped[start:]}
        round_ = [tenant for tenant, _ in popped[start : start + len(left)]]
        assert len(set(round_)) == len(round_)


def test_a_call_cancelled_as_its_answer_comes_does_not_break_the_next_one_on_that_connection(
    upstream: Upstream,
) -> None:
    """The answer is there and the connection free, but the caller has not run yet: between the two, another
    call takes the connection, and then the first one's cancellation arrives."""

    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        for _ in range(20):
            first = asyncio.create_task(engine.send(chat("echo")))
            await asyncio.sleep(0)
            while not engine._pool._idle:
                await asyncio.sleep(0)
            first.cancel()
            async with asyncio.timeout(60):
                assert content(await read(await engine.send(chat("echo", "kedua")))) == "kedua"
            with pytest.raises(asyncio.CancelledError):
                await first

    run(OpenAIEngine(spec(upstream.url)), story)


def test_an_answer_that_comes_as_its_call_is_cancelled_does_not_break_the_next_one_either(
    upstream: Upstream,
) -> None:
    """The other order: cancelled first; before the caller runs, the answer completes and frees the connection."""

    async def story(engine: OpenAIEngine) -> None:
        for _ in range(20):
            await read(await engine.send(chat("echo")))
            (connection,) = engine._pool._idle
            first = asyncio.create_task(engine.send(chat("hangs")))
            await asyncio.sleep(0)
            first.cancel()
            connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            second: list[Any] = []
            connection.begin(b"", False, second.append)
            with pytest.raises(asyncio.CancelledError):
                await first
            assert not connection.is_closing()
            connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            assert await read(second[0]) == b"[]"
            connection.abandon()
            assert await until(lambda: engine._pool.open == 0)

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_stream_that_begins_as_its_call_is_cancelled_is_hung_up_on(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        (connection,) = engine._pool._idle
        first = asyncio.create_task(engine.send(chat("hangs", stream=True)))
        await asyncio.sleep(0)
        first.cancel()
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        with pytest.raises(asyncio.CancelledError):
            await first
        assert connection.is_closing()
        assert await until(lambda: engine._pool.open == 0)

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_thousand_random_hang_ups_leave_nobody_waiting_for_ever(upstream: Upstream) -> None:
    chance = random.Random(7)

    async def one(engine: OpenAIEngine) -> None:
        kind = chance.choice(["read", "close", "json"])
        answer = await engine.send(chat("echo:2", "a" * 60, stream=kind != "json", tenant=chance.choice("abc")))
        try:
            async for _ in answer.chunks():
                if kind == "close" and chance.random() < 0.3:
                    break
        finally:
            await answer.close()

    async def worker(engine: OpenAIEngine) -> None:
        for _ in range(25):
            task = asyncio.create_task(one(engine))
            if chance.random() < 0.6:
                await asyncio.sleep(chance.random() * 0.02)
                task.cancel()
            await asyncio.wait({task})

    async def story(engine: OpenAIEngine) -> None:
        async with asyncio.timeout(120):
            await asyncio.gather(*(worker(engine) for _ in range(40)))
        assert await until(lambda: engine.in_flight == 0)
        assert engine.waiting == 0
        assert content(await read(await engine.send(chat("echo", "tamat")))) == "tamat"

    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(max_connections=16))), story)


def test_background_work_lets_people_go_first_but_does_not_starve() -> None:
    room: WaitingRoom[str] = WaitingRoom()
    for number in range(20):
        room.push("a", f"eval {number}", background=True)
        room.push("b", f"person {number}")
    room.discard("a", "eval 3")
    room.discard("b", "person 3")
    order = [room.pop() for _ in range(len(room))]
    assert order[:8] == [f"person {n}" for n in (0, 1, 2, 4, 5, 6, 7)] + ["eval 0"]
    assert order[8:16].count("eval 1") == 1
    assert len(order) == 38
    with pytest.raises(IndexError):
        room.pop()


# Kept connections.


def test_a_kept_connection_closed_before_any_byte_is_tried_once_more_on_a_fresh_one() -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert await read(await engine.send(chat("echo"))) == b'"ok"'
        assert await read(await engine.send(chat("echo"))) == b'"ok"'

    with scripted([OK, None], [OK, OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)
        assert (server.accepted, server.requests) == (2, 3)


def test_it_is_tried_once_more_only_once() -> None:
    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        with pytest.raises(EngineUnreachable, match="closed the connection before an answer"):
            await engine.send(chat("echo"))

    with scripted([OK, None], [None]) as server:
        run(OpenAIEngine(spec(server.url)), story)
        assert (server.accepted, server.requests) == (2, 3)


def test_a_fresh_connection_closed_before_any_byte_is_not_tried_again() -> None:
    async def story(engine: OpenAIEngine) -> None:
        with pytest.raises(EngineUnreachable):
            await engine.send(chat("echo"))

    with scripted([None], [OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)
        assert server.requests == 1


@pytest.mark.parametrize("part", [OK[:1], OK[:12], OK[:-3]])
def test_nothing_is_sent_again_after_a_byte_of_answer(part: bytes) -> None:
    """The engine has begun: a second time could do the work, or a tool's side effect, twice."""

    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        with pytest.raises(EngineUnreachable):
            await engine.send(chat("echo"))

    with scripted([OK, part], [OK]) as server:
        run(OpenAIEngine(spec(server.url)), story)
        assert server.requests == 2


def test_a_connection_closed_while_idle_is_not_used_again(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for _ in range(3):
            assert content(await read(await engine.send(chat("says-close", "a")))) == "a"

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 3


def test_idle_connections_are_let_go_in_time(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await goes_through(engine)
        before = upstream.connections
        assert await until(lambda: upstream.open == 0)
        await goes_through(engine)
        assert upstream.connections > before

    limits = Timeouts(between_s=0.2)
    run(OpenAIEngine(spec(upstream.url, capacity=Capacity(idle_s=0.05), timeouts=limits)), story)


def test_the_last_used_connection_is_used_first(upstream: Upstream) -> None:
    """So that those not needed grow old and are let go."""

    async def story(engine: OpenAIEngine) -> None:
        answers = await asyncio.gather(*(engine.send(chat("slow:0.02")) for _ in range(4)))
        for answer in answers:
            await read(answer)
        for _ in range(20):
            await read(await engine.send(chat("echo")))

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 4


def test_small_writes_leave_at_once(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        await read(await engine.send(chat("echo")))
        (connection,) = engine._pool._idle
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(OpenAIEngine(spec(upstream.url)), story)


# Memory.


def test_a_slow_reader_does_not_make_memory_grow(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers = [await engine.send(chat("endless", stream=True)) for _ in range(8)]
        await asyncio.sleep(0.5)
        held = sum(answer.size for answer in answers)  # type: ignore[attr-defined]
        assert held <= 8 * 2.5 * HIGH_WATER_BYTES
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
        for answer in answers:
            await anext(answer.chunks())
            await anext(answer.chunks())
            await answer.close()

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_slow_upstream_does_not_hold_up_others(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        slow = [asyncio.create_task(engine.send(chat("hangs"))) for _ in range(20)]
        await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            for _ in range(20):
                await read(await engine.send(chat("echo")))
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    run(OpenAIEngine(spec(upstream.url)), story)


def test_a_large_body_to_an_engine_that_does_not_read_is_timed_and_not_doubled() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    body = b"x" * 40_000_000

    async def story(engine: OpenAIEngine) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(EngineTimeout, match="first byte"):
            await engine.send(Call("/v1/chat/completions", body, False))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 24 * 1024

    with listener:
        run(OpenAIEngine(spec(url, timeouts=QUICK)), story)


def test_an_early_refusal_of_a_large_body_is_read() -> None:
    """413 while the body is still going up: the answer counts, the connection does not."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}"

    async def story(engine: OpenAIEngine) -> None:
        answer = await engine.send(Call("/v1/chat/completions", b"x" * 8_000_000, False))
        assert (answer.status, await read(answer)) == (413, b"{}")
        assert await until(lambda: engine.in_flight == 0)

    with scripted([refusal, None]) as server:
        run(OpenAIEngine(spec(server.url)), story)


# TLS.


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed authority that is also the server's certificate for `host`; key and certificate files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "selat test")])
    now = datetime.datetime.now(datetime.UTC)
    alternative: x509.GeneralName = x509.DNSName(host)
    if host[0].isdigit():
        import ipaddress

        alternative = x509.IPAddress(ipaddress.ip_address(host))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "key.pem", folder / "ca.pem"


@contextmanager
def tls_upstream(folder: Path, host: str = "127.0.0.1") -> Iterator[Upstream]:
    key, authority = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    with Upstream(tls=context) as upstream:
        yield upstream


def test_tls_carries_json_streams_and_large_bodies(tmp_path: Path) -> None:
    async def story(engine: OpenAIEngine) -> None:
        assert content(await read(await engine.send(chat("echo", "sulit")))) == "sulit"
        assert (await read(await engine.send(chat("echo", stream=True)))).endswith(b"data: [DONE]\n\n")
        text = "x" * 2_000_000
        assert content(await read(await engine.send(chat("echo", text)))) == text
        answer = await engine.send(chat("endless:0.005", stream=True))
        await anext(answer.chunks())
        await answer.close()
        assert (await engine.health()).ok

    with tls_upstream(tmp_path) as upstream:
        run(OpenAIEngine(spec(upstream.url, ca_file=str(tmp_path / "ca.pem"))), story)
        assert upstream.settles(lambda: upstream.hangups == 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_that_does_not_verify_stops_the_call(tmp_path: Path, known: bool) -> None:
    """An unknown authority, or a known one for another host: nothing is sent."""
    host = "lain.example" if known else "127.0.0.1"
    fields: dict[str, Any] = {"ca_file": str(tmp_path / "ca.pem")} if known else {}
    with tls_upstream(tmp_path, host) as upstream:
        with pytest.raises(EngineUnreachable, match="certificate does not verify"):
            run(OpenAIEngine(spec(upstream.url, **fields)), lambda e: e.send(chat("echo")))
        assert upstream.received == []


def test_tls_to_a_plain_server_is_unreachable(upstream: Upstream) -> None:
    url = upstream.url.replace("http:", "https:")
    with pytest.raises((EngineUnreachable, EngineTimeout), match="laut"):
        run(OpenAIEngine(spec(url, timeouts=Timeouts(connect_s=1.0))), lambda e: e.send(chat("echo")))
