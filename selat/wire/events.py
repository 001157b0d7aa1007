"""An answer that streams: each event's texts to the guard, placeholders restored even when events split them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from selat.core.entry import Usage
from selat.core.errors import EngineError, EngineGarbage
from selat.wire.alike import Alike, alike
from selat.wire.body import read_usage
from selat.wire.shapes import (
    Choice,
    Chunk,
    decode_chunk,
    decode_plain_chunk,
    decode_text,
    decode_texts,
)

MAX_EVENT_BYTES = 4 * 2**20
_DONE = b"[DONE]"
_CR = 0x0D  # as a number, which is found in bytes three times as fast as bytes are


class Restoring(Protocol):
    """Restores a text that arrives in pieces, holding back only what may be a split placeholder."""

    def feed(self, chunk: str) -> str: ...
    def close(self) -> str: ...


_FIRST_CONTENT = "0.content"
_CHANCES = 4
"""So often it may be learnt how plain events are written, until it served: it costs as much as to read six."""
_SERVED = 16
"""Texts between two times of `tell` from which on it has."""
_NEVER: tuple[bytes, ...] = ()  # what nothing begins with
_JSON_FIELDS = ("function_call",)
_PLAIN_FIELDS = ("content", "reasoning_content", "reasoning", "refusal")


class Events:
    """Watches one server-sent event stream.

    `feed` takes bytes as they come and gives the bytes to forward at once. Every text goes to `watch`
    with the name of its channel (choice and field), so that texts of different channels never mix; those of
    plain events wait for `tell`, which whoever reads a long stream calls now and then, and `close` in the end.
    With `restoring`, a maker of Restoring (its argument: whether the text is JSON inside a string),
    events are rewritten with the caller's own values.
    Raises: EngineGarbage for an event that is no JSON, or longer than 4 MiB; EngineError for one that tells of an
    error of the engine's, whose words may be anybody's.
    """

    def __init__(
        self,
        engine: str,
        watch: Callable[[str, str], None],
        restoring: Callable[[bool], Restoring] | None = None,
    ) -> None:
        self._engine = engine
        self._watch = watch
        self._restoring = restoring
        self._restorers: dict[tuple[int, str], Restoring] = {}
        self._pending = b""
        self._as_is = restoring is None  # and nothing pending: whole events go on as they came
        self._said: list[str] = []  # by plain events, and not told yet
        self._plain: tuple[bytes, str] | None = None  # data and text of the last one that was read
        # How plain events are written, once it is known; its `before` while whole events go on as they came.
        self._alike: Alike | None = None
        self._before: bytes | tuple[bytes, ...] = _NEVER
        self._after = self._joint = b""
        self._start = self._stop = 0
        self._chances = _CHANCES
        self._characters = 0
        self._counted: dict[str, object] | None = None
        self._last: dict[str, object] = {}
        self._begun: set[int] = set()  # choices
        self._finished: set[int] = set()
        self.done = False

    @property
    def ended(self) -> bool:
        """Whether the engine has said that this is all: by `[DONE]`, or by how each choice finished."""
        return self.done or (bool(self._finished) and self._begun <= self._finished)

    @property
    def usage(self) -> Usage:
        if self._counted is not None:
            return read_usage(self._counted, [])
        return Usage(0, (self._characters + 3) // 4, "estimate") if self._characters else Usage()

    def feed(self, chunk: bytes) -> bytes:
        if chunk.startswith(self._before) and chunk.endswith(self._after):
            text = chunk[self._start : self._stop]
            try:
                self._said.append(decode_text(text))
                return chunk
            except (msgspec.MsgspecError, UnicodeDecodeError):
                if self._hear_several(chunk, text):
                    return chunk
        return self._feed_lines(chunk)

    def _hear_several(self, chunk: bytes, texts: bytes) -> bool:
        """Keep what plain events of one read say; `texts` goes from the text of the first to that of the last."""
        each = [*map(self._text_of, chunk[:-1].split(b"\n")[::2])]
        if self._joint.join(each) != texts or _CR in texts:
            return False
        try:
            said = decode_texts(b"[%b]" % b",\n".join(each))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        # One that is more than a string made more; none swallows the next, for none has a line's end.
        if len(said) != len(each):
            return False
        self._said += said
        return True

    def _feed_lines(self, chunk: bytes) -> bytes:
        """Whole events of one line, as engines send them, alone or several; what is not goes on to `_feed`."""
        if not self._as_is or _CR in chunk or not chunk.startswith(b"data: "):
            return self._feed(chunk)
        if chunk.startswith(self._before):
            end = chunk.rfind(self._after) + len(self._after)
            if len(self._after) <= end < len(chunk):
                # The last of a stream's events are others than those before them.
                self.feed(chunk[:end])
                self.feed(chunk[end:])
                return chunk
        at = 0
        while at < len(chunk):
            end = chunk.find(b"\n", at)
            if not chunk.startswith(b"data: ", at) or not chunk.startswith(b"\n\n", end):
                self._feed(chunk[at:])
                break
            self._see(chunk[at + 6 : end])
            at = end + 2
            # The first text of a stream is not learnt from: its event says who speaks, too, and is like no other.
            if self._plain is not None and self._chances and len(self._said) > 1:
                self._learn(*self._plain)
                if at < len(chunk):
                    self.feed(chunk[at:])  # no deeper than there are chances
                break
        return chunk

    def _learn(self, data: bytes, text: str) -> None:
        """How plain events are written, from the data and text of one."""
        self._plain = None
        self._chances -= 1
        known = alike(data, text)
        if known is not None:
            self._alike = known
            self._before, self._after, self._start, self._stop, self._joint = known
            self._text_of = itemgetter(slice(self._start, self._stop + 2))  # of a line, whose end is left out

    def _feed(self, chunk: bytes) -> bytes:
        """Any bytes at all, cut anywhere."""
        data = self._pending + chunk if self._pending else chunk
        if b"\r" in data:
            # Only whole events are rewritten, so a CR that ends the data waits for its LF.
            tail = b"\r" if data.endswith(b"\r") else b""
            data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        end = data.rfind(b"\n\n")
        whole, self._pending = (b"", data) if end < 0 else (data[: end + 2], data[end + 2 :])
        self._as_is = self._restoring is None and not self._pending
        self._before = self._alike.before if self._as_is and self._alike is not None else _NEVER
        if len(self._pending) > MAX_EVENT_BYTES:
            raise EngineGarbage(f"engine '{self._engine}' sent an event longer than {MAX_EVENT_BYTES} bytes")
        if not whole:
            return b"" if self._restoring else chunk
        out = [self._event(event) for event in whole.split(b"\n\n") if event]
        return b"".join(out) if self._restoring else chunk

    def tell(self) -> None:
        """Give `watch` what plain events said since the last time. Raises: as `watch` does."""
        if len(self._said) >= _SERVED:
            self._chances = _CHANCES
        self._tell()

    def _tell(self) -> None:
        if self._said:
            text = "".join(self._said)
            self._said.clear()
            if text:
                self._begun.add(0)
                self._characters += len(text)
                self._watch(_FIRST_CONTENT, text)

    def close(self) -> bytes:
        """What is left when the stream ends: an unfinished event, and text held back by a restorer."""
        rest = self._pending.strip()
        self._pending = b""
        out = self._event(rest) if rest else b""
        self.tell()
        if self._restoring is None:
            return b""
        return out if self.done else out + b"".join(self._held_back())

    def _see(self, data: bytes) -> None:
        """The data of an event of one line: the text of a plain one is kept for the guard."""
        try:
            text = decode_plain_chunk(data).choices[0].delta.content
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if data := data.lstrip(b" "):
                self._read(data)
            return
        if text:
            self._said.append(text)
            self._plain = data, text

    def _event(self, event: bytes) -> bytes:
        data = b"\n".join(line[5:].lstrip(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))
        if not data:
            return event + b"\n\n"
        chunk = self._read(data)
        if chunk is None:
            held = b"".join(self._held_back()) if self._restoring else b""
            return held + event + b"\n\n"
        return self._restored(data) if self._restoring and chunk.choices else event + b"\n\n"

    def _read(self, data: bytes) -> Chunk | None:
        """The data of one event, its texts given to the guard; None for the last. Raises: EngineError."""
        if data == _DONE:
            self.done = True
            return None
        try:
            chunk = decode_chunk(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise EngineGarbage(f"engine '{self._engine}' sent an event that is not the protocol's") from None
        if chunk.error:
            raise EngineError(f"engine '{self._engine}' broke off its answer with an error; look into its log")
        self._tell()  # what came before, of the same channel perhaps
        if chunk.usage is not None:
            self._counted = chunk.usage
        for choice in chunk.choices:
            self._begun.add(choice.index)
            if choice.finish_reason:
                self._finished.add(choice.index)
            for field, text in _texts(choice):
                self._characters += len(text)
                self._watch(f"{choice.index}.{field}", text)
        return chunk

    def _restored(self, data: bytes) -> bytes:
        """The event with each text passed through its restorer; text held back comes out before the finish."""
        document = msgspec.json.decode(data)
        self._last = {key: value for key, value in document.items() if key not in ("choices", "usage")}
        before: list[bytes] = []
        for choice in document["choices"]:
            index = choice.get("index", 0)
            holder = choice.get("delta") or choice
            for owner, key, field in _places(holder):
                if (index, field) not in self._restorers:
                    before.extend(self._held_back(index))  # where a channel begins, those before it have ended
                owner[key] = self._restorer(index, field).feed(owner[key])
            if choice.get("finish_reason"):
                before.extend(self._held_back(index))
        return b"".join(before) + b"data: " + msgspec.json.encode(document) + b"\n\n"

    def _restorer(self, index: int, field: str) -> Restoring:
        assert self._restoring is not None
        restorer = self._restorers.get((index, field))
        if restorer is None:
            restorer = self._restorers[index, field] = self._restoring(field in _JSON_FIELDS or "." in field)
        return restorer

    def _held_back(self, only: int | None = None) -> Iterator[bytes]:
        for index, field in [key for key in self._restorers if only is None or key[0] == only]:
            text = self._restorers.pop((index, field)).close()
            if not text:
                continue
            choice: dict[str, object] = {"index": index, "finish_reason": None}
            if field == "text":
                choice["text"] = text
            elif field.startswith("tool_calls."):
                call = {"index": int(field.removeprefix("tool_calls.")), "function": {"arguments": text}}
                choice["delta"] = {"tool_calls": [call]}
            elif field in _JSON_FIELDS:
                choice["delta"] = {field: {"arguments": text}}
            else:
                choice["delta"] = {field: text}
            yield b"data: " + msgspec.json.encode({**self._last, "choices": [choice]}) + b"\n\n"


def _texts(choice: Choice) -> Iterator[tuple[str, str]]:
    delta = choice.delta
    if choice.text:
        yield "text", choice.text
    if delta is None:
        return
    if delta.content:
        yield "content", delta.content
    for field in _PLAIN_FIELDS[1:]:
        if text := getattr(delta, field):
            yield field, text
    for call in delta.tool_calls or ():
        if call.function and call.function.arguments:
            yield f"tool_calls.{call.index}", call.function.arguments
    if delta.function_call and delta.function_call.arguments:
        yield "function_call", delta.function_call.arguments


def _places(holder: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Where texts stand in a delta: the object, its key there, the channel's name. Empty ones begin nothing."""
    for field in (*_PLAIN_FIELDS, "text"):
        if holder.get(field) and isinstance(holder[field], str):
            yield holder, field, field
    functions = [(f"tool_calls.{call.get('index', 0)}", call) for call in holder.get("tool_calls") or ()]
    for channel, call in (*functions, ("function_call", {"function": holder.get("function_call")})):
        function = call.get("function")
        if isinstance(function, dict) and function.get("arguments"):
            yield function, "arguments", channel
