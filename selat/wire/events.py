"""An answer that streams: each event's texts to the guard, placeholders restored even when events split them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from selat.core.entry import Usage
from selat.core.errors import EngineError, EngineGarbage
from selat.wire.alike import Alike, alike
from selat.wire.body import is_machines, parted, plain_usage, read_usage
from selat.wire.places import JSON_FIELDS, PLAIN_FIELDS, places_in, said_in, unsaid
from selat.wire.shapes import Chunk, PlainEvent, PlainUsage, decode_event, decode_text, decode_texts
from selat.wire.texts import is_long, is_plain, rewrite, says_once, texts

MAX_EVENT_BYTES = 4 * 2**20
_DONE = b"[DONE]"
_NOTHING = b":\n\n"
"""A comment, which keeps a connection alive."""
_BOM = b"\xef\xbb\xbf"
_NAME = re.compile(rb"[A-Za-z][A-Za-z._-]{0,63}").fullmatch
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
_WORDS = frozenset({"role", "type", "finish_reason"})
_MARKS = ("id", "model", "system_fingerprint")
_MOST_BESIDE = 16
"""Fields beside the choices whose last value is known again."""
_MOST_WAYS = 64
"""Fields beside the protocol's that are heard apart; what more there are are heard as one."""
ASIDE = "beside"
"""So the channel begins of what is said beside the choices."""


class Events:
    """Watches one server-sent event stream.

    `feed` takes bytes as they come and gives the bytes to forward at once. Every string goes to `watch`
    with the name of its channel (choice and field), so that texts of different channels never mix; those of
    plain events wait for `tell`, which whoever reads a long stream calls now and then, and `close` in the end.
    What goes on is what was read: the data of an event in which a name stands twice is written anew, and no line
    goes on but data and an event's name. `models` are names of the model asked.
    With `restoring`, a maker of Restoring (its argument: whether the text is JSON inside a string),
    events are rewritten with the caller's own values; where it `hides` others', log probabilities go, too: they
    spell the text token by token.
    Raises: EngineGarbage for an event that is no JSON, or longer than 4 MiB; EngineError for one that tells of an
    error of the engine's, whose words may be anybody's.
    """

    def __init__(
        self,
        engine: str,
        watch: Callable[[str, str], None],
        restoring: Callable[[bool], Restoring] | None = None,
        models: tuple[str, ...] = (),
        hides: bool = False,
    ) -> None:
        self._engine = engine
        self._models = models
        self._hides = hides
        self._watch = watch
        self._restoring = restoring
        self._restorers: dict[tuple[int, str], Restoring] = {}
        self._pending = b""
        self._first = True  # where a byte order mark may stand
        self._as_is = restoring is None  # and nothing pending: whole events are looked at where they stand
        self._beside: dict[str, object] = {}  # the choices, as it was heard last
        self._ways: set[str] = set()
        self._marks: tuple[object, ...] = ()  # of the last plain event
        self._calls: dict[str, list[str]] = {}
        self._room = MAX_EVENT_BYTES  # characters of calls that are still kept
        self._said: list[str] = []  # by plain events, and not told yet
        self._plain: tuple[bytes, str] | None = None  # data and text of the last one that was read
        # How plain events are written, once it is known; its `before` while whole events go on as they came.
        self._alike: Alike | None = None
        self._before: bytes | tuple[bytes, ...] = _NEVER
        self._after = self._joint = b""
        self._start = self._stop = 0
        self._chances = _CHANCES
        self._characters = 0
        self._counted: dict[str, object] | PlainUsage | None = None
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
        if isinstance(self._counted, PlainUsage):
            return plain_usage(self._counted)
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
        self._first = False
        if chunk.startswith(self._before):
            end = chunk.rfind(self._after) + len(self._after)
            if len(self._after) <= end < len(chunk):
                # The last of a stream's events are others than those before them.
                first = self.feed(chunk[:end])
                return first + self.feed(chunk[end:])
        out = []
        at = 0
        while at < len(chunk):
            end = chunk.find(b"\n", at)
            if not chunk.startswith(b"data: ", at) or not chunk.startswith(b"\n\n", end):
                out.append(self._feed(chunk[at:]))
                break
            out.append(self._see(chunk[at + 6 : end]))
            at = end + 2
            # The first text of a stream is not learnt from: its event says who speaks, too, and is like no other.
            if self._plain is not None and self._chances and len(self._said) > 1:
                self._learn(*self._plain)
                if at < len(chunk):
                    out.append(self.feed(chunk[at:]))  # no deeper than there are chances
                break
        return b"".join(out)

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
            return b""
        if self._first:
            self._first = False
            whole = whole.removeprefix(_BOM)
        return b"".join([self._event(event) for event in whole.split(b"\n\n") if event])

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
        rest = self._pending.removeprefix(_BOM if self._first else b"").strip()
        self._pending = b""
        out = self._event(rest) if rest else b""
        self.tell()
        self._hear_calls()
        return out if self.done or self._restoring is None else out + b"".join(self._held_back())

    def _see(self, data: bytes) -> bytes:
        """The data of an event of one line: the text of a plain one is kept for the guard."""
        try:
            event = decode_event(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._read(data) if data.strip(b" ") else _NOTHING
        once = says_once(data, msgspec.json.encode(event))
        self._hear_plain(event)
        choices = event.choices
        for choice in choices:
            index, text = choice.index or 0, choice.delta.content
            if choice.finish_reason:
                self._finished.add(index)
            self._begun.add(index)
            if not text:
                continue
            if index:
                self._characters += len(text)
                self._watch(f"{index}.content", text)
                continue
            self._said.append(text)
            if once and len(choices) == 1 and not choice.finish_reason and not event.usage:
                self._plain = data, text
        if event.usage:
            self._counted = event.usage
        return b"data: %b\n\n" % (data if once else msgspec.json.encode(msgspec.json.decode(data)))

    def _hear_plain(self, event: PlainEvent) -> None:
        """Hear what stands beside the choices of a plain event, where it is not what stood there before."""
        marks = event.id, event.model, event.system_fingerprint
        if marks != self._marks:
            self._marks = marks
            for name, value in zip(_MARKS, marks, strict=True):
                if isinstance(value, str):
                    self._hear_beside(name, value)
        if isinstance(event.obfuscation, str):
            self._hear_beside("obfuscation", event.obfuscation)

    def _hear_beside(self, name: str, value: object) -> None:
        beside = self._beside
        if value is None or (name in beside and beside[name] == value):
            return
        if name in beside or len(beside) < _MOST_BESIDE:
            beside[name] = value
        if not is_machines(name, value, self._models):
            self._look(ASIDE, {name: value})

    def _event(self, event: bytes) -> bytes:
        """An event of any lines, of which its data goes on, and its name where that is a word."""
        data, name = [], b""
        for line in event.split(b"\n"):
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif line.startswith(b"event:"):
                name = line[6:].strip(b" ")
        told = b"\n".join(data)
        if not told.strip(b" "):
            return _NOTHING if event.strip() else b""
        out = self._read(told)
        return b"event: %b\n%b" % (name, out) if _NAME(name) else out

    def _read(self, data: bytes) -> bytes:
        """The data of one event as it goes on, its texts given to the guard. Raises: EngineError."""
        if data.strip(b" ") == _DONE:
            self.done = True
            held = b"".join(self._held_back()) if self._restoring else b""
            return held + b"data: [DONE]\n\n"
        document = self._hear(data)
        try:
            chunk = msgspec.convert(document, Chunk)
        except msgspec.ValidationError:
            raise self._garbage() from None
        if chunk.error:
            raise EngineError(f"engine '{self._engine}' broke off its answer with an error; look into its log")
        self._tell()  # what came before, of the same channel perhaps
        if chunk.usage is not None:
            self._counted = chunk.usage
        for choice in chunk.choices:
            self._begun.add(choice.index)
            if choice.finish_reason:
                self._finished.add(choice.index)
            for field, text in said_in(choice):
                self._characters += len(text)
                self._watch(f"{choice.index}.{field}", text)
                if "." in field or field in JSON_FIELDS:
                    self._hear_call(f"{choice.index}.{field}", text)
        if self._restoring:
            return self._restored(document)
        anew = msgspec.json.encode(document)
        return b"data: %b\n\n" % (data if b"\n" not in data and says_once(data, anew) else anew)

    def _hear(self, data: bytes) -> dict[str, Any]:
        """The document of an event, every string in it given to the guard but those that `said_in` finds, or an
        event before it had at the same place beside its choices. Raises: EngineGarbage."""
        self._marks = ()
        try:
            document = msgspec.json.decode(data)
            if type(document) is not dict:
                raise self._garbage()
            for name, value in document.items():
                if name == "choices":
                    self._hear_choices(value)
                else:
                    self._hear_beside(name, value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._garbage() from None
        return document

    def _hear_choices(self, choices: object) -> None:
        for choice in choices if type(choices) is list else ():
            if type(choice) is not dict:
                raise self._garbage()
            index = choice.get("index", 0)
            if type(index) is not int:
                raise self._garbage()
            for name, value in choice.items():
                if value is None or name in ("index", "text"):
                    continue
                if name == "delta" and type(value) is dict:
                    for field, said in value.items():
                        if said is not None and field not in PLAIN_FIELDS:
                            self._look(f"{index}", {field: unsaid(field, said)})
                else:
                    self._look(f"{index}", {name: value})

    def _look(self, way: str, value: Any, name: str = "") -> None:
        """Give all strings in a value to the guard; those of one field, which may go on from event to event, are
        heard as one."""
        kind = type(value)
        if kind is str:
            if name == "arguments" and "\\" in value:
                for text in texts({name: value}):
                    self._hear_aside(way, f"{text}\n")
            if not (name in _WORDS and is_plain(value)):
                self._hear_aside(way, value + "\n" if name in ("id", "name") or way.startswith(ASIDE) else value)
        elif kind is dict:
            for key, held in value.items():
                if not is_plain(key):
                    self._hear_aside(way, f"{key}\n")
                    self._look(way, held, key)
                elif held is not None:
                    self._look(f"{way}.{key}", held, key)
        elif kind is list:
            for held in value:
                self._look(way, held, name)
        elif value is not None and is_long(value):
            self._hear_aside(way, f"{name} {value}\n")

    def _hear_aside(self, way: str, text: str) -> None:
        if way not in self._ways:
            if len(self._ways) >= _MOST_WAYS:
                way, text = ASIDE, text + "\n"
            else:
                self._ways.add(way)
        self._watch(way, text)

    def _hear_call(self, channel: str, text: str) -> None:
        """Keep a tool call's arguments, which are JSON: what escapes hide in them is heard once they are whole."""
        self._room -= len(text)
        if self._room >= 0:
            self._calls.setdefault(channel, []).append(text)

    def _hear_calls(self) -> None:
        for channel, pieces in self._calls.items():
            arguments = "".join(pieces)
            if "\\" in arguments:
                for text in texts({"arguments": arguments}):
                    self._watch(f"{channel}.read", f"{text}\n")

    def _garbage(self) -> EngineGarbage:
        return EngineGarbage(f"engine '{self._engine}' sent an event that is not the protocol's")

    def _restored(self, document: dict[str, Any]) -> bytes:
        """The event with each text passed through its restorer; text held back comes out before the finish."""
        own, beside = parted(document, self._models)
        choices: Any = beside.pop("choices", None)
        beside = self._rewritten(beside)
        before: list[bytes] = []
        if choices:
            self._last = {key: value for key, value in (own | beside).items() if key != "usage"}
            for choice in choices:
                index = choice.get("index", 0)
                for owner, key, field in places_in(choice.get("delta") or choice):
                    if (index, field) not in self._restorers:
                        before.extend(self._held_back(index))  # where a channel begins, those before it have ended
                    # Already JSON, so that it is not looked at again as what stands around it is.
                    owner[key] = msgspec.Raw(msgspec.json.encode(self._restorer(index, field).feed(owner[key])))
                if choice.get("finish_reason"):
                    before.extend(self._held_back(index))
                if self._hides and choice.get("logprobs") is not None:
                    choice["logprobs"] = None
        if choices is not None:
            own["choices"] = self._rewritten(choices)
        return b"%bdata: %b\n\n" % (b"".join(before), msgspec.json.encode(own | beside))

    def _rewritten(self, document: Any) -> Any:
        altered: Any = rewrite([document], self._alone)
        return altered[0]

    def _alone(self, text: str) -> str:
        """A text that is no part of a longer one, restored."""
        assert self._restoring is not None
        restoring = self._restoring(False)
        return restoring.feed(text) + restoring.close()

    def _restorer(self, index: int, field: str) -> Restoring:
        assert self._restoring is not None
        restorer = self._restorers.get((index, field))
        if restorer is None:
            inside_json = field in JSON_FIELDS or "." in field
            # What others' values may be in is read as JSON, whatever escapes it is spelled with.
            restorer = _Held(self._alone) if self._hides and inside_json else self._restoring(inside_json)
            self._restorers[index, field] = restorer
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
            elif field in JSON_FIELDS:
                choice["delta"] = {field: {"arguments": text}}
            else:
                choice["delta"] = {field: text}
            yield b"data: " + msgspec.json.encode({**self._last, "choices": [choice]}) + b"\n\n"


class _Held:
    """Restores a tool call's arguments once they are whole."""

    def __init__(self, restore: Callable[[str], str]) -> None:
        self._restore = restore
        self._pieces: list[str] = []

    def feed(self, chunk: str) -> str:
        self._pieces.append(chunk)
        return ""

    def close(self) -> str:
        altered: Any = rewrite({"arguments": "".join(self._pieces)}, self._restore)
        return str(altered["arguments"])
