"""Windows of time that limits count in: minute, hour, day and month, by Malaysian time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

MALAYSIA = timezone(timedelta(hours=8), "MYT")  # no summer time since 1981
PERIODS = ("minute", "hour", "day", "month")


def window(period: str, now_s: float) -> tuple[int, int]:
    """First second of the window that holds `now_s`, and first of the next one; both Unix seconds."""
    if period == "minute":
        start = int(now_s) // 60 * 60
        return start, start + 60
    if period == "hour":
        start = int(now_s) // 3600 * 3600
        return start, start + 3600
    here = datetime.fromtimestamp(now_s, MALAYSIA).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return int(here.timestamp()), int((here + timedelta(days=1)).timestamp())
    first = here.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp()), int(following.timestamp())


def instant(second: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
