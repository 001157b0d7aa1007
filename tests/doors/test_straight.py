"""Files sent by the kernel alone: whole to slow callers, said where it cannot be, nothing closed too early."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from selat.gateway.http import Request
from selat.gateway.straight import send_straight
from selat.models.reading import FileReading

CONTENT = os.urandom(3_000_000)


class Caller:
    """The near end of a connection, as a request would hand it out, and the far end."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.descriptor = -1

    async def vacate(self) -> int | None:
        self.descriptor = os.dup(self.near.fileno())
        return self.descriptor

    @property
    def closed(self) -> bool:
        try:
            os.fstat(self.descriptor)
        except OSError:
            return True
        return False


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.near.close()
    made.far.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def send(caller: Caller, file: Any, left: int, pool: ThreadPoolExecutor, stall_s: float = 20.0) -> Any:
    return send_straight(cast(Request, caller), file, left, pool, stall_s)


def read(far: socket.socket, size_bytes: int) -> bytes:
    """By small bites, as a slow caller does."""
    taken = bytearray()
    while len(taken) < size_bytes and (piece := far.recv(50_000)):
        taken += piece
    return bytes(taken)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_stretch_of_a_file_comes_to_the_byte_however_slowly_it_is_taken(
    caller: Caller, pool: ThreadPoolExecutor, tmp_path: Path, run: Any
) -> None:
    (tmp_path / "file").write_bytes(CONTENT)

    async def story() -> tuple[int, bytes]:
        file = FileReading(tmp_path / "file", 1000, len(CONTENT) - 1000)
        taking = asyncio.to_thread(read, caller.far, len(CONTENT) - 2000)
        left, taken = await asyncio.gather(send(caller, file, len(CONTENT) - 2000, pool), taking)
        file.close()
        return left, taken

    assert run(story()) == (0, CONTENT[1000:-1000])
    assert caller.closed


class Says:
    """A file whose sending goes as it is told."""

    def __init__(self, *said: int | OSError) -> None:
        self._said = list(said)

    def send(self, descriptor: int, size_bytes: int) -> int:
        said = self._said.pop(0)
        if isinstance(said, OSError):
            raise said
        return said


def test_where_the_system_cannot_the_rest_is_left_for_another_way(
    caller: Caller, pool: ThreadPoolExecutor
) -> None:
    file = Says(600, OSError(errno.EINVAL, "Invalid argument"))
    assert asyncio.run(send(caller, file, 1000, pool)) == 400
    assert caller.closed


@pytest.mark.parametrize(
    ("said", "words"),
    [((600, 0), "early"), ((OSError(errno.EIO, "worn out"),), "worn"), ((ConnectionResetError("gone"),), "gone")],
)
def test_a_file_that_ends_early_and_other_trouble_is_raised(
    caller: Caller, pool: ThreadPoolExecutor, said: Any, words: str
) -> None:
    with pytest.raises(OSError, match=words):
        asyncio.run(send(caller, Says(*said), 1000, pool))
    assert caller.closed


def test_a_caller_who_takes_nothing_is_given_up(caller: Caller, pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    file = FileReading(tmp_path / "file", 0, len(CONTENT))
    with pytest.raises(TimeoutError):
        asyncio.run(send(caller, file, len(CONTENT), pool, stall_s=0.2))
    file.close()
    assert caller.closed


def test_what_a_thread_still_sends_by_is_not_closed_when_the_caller_hangs_up(
    caller: Caller, pool: ThreadPoolExecutor
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[bool] = []

    class Slow:
        def send(self, descriptor: int, size_bytes: int) -> int:
            begun.set()
            go_on.wait(20)
            seen.append(caller.closed)
            return size_bytes

    async def story() -> None:
        task = asyncio.create_task(send(caller, Slow(), 1000, pool))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert (seen, caller.closed) == ([False], True)
