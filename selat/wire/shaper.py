"""Turns chat completions, whole or streaming, into the answers of another protocol, one block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from selat.core.errors import EngineGarbage
from selat.wire.turn import (
    REFUSAL,
    TEXT,
    THINKING,
    TOOL,
    Block,
    Choice,
    Completion,
    ToolCall,
    Turn,
    read_completion,
)

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
MAX_EVENT_BYTES = 4 * 2**20
_DONE = b"[DONE]"

Event = dict[str, object]


class Shaper(Protocol):
    """Makes the caller's bytes of one answer: `whole` for one in a piece, else `feed` and `close`."""

    def whole(self, status: int, body: bytes) -> tuple[bytes, str]:
        """The body and its content type; an engine's refusal has a status other than 200."""
        ...

    def feed(self, chunk: bytes) -> bytes: ...
    def close(self) -> bytes: ...
    def fail(self, status: int, error: dict[str, object]) -> bytes:
        """The events that tell of an error (OpenAI's error object) after the answer has begun."""
        ...


class Shaping:
    """What both protocols share. They say how a turn begins, its blocks open, grow and shut, and how it ends.

    One block is open at a time. What comes for another while a tool call is open waits until the end: its
    arguments may still go on, and neither protocol lets a block be reopened.
    """

    def __init__(self, stream: bool) -> None:
        self.stream = stream
        self.turn = Turn()
        self._pending = b""
        self._begun = self._ended = False
        self._open: tuple[str, Block] | None = None
        self._waiting: dict[str, Block] = {}

    # A protocol says these.

    def begin(self) -> Iterable[Event]:
        raise NotImplementedError

    def opened(self, block: Block) -> Iterable[Event]:
        raise NotImplementedError

    def grew(self, block: Block, text: str, logprobs: list[dict[str, object]]) -> Iterable[Event]:
        raise NotImplementedError

    def annotated(self, block: Block, annotation: dict[str, object]) -> Iterable[Event]:
        raise NotImplementedError

    def shut(self, block: Block) -> Iterable[Event]:
        raise NotImplementedError

    def ended(self) -> Iterable[Event]:
        raise NotImplementedError

    def document(self) -> dict[str, object]:
        """The whole answer."""
        raise NotImplementedError

    def refused(self, status: int, error: dict[str, object]) -> dict[str, object]:
        """An error's body."""
        raise NotImplementedError

    def wants(self, kind: str) -> bool:
        """Whether the caller is shown blocks of that kind."""
        return True

    # Shaper

    def whole(self, status: int, body: bytes) -> tuple[bytes, str]:
        if status != 200:
            return msgspec.json.encode(self.refused(status, _error(body))), JSON
        completion = read_completion(body)
        told = framed([*self._take(completion), *self._end()])
        return (told, EVENTS) if self.stream else (msgspec.json.encode(self.document()), JSON)

    def feed(self, chunk: bytes) -> bytes:
        data = (self._pending + chunk).replace(b"\r\n", b"\n")
        *events, self._pending = data.split(b"\n\n")
        if len(self._pending) > MAX_EVENT_BYTES:
            raise EngineGarbage(f"the engine sent an event longer than {MAX_EVENT_BYTES} bytes")
        return framed(told for event in events for told in self._event(event))

    def close(self) -> bytes:
        rest, self._pending = self._pending.strip(), b""
        return framed([*self._event(rest), *self._end()])

    def _event(self, event: bytes) -> Iterator[Event]:
        data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if data == _DONE:
            yield from self._end()
        elif data:
            yield from self._take(read_completion(data))

    def _take(self, completion: Completion) -> Iterator[Event]:
        turn = self.turn
        turn.usage = completion.usage or turn.usage
        turn.grounding = completion.selat or turn.grounding
        if not self._begun:
            self._begun = True
            turn.id, turn.model = completion.id or "", completion.model or ""
            turn.created = int(completion.created or 0)
            yield from self.begin()
        for choice in completion.choices:
            if choice.index == 0:  # these protocols give one answer
                yield from self._choice(choice)

    def _choice(self, choice: Choice) -> Iterator[Event]:
        said = choice.said
        if thought := said.reasoning_content or said.reasoning:
            yield from self._say(THINKING, Block(THINKING), thought)
        if said.content:
            yield from self._say(TEXT, Block(TEXT), said.content, choice.token_logprobs)
        if said.refusal:
            yield from self._say(REFUSAL, Block(REFUSAL), said.refusal)
        for place, call in enumerate(said.tool_calls or ()):
            yield from self._call(place, call)
        for annotation in said.annotations or ():
            if self._open is not None:
                self._open[1].annotations.append(annotation)
                yield from self.annotated(self._open[1], annotation)
        if choice.finish_reason:
            self.turn.finish = choice.finish_reason
            self.turn.stopped_by = choice.stop_reason if isinstance(choice.stop_reason, str) else None

    def _call(self, place: int, call: ToolCall) -> Iterator[Event]:
        number = place if call.index is None else call.index
        function = call.function
        block = Block(TOOL, call_id=call.id or f"call_{number}", name=(function and function.name) or "")
        yield from self._say(f"{TOOL}.{number}", block, (function and function.arguments) or "")

    def _say(
        self, channel: str, fresh: Block, text: str, logprobs: list[dict[str, object]] | None = None
    ) -> Iterator[Event]:
        """`text` goes on in its channel's block; `fresh` becomes that block where there is none."""
        if not self.wants(fresh.kind):
            return
        if self._open is not None and self._open[0] != channel:
            if self._open[1].kind == TOOL:
                self._waiting.setdefault(channel, fresh).pieces.append(text)
                return
            yield from self._shut()
        if self._open is None:
            self._open = channel, fresh
            yield from self._opened(fresh)
        block = self._open[1]
        block.pieces.append(text)
        block.logprobs.extend(logprobs or ())
        if text:
            yield from self.grew(block, text, logprobs or [])

    def _opened(self, block: Block) -> Iterable[Event]:
        block.index = len(self.turn.blocks)
        self.turn.blocks.append(block)
        return self.opened(block)

    def _shut(self) -> Iterable[Event]:
        open_, self._open = self._open, None
        return self.shut(open_[1]) if open_ is not None else ()

    def _end(self) -> Iterator[Event]:
        if self._ended or not self._begun:
            return
        self._ended = True
        yield from self._shut()
        for block in self._waiting.values():
            yield from self._opened(block)
            yield from self.grew(block, block.text, [])
            yield from self.shut(block)
        yield from self.ended()


def framed(events: Iterable[Event]) -> bytes:
    """Server-sent events, each under the name that its `type` gives."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event)) for event in events
    )


def _error(body: bytes) -> dict[str, object]:
    """OpenAI's error object in a body; a bare one where the engine gave none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if isinstance(document, dict):
        error = document.get("error", document)
        if isinstance(error, dict):
            return error
        if isinstance(error, str):
            return {"message": error}
    return {"message": "the engine refused the request and gave no reason"}
