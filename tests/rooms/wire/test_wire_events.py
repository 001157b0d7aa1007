"""Streams are watched and restored the same however their bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.errors import EngineError, EngineGarbage
from selat.wire import Events
from selat.wire.alike import Alike, alike
from selat.wire.shapes import decode_event


def event(delta: dict[str, object], finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    body = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


STREAM = b"".join(
    [
        event({"role": "assistant", "content": ""}),
        event({"content": "Nombor <MY"}),
        event({"content": "KAD_1> sah"}),
        event({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"ic":"<MYK'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": 'AD_1>"}'}}]}),
        event({"content": " <"}),
        event({}, "stop"),
        b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n',
        b"data: [DONE]\n\n",
    ]
)


class Placeholder:
    """Restores <MYKAD_1>, holding back what may be its beginning."""

    WORD, VALUE = "<MYKAD_1>", "900101-14-5678"

    def __init__(self) -> None:
        self.held = ""

    def feed(self, chunk: str) -> str:
        text = (self.held + chunk).replace(self.WORD, self.VALUE)
        start = text.rfind("<")
        cut = start if start >= 0 and self.WORD.startswith(text[start:]) else len(text)
        self.held = text[cut:]
        return text[:cut]

    def close(self) -> str:
        return self.held


def run(
    pieces: list[bytes], restoring: Callable[[bool], Placeholder] | None
) -> tuple[bytes, dict[str, str], Events]:
    seen: dict[str, str] = {}

    def watch(channel: str, text: str) -> None:
        seen[channel] = seen.get(channel, "") + text

    events = Events("e", watch, restoring, ("m",))
    out = b"".join(events.feed(piece) for piece in pieces) + events.close()
    return out, seen, events


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(marks)]


def contents(out: bytes, field: str = "content") -> str:
    text = ""
    for line in out.split(b"\n\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                if field == "arguments":
                    calls = choice["delta"].get("tool_calls", [])
                    text += "".join(call["function"]["arguments"] for call in calls)
                else:
                    text += choice["delta"].get(field) or ""
    return text


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_unmasked_bytes_pass_unchanged_and_texts_are_seen_whole(places: list[int]) -> None:
    out, seen, events = run(cut(STREAM, places), None)
    assert out == STREAM
    assert seen == {
        "beside.id": "c1\n",
        "0.content": "Nombor <MYKAD_1> sah <",
        "0.tool_calls.id": "t\n",
        "0.tool_calls.function.name": "f\n",
        "0.tool_calls.0": '{"ic":"<MYKAD_1>"}',
    }
    assert events.done
    assert (events.usage.prompt, events.usage.completion, events.usage.source) == (3, 5, "engine")


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_split_placeholders_are_restored_in_content_and_tool_arguments(places: list[int]) -> None:
    out, _, _ = run(cut(STREAM, places), lambda inside_json: Placeholder())
    assert contents(out) == "Nombor 900101-14-5678 sah <"
    assert contents(out, "arguments") == '{"ic":"900101-14-5678"}'
    assert out.endswith(b"data: [DONE]\n\n")
    finish = out.index(b'"finish_reason":"stop"')
    assert out.rindex(b'" <"' if b'" <"' in out else b'"<"', 0, finish) < finish


def test_windows_line_ends_are_events_too() -> None:
    _, seen, events = run([STREAM.replace(b"\n", b"\r\n")], None)
    assert seen["0.content"] == "Nombor <MYKAD_1> sah <"
    assert events.done


def test_a_stream_that_ends_without_done_gives_what_was_held_back() -> None:
    out, _, events = run([event({"content": "baki <MYK"})], lambda inside_json: Placeholder())
    assert contents(out) == "baki <MYK"
    assert not events.done


@pytest.mark.parametrize("garbage", [b"data: <html>\n\n", b'data: {"choices":7}\n\n', b"data: \xff\xfe\n\n"])
def test_garbage_is_named_without_its_text(garbage: bytes) -> None:
    with pytest.raises(EngineGarbage) as refused:
        run([garbage], None)
    assert "html" not in str(refused.value)


@pytest.mark.parametrize("restoring", [None, lambda inside_json: Placeholder()])
def test_an_error_of_the_engines_is_one_without_its_words(restoring: Callable[[bool], Placeholder] | None) -> None:
    events = Events("laut", lambda channel, text: None, restoring)
    assert events.feed(event({"content": "a"}))
    with pytest.raises(EngineError, match="'laut' broke off") as failed:
        events.feed(b'data: {"error": {"message": "rahsia", "code": 500}}\n\n')
    assert "rahsia" not in str(failed.value)
    assert events.feed(b'data: {"error": null, "choices": []}\n\n')


def test_an_endless_event_is_cut_off() -> None:
    with pytest.raises(EngineGarbage):
        run([b"data: " + b"x" * (5 * 2**20)], None)


def test_without_a_count_tokens_are_estimated() -> None:
    _, _, events = run([event({"content": "a" * 40})], None)
    assert (events.usage.completion, events.usage.source) == (10, "estimate")


class General(Events):
    """Reads every piece the long way."""

    def feed(self, chunk: bytes) -> bytes:
        return self._feed(chunk)


def chunk(**fields: object) -> str:
    return json.dumps({"id": "c1", "choices": [{"index": 0, "delta": {"content": "kata "}}], **fields})


PLAIN = [chunk(), chunk(choices=[{"delta": {"content": "\u9673 \n", "role": "assistant"}}]), " " + chunk() + " "]
ODD = [
    chunk(choices=[{"index": 1, "delta": {"content": "dua"}}]),
    chunk(choices=[{"index": 0, "delta": {"content": "a", "reasoning": "b"}}, {"index": 1, "delta": {}}]),
    chunk(choices=[{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]),
    chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5}),
    '{"choices":[{"text":"lama"}]}',
    chunk() + chunk(),
    chunk() + "\n" + chunk(),
    chunk() + "\n\n" + chunk(),
    '{"choices":\n[{"delta":{"content":"putus"}}]}',
    '{"choices":\r[{"delta":{"content":"putus"}}]}',
    chunk() + "\n\n" + chunk() + "\n",
    "[DONE]",
    " [DONE]",
    "",
    " ",
    "\t",
    "5",
    "{",
]
STARTS = ["data: "] * 12 + ["data:", "data:  ", ": sabar\ndata: ", "event: x\ndata: ", "", "\ndata: ", "x: "]
ENDS = ["\n\n"] * 12 + ["\r\n\r\n", "\r\r", "\n", "", "\n\n\n", "\n\r\n", "\n \n", "\n "]
ANY_EVENT = st.tuples(st.sampled_from(STARTS), st.sampled_from(PLAIN * 4 + ODD), st.sampled_from(ENDS))


@settings(max_examples=600)
@given(st.lists(ANY_EVENT, min_size=1, max_size=8), st.lists(st.integers(0, 2000), max_size=6), st.booleans())
def test_the_short_way_reads_what_the_long_way_does(
    parts: list[tuple[str, str, str]], places: list[int], by_event: bool
) -> None:
    events = ["".join(part).encode() for part in parts]
    pieces = [piece for piece in (events if by_event else cut(b"".join(events), places)) if piece]
    assert told(Events, pieces) == told(General, pieces)


FRAMES = (
    '{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}',
    '{"choices":[{"delta":{"role":"assistant","content":%s}}],"model":"m"}',
    '{"model":%s,"choices":[{"delta":{"content":"\\u006d"}}]}',
    '{"choices":[{"delta":{"content":%s,"content":"dua kali"}}]}',
    '{"choices":[{"delta":{"content":"dua kali","content":%s}}]}',
    '{"choices":[{"delta":{"content":"kata"},"logprobs":{"content":[{"token":%s}]}}]}',
)
STRINGS = st.one_of(
    st.text(max_size=6).map(json.dumps), st.text('am\n"\\', max_size=3).map(json.dumps), st.just('"m"')
)
NO_STRINGS = [
    '"a","b"', '"a","content":"b"', '"a', 'a"', '"', "", "null", "7", ' "a"', '"a" ', '"a"\n', '\n"a"', '"a\nb"',
    '"a\rb"', '"a\\"', '"a\\\\"', '"\\u00zz"', '"a"}},{"delta":{"content":"b"', '"a"\n\ndata: "b"', '"a",\n"b"',
    '"\t"', '"\x7f"', '"\ud800"', '["a"]', '"a","reasoning":"b"',
]  # fmt: skip


@settings(max_examples=800)
@given(
    st.sampled_from(FRAMES),
    st.lists(st.one_of(STRINGS, STRINGS, STRINGS, st.sampled_from(NO_STRINGS)), min_size=2, max_size=8),
    st.lists(st.integers(0, 2000), max_size=4),
    st.sampled_from(
        ["", "data: [DONE]\n\n", 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n', ": \n\n", "data: {"]
    ),
)
def test_events_that_differ_in_their_text_are_read_as_any_others(
    frame: str, texts: list[str], places: list[int], end: str
) -> None:
    events = [f"data: {frame % text}\n\n".encode("utf-8", "surrogatepass") for text in texts]
    whole = b"".join([*events, end.encode()])
    two = events[0] + events[1]
    for pieces in (events, [two, whole[len(two) :]], [whole], cut(whole, places)):
        pieces = [piece for piece in pieces if piece]
        assert told(Events, pieces) == told(General, pieces)


@pytest.mark.parametrize("third", ['"y"', 'y"'])
def test_texts_that_make_up_for_one_another_are_no_strings(third: str) -> None:
    """One is two strings, and the next is none before it swallows the third."""
    burst = b"".join(f"data: {FRAMES[0] % text}\n\n".encode() for text in ('"a","b"', '"x\\"', third))
    known = b"data: " + (FRAMES[0] % '"kata"').encode() + b"\n\n"
    pieces = [known, known, burst]  # the second one is learnt from
    assert told(Events, pieces) == told(General, pieces) == ([known, known], "garbage")


def test_one_that_is_otherwise_among_many_that_are_alike_is_seen() -> None:
    alike_ones = [b"data: " + (FRAMES[0] % f'"{text}"').encode() + b"\n\n" for text in ("satu", "dua", "tiga")]
    other = alike_ones[1].replace(b'"index":0', b'"index":1')
    burst = b"".join([alike_ones[0], other, alike_ones[2]])
    _, seen, _ = run([alike_ones[0], alike_ones[1], burst], None)
    assert seen == {"beside.id": "c1\n", "0.content": "satuduasatutiga", "1.content": "dua"}


def test_events_that_differ_in_their_text_are_recognised_without_reading_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bytes] = []

    def counted(data: bytes) -> object:
        read.append(data)
        return decode_event(data)

    monkeypatch.setattr("selat.wire.events.decode_event", counted)
    frames = [event({"content": f"kata {number} \n\u9673"}) for number in range(40)]
    _, seen, _ = run([*frames, b"".join(frames), b"".join(frames) + event({}, "stop") + b"data: [DONE]\n\n"], None)
    assert seen["0.content"] == "".join(f"kata {number} \n\u9673" for number in range(40)) * 3
    assert len(read) < 6


def test_an_engine_whose_events_all_differ_is_not_learnt_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[str] = []

    def counted(data: bytes, text: str) -> Alike | None:
        learnt.append(text)
        return alike(data, text)

    monkeypatch.setattr("selat.wire.events.alike", counted)
    frames = [event({"content": f"kata {number}", "obfuscation": "x" * number}) for number in range(200)]
    _, seen, _ = run([*frames, b"".join(frames)], None)
    assert seen["0.content"] == "".join(f"kata {number}" for number in range(200)) * 2
    assert len(learnt) <= 4


def test_a_text_that_is_elsewhere_in_its_event_too_teaches_nothing_wrong() -> None:
    same = b'{"model":"m","choices":[{"delta":{"content":"\\u006d"}}]}'
    assert alike(same, "m") is None
    assert alike(b'{"choices":[{"delta":{"content":"\\u0061"}}],"x":"a"}', "a") is None
    assert alike(b'{"choices":[{"delta":{"content":"m"}}],"model":"m"}', "m") is None
    assert alike(b'{"model":"m","choices":[{"delta":{"content":"m"}}]}', "m") is not None


def told(kind: type[Events], pieces: list[bytes]) -> object:
    seen: dict[str, str] = {}

    def watch(channel: str, text: str) -> None:
        seen[channel] = seen.get(channel, "") + text

    events = kind("e", watch)
    out = []
    for piece in pieces:
        try:
            out.append(events.feed(piece))
        except EngineGarbage:
            return out, "garbage"
    try:
        events.close()
    except EngineGarbage:
        return out, "garbage in the end"
    return out, seen, events.done, events.usage


def test_texts_of_plain_events_wait_until_they_are_asked_for_and_keep_their_order() -> None:
    seen: list[tuple[str, str]] = []
    events = Events("e", lambda channel, text: seen.append((channel, text)))
    events.feed(event({"content": "satu "}))
    assert [channel for channel, _ in seen] == ["beside.id", "beside.model"]
    seen.clear()
    events.feed(event({"content": "dua "}) * 2)
    assert not seen
    events.feed(event({"content": "tiga ", "reasoning": "entah"}))
    assert seen == [("0.content", "satu dua dua "), ("0.content", "tiga "), ("0.reasoning", "entah")]
    events.feed(event({"content": "empat"}))
    events.tell()
    assert seen[3:] == [("0.content", "empat")]
    events.tell()
    assert len(seen) == 4


def test_an_event_that_no_caller_reads_as_one_is_not_made_whole_by_the_next() -> None:
    """Together they were JSON, one by one they are not."""
    split = [b'data: {"choices":[{"delta":{"content":"a"}}],"x":[1\n\n', b"data: 2]}\n\n"]
    for pieces in (split, [b"".join(split)], [event({"content": "b"}) + b"".join(split)]):
        with pytest.raises(EngineGarbage):
            run(pieces, None)
