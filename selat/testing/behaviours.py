"""How a scripted upstream may behave, by the model's name: well, slowly, or badly in one of many ways.

A name may carry an argument after `:` (`echo:3` streams three characters an event, `slow:0.05` waits 50 ms
before each, `fat:1000000` answers with a body of that size). `BEHAVIOURS` is the list.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from selat.testing import replies


@dataclass(slots=True)
class Exchange:
    """One request as received, and the wire to answer on. `broken` is what the client's leaving raises."""

    path: str
    ask: dict[str, Any]
    argument: str
    writer: asyncio.StreamWriter

    @property
    def streamed(self) -> bool:
        return bool(self.ask.get("stream"))

    @property
    def number(self) -> float:
        return float(self.argument or 0)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, kind: str, *lines: str) -> None:
        fields = "".join(f"{line}\r\n" for line in lines)
        await self.write(f"HTTP/1.1 {status} Upstream\r\nContent-Type: {kind}\r\n{fields}\r\n".encode())

    async def json(self, body: bytes, status: int = 200, *lines: str) -> None:
        await self.head(status, "application/json", f"Content-Length: {len(body)}", *lines)
        await self.write(body)

    async def start_events(self) -> None:
        await self.head(200, "text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")

    async def chunk(self, data: bytes) -> None:
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.write(b"0\r\n\r\n")

    def drop(self) -> None:
        self.writer.transport.abort()

    @property
    def text(self) -> str:
        return replies.last_text(self.ask)

    def events(self, size: int = 16) -> Iterator[bytes]:
        return replies.text_events(self.ask, self.text, size)

    def whole(self) -> bytes:
        if self.path.endswith("/embeddings"):
            return replies.embeddings(self.ask)
        if self.path.endswith("/rerank"):
            return replies.rerank(self.ask)
        make = replies.chat if "messages" in self.ask else replies.completion
        return make(self.ask, self.text)


Behaviour = Callable[[Exchange], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[getattr(function, "__name__", "").replace("_", "-")] = function
    return function


@behaviour
async def echo(x: Exchange) -> None:
    """Answers with the last message; streams `echo:N` characters an event (16)."""
    if not x.streamed:
        return await x.json(x.whole())
    await x.start_events()
    for event in x.events(int(x.number) or 16):
        await x.chunk(event)
    await x.end()


@behaviour
async def prompt(x: Exchange) -> None:
    """Answers with the whole request body it got, as JSON text."""
    await x.json(replies.chat(x.ask, json.dumps(x.ask, ensure_ascii=False)))


@behaviour
async def tools(x: Exchange) -> None:
    """Calls the first tool, with the last message as the argument `text`."""
    arguments = json.dumps({"text": x.text}, ensure_ascii=False)
    if not x.streamed:
        return await x.json(replies.tool_call(x.ask, arguments))
    await x.start_events()
    for event in replies.tool_events(x.ask, arguments, int(x.number) or 5):
        await x.chunk(event)
    await x.end()


RESPELLED = (
    "<{0}_{1}>",
    "<{0} {1}>",
    "&lt;{0}_{1}&gt;",
    "\\<{0}\\_{1}\\>",
    "{0}_{1}",
    "**<{0}_{1}>**",
    "< {0}_{1} >",
)
"""How models write a placeholder when they do not copy it: `MYKAD` and `1` become each of these, in both cases."""


@behaviour
async def respells(x: Exchange) -> None:
    """Answers with the placeholders it was sent, each in every spelling of a careless model, a line each.

    With tools it calls the first, with those lines as the argument `text`. `respells:N`: characters an event (1).
    """
    found = dict.fromkeys(re.findall(r"<([A-Z_]+)_([0-9]+)>", x.text))
    lines = [
        form.format(word, number) for kind, number in found for word in (kind, kind.lower()) for form in RESPELLED
    ]
    said, size = "\n".join(lines), int(x.number) or 1
    if "tools" in x.ask:
        arguments = json.dumps({"text": said}, ensure_ascii=False)
        events = replies.tool_events(x.ask, arguments, size)
        whole = replies.tool_call(x.ask, arguments)
    else:
        events, whole = replies.text_events(x.ask, said, size), replies.chat(x.ask, said)
    if not x.streamed:
        return await x.json(whole)
    await x.start_events()
    for event in events:
        await x.chunk(event)
    await x.end()


@behaviour
async def raw(x: Exchange) -> None:
    """Answers with the very bytes that the last message gives in base64, as events where they are asked for.

    `raw:STATUS` (200), or `raw:CHARSET` for the type.
    """
    said, number = base64.b64decode(x.text), x.argument.isdigit()
    kind = "text/event-stream" if x.streamed else "application/json"
    charset = f"; charset={x.argument}" if x.argument and not number else ""
    await x.head(int(x.argument) if number else 200, kind + charset, f"Content-Length: {len(said)}")
    await x.write(said)


@behaviour
async def slow(x: Exchange) -> None:
    """Waits `slow:SECONDS` (0.02) before each event, or before the reply."""
    delay = x.number or 0.02
    if not x.streamed:
        await asyncio.sleep(delay)
        return await x.json(x.whole())
    await x.start_events()
    for event in x.events():
        await asyncio.sleep(delay)
        await x.chunk(event)
    await x.end()


@behaviour
async def endless(x: Exchange) -> None:
    """Streams events until the client leaves, `endless:SECONDS` apart (0: as fast as they are read)."""
    await x.start_events()
    event = next(replies.text_events({**x.ask, "model": "endless"}, "x", 1))
    while True:
        await x.chunk(event)
        if x.number:
            await asyncio.sleep(x.number)


@behaviour
async def tells(x: Exchange) -> None:
    """Tells a story without end, a word every `tells:SECONDS`, some of it Markdown."""
    await x.start_events()
    story = ("Pada", " suatu", " hari,", " **kapal**", " itu", " belayar.", "\n\n", "- satu\n", "- dua\n\n")
    ask = {**x.ask, "model": "tells"}
    events = [list(replies.text_events(ask, words, len(words)))[1] for words in story]
    while True:
        for event in events:
            await x.chunk(event)
            if x.number:
                await asyncio.sleep(x.number)


@behaviour
async def dies(x: Exchange) -> None:
    """Breaks the connection after `dies:N` events (2), or half-way through a JSON body."""
    if not x.streamed:
        body = x.whole()
        await x.head(200, "application/json", f"Content-Length: {len(body)}")
        await x.write(body[: len(body) // 2])
        return x.drop()
    await x.start_events()
    for number, event in enumerate(x.events(4)):
        if number == (int(x.number) or 2):
            break
        await x.chunk(event)
    await asyncio.sleep(0.02)
    x.drop()


@behaviour
async def refuses(x: Exchange) -> None:
    """Closes without a byte of answer."""
    x.drop()


@behaviour
async def hangs(x: Exchange) -> None:
    """Takes the request and never answers."""
    await asyncio.sleep(3600)


@behaviour
async def hangs_midway(x: Exchange) -> None:
    """Streams two events, then nothing more."""
    await x.start_events()
    events = x.events(4)
    await x.chunk(next(events))
    await x.chunk(next(events))
    await asyncio.sleep(3600)


@behaviour
async def garbage(x: Exchange) -> None:
    """Answers with what is not HTTP."""
    await x.write(b"\x00\x01 this is not HTTP at all\r\n\r\n")


@behaviour
async def garbage_json(x: Exchange) -> None:
    """HTTP is in order; the JSON, or the second event, is not."""
    if not x.streamed:
        return await x.json(b'{"choices": [{"index": 0, "mess')
    await x.start_events()
    await x.chunk(next(x.events()))
    await x.chunk(b"data: {not json\n\n")
    await x.end()


@behaviour
async def short(x: Exchange) -> None:
    """Promises more bytes than it sends, then closes."""
    body = x.whole()
    await x.head(200, "application/json", f"Content-Length: {len(body) + 10}")
    await x.write(body)
    x.writer.close()


@behaviour
async def long(x: Exchange) -> None:
    """Sends more bytes than it promised: they would answer the next request, if anybody let them."""
    body = x.whole()
    await x.head(200, "application/json", f"Content-Length: {len(body)}")
    await x.write(body + b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"forged"')


@behaviour
async def both_lengths(x: Exchange) -> None:
    """Content-Length and chunked at once, the mark of a smuggled answer."""
    await x.head(200, "application/json", "Content-Length: 5", "Transfer-Encoding: chunked")
    await x.chunk(x.whole())
    await x.end()


@behaviour
async def huge_headers(x: Exchange) -> None:
    """A head of a megabyte."""
    await x.json(x.whole(), 200, *(f"X-Filler-{n}: {'f' * 1000}" for n in range(1000)))


@behaviour
async def endless_header(x: Exchange) -> None:
    """One header line that never ends."""
    await x.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while True:
        await x.write(b"f" * 4096)


@behaviour
async def error(x: Exchange) -> None:
    """Fails with `error:STATUS` (500); the message repeats the prompt, as some servers do."""
    status = int(x.number) or 500
    await x.json(replies.error(status, f"cannot serve: {x.text}"), status)


@behaviour
async def redirect(x: Exchange) -> None:
    """Sends the caller elsewhere."""
    await x.json(b"{}", 307, "Location: http://127.0.0.1:9/v1/chat/completions")


@behaviour
async def compressed(x: Exchange) -> None:
    """Compresses although nobody asked."""
    await x.json(gzip.compress(x.whole()), 200, "Content-Encoding: gzip")


@behaviour
async def until_close(x: Exchange) -> None:
    """A body that ends with the connection, HTTP/1.0's way."""
    await x.head(200, "text/event-stream" if x.streamed else "application/json", "Connection: close")
    for piece in x.events() if x.streamed else [x.whole()]:
        await x.write(piece)
    x.writer.close()


@behaviour
async def trailers(x: Exchange) -> None:
    """Chunked JSON with extensions and trailers that must change nothing."""
    body = x.whole()
    await x.head(200, "application/json", "Transfer-Encoding: chunked")
    await x.write(b"5;ext=1\r\n%b\r\n%x\r\n%b\r\n" % (body[:5], len(body) - 5, body[5:]))
    await x.write(b"0\r\nContent-Type: text/html\r\nX-Sum: 1\r\n\r\n")


@behaviour
async def interim(x: Exchange) -> None:
    """Says 100 and 103 first."""
    await x.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
    await echo(x)


@behaviour
async def switches(x: Exchange) -> None:
    """Switches protocols unasked."""
    await x.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nhello")


@behaviour
async def nothing(x: Exchange) -> None:
    """204, no body."""
    await x.write(b"HTTP/1.1 204 No Content\r\n\r\n")


@behaviour
async def says_close(x: Exchange) -> None:
    """A good reply, and the connection closed after it."""
    await x.json(x.whole(), 200, "Connection: close")
    x.writer.close()


@behaviour
async def goes_quietly(x: Exchange) -> None:
    """A good reply that promises to keep the connection, which is then closed at the next request."""
    await x.json(x.whole())
    x.argument = "close-next"


@behaviour
async def fat(x: Exchange) -> None:
    """`fat:BYTES` (1 MB) of JSON string."""
    await x.json(b'"' + b"x" * (int(x.number) or 1_000_000) + b'"')
