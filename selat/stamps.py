"""What entries and answers are stamped with: an id that nothing had before, and the time."""

from __future__ import annotations

import os
import time
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

TAIL_BYTES = 10
"""Of an id: 4 bits that say version 7, 12 of chance, 2 that say variant, 62 of chance. RFC 9562 section 5.7."""
AT_ONCE = 128
"""Tails drawn together: the call for random bytes is what costs."""
_VERSION = bytes(byte & 0x0F | 0x70 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_tails: Final[deque[str]] = deque()
# A process that is forked off begins with tails of its own.
os.register_at_fork(after_in_child=_tails.clear)


def now() -> str:
    """RFC 3339, UTC, milliseconds."""
    return _written(time.time_ns() // 1_000_000)


def written(moment: datetime) -> str:
    """An aware moment as `now` writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fresh_id() -> str:
    """A UUID of version 7 as 32 hex digits: 48 bits of milliseconds, then chance; sorts by time. RFC 9562."""
    return format(time.time_ns() // 1_000_000, "012x") + fresh_tail()


def fresh_stamp() -> tuple[str, str]:
    """What `fresh_id` and `now` give, from one look at the clock."""
    milliseconds = time.time_ns() // 1_000_000
    return format(milliseconds, "012x") + fresh_tail(), _written(milliseconds)


def fresh_tail() -> str:
    """What follows the time in an id, as 20 hex digits. Any thread may ask: taking one is one step."""
    try:
        return _tails.popleft()
    except IndexError:
        drawn = bytearray(os.urandom(TAIL_BYTES * AT_ONCE))
        drawn[0::TAIL_BYTES] = drawn[0::TAIL_BYTES].translate(_VERSION)
        drawn[2::TAIL_BYTES] = drawn[2::TAIL_BYTES].translate(_VARIANT)
        tail, *more = drawn.hex(" ", TAIL_BYTES).split()
        _tails.extend(more)
        return tail


def http_date(second: int) -> str:
    """A moment as a head tells it. RFC 9110 section 5.6.7.

    `email.utils` writes it, too, and is 0.4 MB of a worker that has no other use for it.
    """
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(second)
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} {clock} GMT"


# Most of what happens in a busy worker happens in a millisecond that is written already.


@lru_cache(maxsize=2)
def _written(milliseconds: int) -> str:
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
