"""Writes of one turn leave together: in order, each socket's in one piece, none to one that closes."""

from __future__ import annotations

import asyncio

from selat.burst import Burst


class Wire:
    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        self._log, self._name = log, name
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self._log.append((self._name, data))


def test_what_is_written_in_a_turn_leaves_when_it_is_over() -> None:
    async def story() -> None:
        log: list[tuple[str, bytes]] = []
        burst, one, other, gone = Burst(), Wire(log, "one"), Wire(log, "other"), Wire(log, "gone")
        for wire, data in ((one, b"1"), (other, b"2"), (gone, b"3"), (one, b"4")):
            burst.write(wire, data)
        assert not log
        gone.closing = True
        await asyncio.sleep(0)
        assert log == [("one", b"14"), ("other", b"2")]
        burst.write(one, b"5")
        await asyncio.sleep(0)
        assert log[2:] == [("one", b"5")]

    asyncio.run(story())


def test_what_is_sent_early_is_sent_once() -> None:
    async def story() -> None:
        log: list[tuple[str, bytes]] = []
        burst, one = Burst(), Wire(log, "one")
        burst.write(one, b"1")
        burst.send()
        burst.write(one, b"2")
        assert log == [("one", b"1")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert log == [("one", b"1"), ("one", b"2")]

    asyncio.run(story())
