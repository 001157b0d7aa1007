"""A desk with the real guard, the real policy and a real journal on disk; only the engines are stand-ins."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from selat.core.caller import Caller
from selat.core.label import LOWEST, Label
from selat.engines import Router
from selat.flows.chat import Desk, Streamed, Whole, chat
from selat.guard import Guard
from selat.ledger import Book, Journal, Sequencer, prepare
from selat.policy import DEFAULT, Decider, PolicySet
from selat.testing import EchoEngine
from selat.wire import APIS, Ask, read_ask

CALLER = Caller("default", "key_1", frozenset({"builder"}), LOWEST, frozenset({"chat"}))


class OneShelf:
    """A shelf of given engines."""

    def __init__(self, engines: Sequence[EchoEngine]) -> None:
        self.engines = engines
        self._found: dict[str, tuple[Any, ...]] = {}

    def lookup(self, model: str) -> tuple[Any, ...]:
        found = tuple(engine for engine in self.engines if model in engine.models)
        # As the real one: the same answer until something changes.
        if self._found.get(model) != found:
            self._found[model] = found
        return self._found[model]

    def models(self) -> tuple[str, ...]:
        return tuple(sorted({model for engine in self.engines for model in engine.models}))


class Office:
    """One desk, its folder, and what was counted."""

    def __init__(self, folder: Path, guard: Guard, *engines: EchoEngine) -> None:
        self.folder = folder
        self.counted: list[Any] = []
        self.signer = prepare(folder, folder / "ledger.key")
        self.journal = Journal(folder, "test")
        self.journal.start()
        ids = (f"R{number:025d}" for number in itertools.count())
        self.desk = Desk(
            guard=guard,
            decider=Decider(PolicySet.load(DEFAULT)),
            shelf=OneShelf(engines),  # type: ignore[arg-type]
            journal=self.journal,
            now=lambda: "2026-11-22T00:00:00.000Z",
            entropy=secrets.token_bytes,
            stamp=lambda: (next(ids), "2026-11-22T00:00:00.000Z"),
            count=self.counted.append,
            router=Router(lambda engine: 1, time.monotonic),
        )

    def ask(self, text: str, *, stream: bool = False, label: Label = LOWEST, **fields: Any) -> Ask:
        document = {"model": "echo", "messages": [{"role": "user", "content": text}], "stream": stream, **fields}
        api = APIS["/v1/chat/completions"]
        return read_ask(api, CALLER, json.dumps(document).encode(), fields.pop("purpose", "chat"), label)

    async def answer(self, ask: Ask) -> tuple[Whole | Streamed, bytes]:
        reply = await chat(self.desk, ask)
        if isinstance(reply, Whole):
            return reply, reply.body
        try:
            return reply, b"".join([chunk async for chunk in chunks(reply)])
        finally:
            reply.close()

    def leaves(self) -> list[dict[str, Any]]:
        """Every entry, integrated by a real sequencer."""
        self.journal.close()
        sequencer = Sequencer(self.folder, self.signer)
        sequencer.start()
        try:
            while sequencer.step():
                pass
        finally:
            sequencer.close()
        return [json.loads(leaf) for leaf in Book(self.folder).entries()]


@asynccontextmanager
async def hung_up(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first chunk of a stream whose caller then leaves."""
    yield await anext(events)


def written(body: bytes) -> Iterator[str]:
    """What a stream's deltas say, piece by piece."""
    for line in body.split(b"\n\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                yield choice["delta"].get("content") or ""


async def chunks(reply: Streamed) -> AsyncIterator[bytes]:
    """The pieces of a stream one by one; the next comes when the last was taken. Leaving early is a hang-up."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[bytes, asyncio.Future[None]] | None] = asyncio.Queue()

    def sink(piece: bytes) -> asyncio.Future[None]:
        taken = loop.create_future()
        arrived.put_nowait((piece, taken))
        return taken

    pouring = loop.create_task(reply.pour(sink))
    pouring.add_done_callback(lambda _: arrived.put_nowait(None))
    try:
        while (item := await arrived.get()) is not None:
            yield item[0]
            item[1].set_result(None)
        await pouring
    finally:
        pouring.cancel()
