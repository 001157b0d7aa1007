"""The host as a process: clients come to a loopback port that a file in the home names, with a secret."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from selat.engines.llama.host import Client, Host
from selat.engines.llama.messages import (
    MAX_LINE_BYTES,
    Ask,
    Drained,
    Forget,
    FromHost,
    Hello,
    Used,
    Want,
    line,
    read_from_client,
)

log = logging.getLogger("selat.models")
HELLO_S = 5.0


class Place(msgspec.Struct, frozen=True):
    """Where a host is to be found, and the secret that it answers to. `pid` is for people."""

    port: int
    secret: str
    pid: int


class Doorway:
    """Takes clients in and hands what they say to the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._secret = secrets.token_urlsafe(24)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> Place:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=MAX_LINE_BYTES)
        return Place(self._server.sockets[0].getsockname()[1], self._secret, os.getpid())

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        client = Client(lambda message: _tell(writer, message))
        try:
            async with asyncio.timeout(HELLO_S):
                hello = read_from_client(await reader.readline())
            if not isinstance(hello, Hello) or not hmac.compare_digest(hello.secret, self._secret):
                log.warning("a client without the host's secret was turned away")
                return
            while said := await reader.readline():
                self._hear(client, read_from_client(said))
        except (OSError, ValueError, TimeoutError, msgspec.DecodeError) as error:
            log.warning("a client of the model host was dropped: %s", type(error).__name__)
        except asyncio.CancelledError:
            pass  # we are closing
        finally:
            self._serving.discard(task)
            self._host.left(client)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def _hear(self, client: Client, said: object) -> None:
        match said:
            case Want(handle, name, spec):
                self._host.want(client, handle, name, spec)
            case Drained(handle):
                self._host.drained(client, handle)
            case Used(handle):
                self._host.used(client, handle)
            case Forget(handle):
                self._host.forget(client, handle)
            case Ask():
                client.tell(self._host.state())


def _tell(writer: asyncio.StreamWriter, message: FromHost) -> None:
    if not writer.is_closing():
        writer.write(line(message))


def hold(budget: int, place: Path | None) -> None:
    """Hold models of `budget` bytes together until told to stop. Where to find us goes into the file `place`, or
    for whoever started us to standard output.
    """

    def announce(found: Place) -> None:
        if place is None:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            sys.stdout.flush()
        else:
            write_place(place, found)

    async def whole() -> None:
        await keep(Host(budget, free_memory), announce)

    try:
        asyncio.run(whole())
    finally:
        if place is not None and (last := read_place(place)) is not None and last.pid == os.getpid():
            place.unlink(missing_ok=True)


async def keep(host: Host, announce: Callable[[Place], None]) -> None:
    """Serve until SIGTERM, or until standard input ends: whoever started us is then gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_until_input_ends, args=(loop, stop), daemon=True).start()
    doorway = Doorway(host)
    announce(await doorway.open())
    running = asyncio.create_task(host.run())
    try:
        await stop.wait()
    finally:
        await doorway.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _until_input_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not by sys.stdin: a thread that holds its lock when the interpreter ends is a fatal error.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


def write_place(path: Path, place: Place) -> None:
    """Put it where only the home's owner can read it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(place))
    fresh.replace(path)


def read_place(path: Path) -> Place | None:
    """Where a host said it is; None where none did, or where it was killed since."""
    try:
        place = msgspec.json.decode(path.read_bytes(), type=Place)
        if sys.platform != "win32":
            os.kill(place.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return place


def free_memory() -> int:
    """Bytes the machine can still give without swapping; a great deal where that cannot be told."""
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 1 << 62


def whole_memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
