"""An id and a time are of one moment, and an id is nobody's else."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selat import stamps


def test_a_tail_makes_a_uuid_of_version_7_and_is_given_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        tails = list(pool.map(lambda _: stamps.fresh_tail(), range(4 * stamps.AT_ONCE)))
    assert len(set(tails)) == len(tails)
    made = [uuid.UUID("0" * 12 + tail) for tail in tails]
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    # Every other bit is chance: none is the same in all of them.
    numbers = [one.int for one in made]
    same = [bit for bit in range(80) if len({number >> bit & 1 for number in numbers}) == 1]
    assert same == [62, 63, 76, 77, 78, 79]


def test_a_forked_process_is_given_other_tails() -> None:
    stamps.fresh_tail()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, stamps.fresh_tail().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 2 * stamps.TAIL_BYTES) != stamps.fresh_tail().encode()
    os.close(reading)
    os.close(writing)


@given(st.integers(0, 2**37))
@example(951_782_400)  # a 29th of February
def test_a_head_tells_a_moment_as_email_utils_writes_it(second: int) -> None:
    assert stamps.http_date(second) == formatdate(second, usegmt=True)


@pytest.mark.parametrize("nanoseconds", [1, 999_999, 1_700_000_000_000_000_000, 1_795_000_000_007_999_999])
def test_an_id_and_its_time_are_of_one_moment(nanoseconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps.time, "time_ns", lambda: nanoseconds)
    made, time = stamps.fresh_stamp()
    milliseconds = nanoseconds // 1_000_000
    assert uuid.UUID(made).int >> 80 == milliseconds == uuid.UUID(stamps.fresh_id()).int >> 80
    assert time == stamps.now()
    told = datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    assert time == f"{told}.{milliseconds % 1000:03d}Z"
