"""The upstream of the benchmarks: a fixed completion, or a stream of 64 events, at full speed or at a pace.

    python bench/mock.py [PORT]         its port is printed first

The model's name says how: `m` answers at once and streams at full speed, each event in a write of its own; `paced`
sends an event each 5 ms, `paced:200:50` fifty of them 200 ms apart. Other fields are not looked at.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

import uvloop

WORDS = "laporan tahunan jabatan ini menyatakan bahawa bekalan beras negeri Kedah naik pada bulan Mac "
EVENTS = 64
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": WORDS * 3}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 50, "completion_tokens": 60, "total_tokens": 110},
}
_MODEL = re.compile(rb'"model":\s*"([a-z]+)(?::(\d+))?(?::(\d+))?"')
_STREAM = re.compile(rb'"stream":\s*true')


def event(text: str, finish: str | None = None) -> bytes:
    """A chunk of about 200 bytes, framed for chunked transfer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish, "logprobs": None}
    body = {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    data = b"data: %b\n\n" % json.dumps({**body, "system_fingerprint": "fp_mock", "choices": [choice]}).encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


_body = json.dumps(REPLY).encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_body), _body)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = [event(f" {word}") for word in WORDS.split()]
LAST = event("", "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Caller(asyncio.Protocol):
    """One connection; requests one after another, each with a length."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer = data = self.buffer + data if self.buffer else data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(data) < end + 4 + length:
                break
            self.answer(data[end + 4 : end + 4 + length])
            self.buffer = data = data[end + 4 + length :]

    def answer(self, body: bytes) -> None:
        # Only the ends of a long body are looked at: the names stand before or after its messages.
        ends = body if len(body) < 2048 else body[:512] + body[-512:]
        found = _MODEL.search(ends)
        if not _STREAM.search(ends):
            self.transport.write(WHOLE)
        elif found is None or found[1] != b"paced":
            self.transport.write(HEAD)
            self.tick(0, EVENTS - 1)
        else:
            self.transport.write(HEAD)
            self.later(int(found[2] or 5) / 1000, int(found[3] or EVENTS))

    def later(self, pace_s: float, left: int) -> None:
        self.timer = self.loop.call_later(pace_s, self.tick, pace_s, left - 1)

    def tick(self, pace_s: float, left: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(PIECES[left % len(PIECES)] if left else LAST)
        if left and pace_s:
            self.later(pace_s, left)
        elif left:
            # Written at the end of this turn of the loop, so that each event leaves by itself.
            self.loop.call_soon(self.tick, pace_s, left - 1)


async def main() -> None:
    loop = asyncio.get_running_loop()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = await loop.create_server(Caller, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
