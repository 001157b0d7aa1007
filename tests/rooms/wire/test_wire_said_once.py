"""Every string that any reader of JSON could find in what goes to a caller was given to the guard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import EngineError, EngineGarbage
from selat.wire import AnswerBody, Events, read_answer, read_refusal
from selat.wire.body import is_machines
from selat.wire.texts import LONG_BYTES, says_once

MODELS = ("qwen3-8b",)
# Each is known again in whatever it is heard in; none is a word, which names and roles may be unheard.
SAID = [
    *("IC#10", 'ta"nda#11', "\\u0022#12", "茶#13", "\n#14", "\x7f#15", "\U0001f600#16"),
    '{"a#20":"b#21"}',
    '{"a#22":"c#23","a#22":"d#24"}',
    '{"a#25":"\\u0065#26"}',
    '["e#27"]',
]  # fmt: skip
NAMES = [
    *("id", "object", "created", "model", "choices", "usage", "index", "delta", "message", "text", "content"),
    *("role", "type", "refusal", "tool_calls", "function", "name", "arguments", "logprobs", "token", "audio"),
    *("finish_reason", "data", "embedding", "system_fingerprint", "obfuscation", "error", "Content", "x", "x#30"),
]
WORDS = ["stop", "assistant", "chat.completion", "list", "embedding", "qwen3-8b", "chat.completion.chunk"]
OURS = ("function", "AAAAPwAAgD4=", "invalid_request_error")
LEAVES = (
    st.none()
    | st.sampled_from([0, 1, -1, 0.5, 1760000000, 900101145678, True])
    | st.sampled_from(SAID)
    | st.sampled_from(WORDS)
)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
TEXTS = st.none() | st.sampled_from(SAID)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "index": st.integers(0, 1),
            "function": st.fixed_dictionaries({"arguments": TEXTS}, optional={"name": TEXTS}),
        },
        optional={"id": TEXTS, "type": st.just("function")},
    ),
    max_size=2,
)
SPOKEN = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": TEXTS,
        "reasoning_content": TEXTS,
        "refusal": TEXTS,
        "tool_calls": CALLS | st.none(),
        "function_call": st.fixed_dictionaries({"arguments": TEXTS}),
        "audio": ANY,
        "x": ANY,
    },
)
BESIDE: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["chatcmpl-8d7f3b6c2a9e4f1d8c5b7a6e3f2d1c0b", *SAID]),
    "object": st.sampled_from(WORDS),
    "created": st.sampled_from([1760000000, 900101145678]),
    "model": st.sampled_from([*MODELS, *SAID]),
    "usage": st.just({"prompt_tokens": 3, "completion_tokens": 5}) | st.just({"prompt_tokens": 3, "x": "IC#10"}),
    "system_fingerprint": TEXTS,
    "x": ANY,
}


def spoken(where: str) -> st.SearchStrategy[dict[str, Any]]:
    choice = st.fixed_dictionaries(
        {where: SPOKEN},
        optional={
            "index": st.integers(0, 1),
            "finish_reason": st.sampled_from([None, "stop"]),
            "text": TEXTS,
            "logprobs": ANY,
        },
    )
    return st.fixed_dictionaries({"choices": st.lists(choice, max_size=2)}, optional=BESIDE)


VECTORS = st.fixed_dictionaries(
    {
        "data": st.lists(
            st.fixed_dictionaries(
                {"embedding": st.just([0.5, 0.25]) | st.just("AAAAPwAAgD4=") | st.sampled_from(SAID)},
                optional={"index": st.integers(0, 3), "object": st.just("embedding"), "x": ANY},
            ),
            max_size=2,
        )
    },
    optional=BESIDE,
)


def string(text: str, dice: Random) -> str:
    """A JSON string, some of whose letters are spelled as numbers."""
    out = ""
    for char in text:
        if dice.random() < 0.1:
            out += "".join(f"\\u{unit:04x}" for unit in memoryview(char.encode("utf-16-le")).cast("H"))
        else:
            out += json.dumps(char, ensure_ascii=dice.random() < 0.5)[1:-1]
    return f'"{out}"'


def written(value: Any, dice: Random, twice: bool = True) -> str:
    """A value as JSON; with `twice`, names may stand twice in its objects, with other values."""
    if isinstance(value, dict):
        members = [*value.items()]
        if twice and members and dice.random() < 0.2:
            again = dice.choice([*SAID, [{}], [{"delta": {"content": "IC#10"}}], {"content": "IC#10"}, None, 1])
            members.insert(dice.randint(0, len(members)), (dice.choice(members)[0], again))
        return "{" + ",".join(f"{string(key, dice)}:{written(held, dice, twice)}" for key, held in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(held, dice, twice) for held in value) + "]"
    return string(value, dice) if isinstance(value, str) else json.dumps(value)


class Pairs(list[tuple[str, Any]]):
    """An object as it is written, equal names and all."""


def read(data: str | bytes) -> Any:
    return json.loads(data, object_pairs_hook=Pairs)


def is_twice(value: Any) -> bool:
    if isinstance(value, Pairs):
        return len(dict(value)) < len(value) or any(is_twice(held) for _, held in value)
    return isinstance(value, list) and any(map(is_twice, value))


def strings(value: Any, name: str = "", top: bool = True) -> Iterator[str]:
    """Every string of a document but words, the machine's marks and media; of arguments what is in them."""
    if isinstance(value, Pairs):
        for key, held in value:
            if not re.fullmatch("[A-Za-z_]{1,64}", key):
                yield key
            if not (top and is_machines(key, held, MODELS)):
                yield from strings(held, key, False)
    elif isinstance(value, list):
        for held in value:
            yield from strings(held, "", False)
    elif isinstance(value, str) and value not in WORDS and value not in OURS:
        try:
            inner = read(value) if name == "arguments" else None
        except ValueError:
            inner = None
        if isinstance(inner, list):
            yield from strings(inner, "", False)
        else:
            yield value


DICE = st.integers(0, 2**32).map(Random)


@settings(max_examples=400)
@given(ANY | spoken("message"), DICE)
def test_a_name_twice_is_told_by_marks_as_a_strict_reader_tells_it(document: Any, dice: Random) -> None:
    body = written(document, dice).encode()
    once = says_once(body, msgspec.json.encode(msgspec.json.decode(body)))
    if once or b"u0022" not in body:
        assert once != is_twice(read(body))


@settings(max_examples=400)
@given(spoken("message") | VECTORS | ANY, DICE, st.booleans())
def test_every_string_of_an_answer_was_heard(document: Any, dice: Random, long: bool) -> None:
    if long and isinstance(document, dict):
        document["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "@"}}]
    body = written(document, dice).replace("@", "kata " * (LONG_BYTES // 4)).encode()
    for answer in answers(body):
        goes = read(answer.body)
        assert not is_twice(goes)
        assert {*strings(goes)} <= {*answer.texts, *answer.others}
        changed = read(answer.restored(lambda text: "", hides=True))
        assert not [text for text in strings(changed) if text]


def answers(body: bytes) -> Iterator[AnswerBody]:
    yield read_refusal(body)
    try:
        yield read_answer(body, "e", MODELS)
    except EngineGarbage:
        return


class AsItIs:
    """A restorer that alters nothing; one that masks is the guard's, and hears what it is fed."""

    def __init__(self, hears: Callable[[str, str], None]) -> None:
        self._hears = hears

    def feed(self, chunk: str) -> str:
        self._hears("fed", chunk)
        return chunk

    def close(self) -> str:
        return ""


def sse(out: bytes) -> Iterator[str]:
    """The data of events. Source: HTML, section 9.2.6, Interpreting an event stream."""
    lines = re.split("\r\n|\r|\n", out.decode().removeprefix("\ufeff"))
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif field == "data":
            data.append(value.removeprefix(" "))
        else:
            assert field in ("", "event")  # nothing else goes on
            assert re.fullmatch("[A-Za-z._-]*", value.strip())


FRAMES = [
    *["data: %s\n\n"] * 8,
    *("data:%s\n\n", "\ufeffdata: %s\n\n", "data: %s\r\r", "data: %s\r\n\r\n", ": IC#10\ndata: %s\n\n"),
    *("event: IC#10\ndata: %s\n\n", "id: IC#10\ndata: %s\n\n", "event: satu\ndata: %s\n\n"),
    *("IC#10\ndata: %s\n\n", "data: %s\n: IC#10\n\n", ": IC#10\n\ndata: %s\n\n"),
]


@settings(max_examples=500)
@given(
    st.lists(st.tuples(spoken("delta"), st.integers(1, 4), st.sampled_from(FRAMES)), min_size=1, max_size=4),
    st.lists(st.integers(0, 4000), max_size=4),
    st.sampled_from(["as-is", "restored", "hidden"]),
    DICE,
)
def test_every_string_of_a_stream_was_heard(
    parts: list[tuple[Any, int, str]], places: list[int], how: str, dice: Random
) -> None:
    pieces = [(frame % written(document, dice, dice.random() < 0.5)) * times for document, times, frame in parts]
    whole = "".join(pieces).encode()
    heard: dict[str, str] = {}

    def watch(channel: str, text: str) -> None:
        heard[channel] = heard.get(channel, "") + text

    hears = watch if how == "hidden" else lambda channel, text: None
    restoring = None if how == "as-is" else lambda inside_json: AsItIs(hears)
    events = Events("e", watch, restoring, MODELS, how == "hidden")
    marks = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    out = b""
    try:
        for start, stop in pairwise(marks):
            out += events.feed(whole[start:stop])
        out += events.close()
    except EngineError:
        events.tell()
    said = "\n".join(heard.values())
    for told in sse(out):
        document = read(told)
        assert not is_twice(document)
        calls: list[str] = []
        assert not [text for text in strings(without_calls(document, calls)) if text not in said]
        # Arguments are heard as they come, and what escapes hide in them in the end.
        for call in calls:
            inside = [*strings(Pairs([("arguments", call)]), "", False)]
            assert call in said or not [text for text in inside if text not in said]


def without_calls(document: Any, calls: list[str], name: str = "") -> Any:
    if isinstance(document, Pairs):
        found = Pairs()
        for key, held in document:
            if key == "arguments" and name in ("function", "function_call") and isinstance(held, str):
                calls.append(held)
            else:
                found.append((key, without_calls(held, calls, key)))
        return found
    return [without_calls(held, calls, name) for held in document] if isinstance(document, list) else document


@pytest.mark.parametrize("size", [10, LONG_BYTES])
@pytest.mark.parametrize("mark", ["", '"'], ids=["plain", "marks"])
@pytest.mark.parametrize("space", ["", " "], ids=["tight", "spaced"])
def test_a_long_answer_goes_as_it_came_where_it_says_all_once(size: int, mark: str, space: str) -> None:
    text = json.dumps("kata " * size + mark)
    choice = f'{{"message":{space}{{"content":{text}}}}}'
    body = f'{{"choices":[{choice}]}}'.encode()
    assert (read_answer(body, "e").body is body) == (size == LONG_BYTES and not mark)
    twice = body.replace(b'"content"', b'"content":"IC 900101-14-5678","content"')
    assert json.loads(read_answer(twice, "e").body) == json.loads(body)
    assert b"900101" not in read_answer(twice, "e").body


@pytest.mark.parametrize(
    ("mark", "is_theirs"),
    [
        ("chatcmpl-0123456789abcdef0123456789abcdef", True),
        ("chatcmpl-C9xPqVYJ8Yb0EwF1mT5kQz3aL7s2d", True),
        ("cmpl-1b4e28ba-2fa1-41d2-883f-0016d3cca427", True),
        ("1b4e28ba-2fa1-41d2-883f-0016d3cca427", True),
        ("chatcmpl-417", True),
        ("fp_ollama", True),
        ("fp_44709d6fcb", True),
        ("b5012-1a2b3c4d", True),
        ("chatcmpl-900101145678", False),
        ("chatcmpl-900101-14-5678", False),
        ("sk-abcdefghijklmnopqrstuvwx", False),
        ("AKIAIOSFODNN7EXAMPLE", False),
        ("Ahmad-417", False),
        ("surat kepada Ahmad", False),
    ],
)
def test_an_id_is_the_machines_only_where_it_looks_as_engines_make_them(mark: str, is_theirs: bool) -> None:
    answer = {"id": mark, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Baik"}}]}
    heard = read_answer(json.dumps(answer).encode(), "e")
    assert ([*heard.others], is_machines("id", mark, ())) == ([] if is_theirs else [mark], is_theirs)


def test_what_is_masked_is_not_spelled_out_beside_it() -> None:
    """Token by token no detector would know it again."""
    tokens = [{"token": token, "logprob": -0.5} for token in ("900101", "-14-", "5678")]
    choice = {"index": 0, "logprobs": {"content": tokens}, "finish_reason": "stop"}

    def masked(text: str) -> str:
        return text.replace("900101-14-5678", "<MYKAD_1>")

    whole = {"choices": [{**choice, "message": {"content": "900101-14-5678"}}]}
    answer = read_answer(json.dumps(whole).encode(), "e")
    assert b"-14-" not in answer.restored(masked, hides=True)
    assert b"-14-" in answer.restored(masked)
    assert b"-14-" in answer.restored(str, hides=True)

    class Masks(AsItIs):
        def feed(self, chunk: str) -> str:
            return masked(chunk)

    call = {"index": 0, "function": {"arguments": '{"ic":"900101-14-\\u0035678"}'}}
    events = Events("e", lambda channel, text: None, lambda inside_json: Masks(print), hides=True)
    delta = {"delta": {"content": "900101-14-5678", "tool_calls": [call]}}
    out = events.feed(f"data: {json.dumps({'choices': [{**choice, **delta}]})}\n\n".encode()) + events.close()
    assert b"-14-" not in out
    assert out.count(b"<MYKAD_1>") == 2
