"""Request heads, chunked bodies, engines' answers and event streams, made wrong in many ways and cut anywhere."""

from __future__ import annotations

import json

import pytest
from http_laws import check_answers, check_events, check_repeated, check_requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

CUTS = st.lists(st.integers(0, 10_000), max_size=8)
EOL = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\n\r\n", b"", b"\0"])
NOISE = st.binary(max_size=12)
TOKEN = st.sampled_from(
    [b"a", b"x-y", b"host", b"Content-Length", b"Transfer-Encoding", b"", b"a b", b"\xff", b"a:"]
)
SIZES = st.sampled_from(
    [b"0", b"2", b"5", b"05", b"+5", b"-1", b"5, 5", b"5,6", b"5 5", b"99999999999999999999", b"x"]
)
CODINGS = st.sampled_from(
    [b"chunked", b"Chunked", b"chunked, chunked", b"identity", b"gzip, chunked", b" chunked ", b"x"]
)
HEADERS = st.one_of(
    SIZES.map(lambda size: b"Content-Length: " + size),
    CODINGS.map(lambda coding: b"Transfer-Encoding: " + coding),
    st.tuples(TOKEN, NOISE).map(lambda pair: pair[0] + b": " + pair[1]),
    st.sampled_from(
        [b"Connection: close", b"Connection: upgrade\r\nUpgrade: x", b"Expect: 100-continue", b" folded"]
    ),
)
LINES = st.one_of(
    *(
        st.sampled_from([line] * 3)
        for line in (b"POST /v1/x HTTP/1.1", b"GET / HTTP/1.1", b"POST /a%20b?q HTTP/1.0")
    ),
    st.sampled_from(
        [b"GET  / HTTP/1.1", b"get / HTTP/1.1", b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"", b"GET /", b"\x16\x03"]
    ),
    NOISE,
)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A chunked body, well made or with a size, an end or an extension that is wrong."""
    out = b""
    for data in draw(st.lists(st.binary(max_size=20), max_size=3)):
        size = draw(
            st.sampled_from(
                [b"%x" % len(data)] * 8 + [b"%X" % len(data), b"0x5", b"-1", b"ffffffffffffffffff", b""]
            )
        )
        out += size + draw(st.sampled_from([b""] * 6 + [b";ext=1", b" "])) + draw(EOL) + data + draw(EOL)
    return out + draw(st.sampled_from([b"0\r\n\r\n"] * 6 + [b"0\r\nX: y\r\n\r\n", b"0\r\n", b""]))


@st.composite
def message(draw: st.DrawFn, first_line: st.SearchStrategy[bytes]) -> bytes:
    """One message, with bodies that may or may not be as its head says."""
    head = draw(first_line) + draw(EOL) + draw(st.sampled_from([b"Host: x\r\n"] * 8 + [b""]))
    for header in draw(st.lists(HEADERS, max_size=4)):
        head += header + draw(EOL)
    return head + draw(EOL) + draw(st.one_of(st.just(b""), st.just(b"hello"), chunked(), NOISE))


SIZED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
REQUESTS = st.lists(message(LINES), min_size=1, max_size=3).map(b"".join)
BODY = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.sampled_from(
        [b"", b"{}", b"\r\n\r\n", b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", b"a" * 998, b"b" * 1001]
    ),
)


@st.composite
def repeated(draw: st.DrawFn) -> list[bytes]:
    """One head again and again, a read each, its length right or wrong, or something else in between."""
    lines = draw(st.permutations([b"Host: x", b"X-Y: " + draw(st.sampled_from([b"", b"z", b"\tz "])), b"%b"]))
    name = draw(st.sampled_from([b"Content-Length: ", b"content-length:", b"CONTENT-LENGTH:\t "]))
    end = draw(st.sampled_from([b""] * 6 + [b" "]))
    close = draw(st.sampled_from([b""] * 6 + [b"Connection: keep-alive\r\n", b"Connection: close\r\n"]))
    head = b"POST /v1/x?q HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + close + b"\r\n"
    parts = []
    for _ in range(draw(st.integers(2, 6))):
        body = draw(BODY)
        size = len(body) + draw(st.sampled_from([0] * 12 + [-1, 1, 7]))
        said = draw(st.sampled_from([b"%d"] * 12 + [b"0%d", b"+%d", b"%d,", b" %d"])) % max(size, 0)
        whole = head % (name + said + end) + body
        parts.append(
            draw(st.sampled_from([whole] * 12 + [b"\r\n" + whole, whole + b"\r\n", whole[:-1], whole * 2]))
        )
        if draw(st.integers(0, 9)) == 0:
            parts.append(draw(message(LINES)))
    return parts


STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 6
    + [
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 304 x",
        b"HTTP/1.1 99 x",
        b"HTTP 200",
    ]
)
ANSWERS = st.lists(message(STATUS), min_size=1, max_size=2).map(b"".join)
FIELD = st.sampled_from(["content", "role", "refusal", "tool_calls"])
VALUE = st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
CHOICE = st.fixed_dictionaries({"delta": st.dictionaries(FIELD, VALUE)})
DELTA = st.fixed_dictionaries({"choices": st.lists(CHOICE, max_size=2)})
EVENT = st.one_of(
    DELTA.map(lambda delta: b"data: " + json.dumps(delta).encode()),
    st.sampled_from(
        [b"data: [DONE]", b": comment", b"event: x", b"data:", b"data", b"id: 1\ndata: {}", b"data: {\ndata: }"]
    ),
    NOISE,
)
STREAMS = st.lists(
    st.tuples(EVENT, st.sampled_from([b"\n\n"] * 6 + [b"\r\n\r\n", b"\r\r", b"\n", b"\r\n", b"\n\r"]))
).map(lambda pairs: b"".join(event + end for event, end in pairs))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REQUESTS, CUTS)
@example(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n", [30])
@example(
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    b"GET /in HTTP/1.1\r\nHost: x\r\n\r\n",
    [1],
)
def test_callers_bytes_mean_one_thing_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    check_requests(data, cuts)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repeated(), CUTS)
@example(
    [SIZED % told + b"x" * sent for told, sent in ((1, 1), (996, 997))],
    [],
)
@example([SIZED % told + b"x" * sent for told, sent in ((1, 1), (6, 7))], [])
def test_a_head_that_came_before_means_what_the_parser_would_make_of_it(
    parts: list[bytes], cuts: list[int]
) -> None:
    check_repeated(parts, cuts)


def test_heads_that_come_again_are_known_again() -> None:
    """Or the test above would prove nothing."""
    head = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX: y\r\n\r\n"
    sizes = [5, 7, 90, 97, 100, 101, 996, 1000, 1001, 4000]
    assert check_repeated([head % size + b"x" * size for size in sizes], []) == len(sizes) - 1


@pytest.mark.parametrize(
    "after", [b"", b"POST /v1/x HTTP/1.1\r\nHost: y\r\nContent-Length: 2\r\n\r\n{}", b"NONSENSE\r\n\r\n"]
)
def test_a_head_that_comes_again_is_known_again_wherever_its_body_is_cut(after: bytes) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nX: y\r\n\r\n"
    whole = head + b"POST / HTTP/"
    for cut in range(1, len(whole)):
        reads = [whole[:cut], whole[cut:]] * 2 + [whole[:cut], whole[cut:] + after]
        assert check_repeated(reads, []) == (2 if cut >= len(head) else 0)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWERS, CUTS, st.booleans())
def test_engines_bytes_are_an_answer_or_an_error_of_ours(data: bytes, cuts: list[int], stream: bool) -> None:
    check_answers(data, cuts, stream)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STREAMS | st.binary(max_size=200), CUTS)
def test_events_are_forwarded_or_garbage_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    check_events(data, cuts)
