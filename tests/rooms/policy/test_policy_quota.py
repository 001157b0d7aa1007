"""Limits: never passed under threads and processes, settled to what was used, told with what and when."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import Misused, TooMany, Unavailable
from selat.database import Database
from selat.policy.periods import MALAYSIA, PERIODS, window
from selat.policy.quota import NOTHING, Limit, Quota, Spender

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=MALAYSIA).timestamp()
ME = Spender("default", "key_1", "chat")
ONE = {"requests": 1}


@pytest.fixture
def place(database: str) -> Iterator[Database]:
    """SQLite and PostgreSQL alike: what holds of one holds of the other."""
    place = Database(database)
    yield place
    place.close()


@pytest.fixture
def quota(place: Database) -> Quota:
    return Quota(place, lambda: NOW)


def used(quota: Quota, tenant: str = "default") -> list[int]:
    return [one.used for one in quota.usage(tenant)]


def test_no_limit_means_nothing_to_reserve(quota: Quota) -> None:
    assert quota.reserve(ME, ONE) is NOTHING
    quota.set(Limit("other", "tenant", "day", "requests", 0))
    assert quota.reserve(ME, ONE) is NOTHING


def test_a_full_limit_says_what_and_when_it_begins_anew(quota: Quota) -> None:
    quota.set(Limit("default", "tenant", "minute", "requests", 2))
    quota.reserve(ME, ONE)
    quota.reserve(ME, ONE)
    with pytest.raises(TooMany) as caught:
        quota.reserve(ME, ONE)
    assert "2 requests per minute for this tenant" in str(caught.value)
    assert "2026-11-22T04:01:00Z" in str(caught.value)
    assert 30 <= caught.value.retry_after_s <= 31
    assert (caught.value.status, caught.value.code) == (429, "quota_exceeded")


def test_one_full_limit_leaves_the_others_untouched(quota: Quota) -> None:
    quota.set(Limit("default", "key:key_1", "day", "requests", 10))
    quota.set(Limit("default", "tenant", "month", "tokens", 100))
    with pytest.raises(TooMany, match="100 tokens per month"):
        quota.reserve(ME, {"requests": 1, "tokens": 101})
    assert used(quota) == [0, 0]


def test_settling_gives_back_what_was_not_used_and_counts_what_was_more(quota: Quota) -> None:
    quota.set(Limit("default", "tenant", "day", "tokens", 1000))
    first = quota.reserve(ME, {"requests": 1, "tokens": 900})
    with pytest.raises(TooMany):
        quota.reserve(ME, {"tokens": 200})
    quota.settle(first, {"requests": 1, "tokens": 50})
    assert used(quota) == [50]
    second = quota.reserve(ME, {"tokens": 200})
    quota.settle(second, {"tokens": 400})
    assert used(quota) == [450]
    quota.settle(quota.reserve(ME, {"tokens": 100}), {})
    assert used(quota) == [450]


def test_a_request_is_settled_in_the_window_it_began_in(place: Database) -> None:
    moment = [NOW]
    quota = Quota(place, lambda: moment[0])
    quota.set(Limit("default", "tenant", "minute", "tokens", 100))
    held = quota.reserve(ME, {"tokens": 100})
    moment[0] += 60
    again = quota.reserve(ME, {"tokens": 100})
    quota.settle(held, {"tokens": 1})
    assert used(quota) == [100]
    quota.settle(again, {"tokens": 3})
    assert used(quota) == [3]


def test_scopes_bind_their_own_alone(quota: Quota) -> None:
    quota.set(Limit("default", "key:key_1", "day", "requests", 1))
    quota.set(Limit("default", "purpose:loan", "day", "requests", 1))
    quota.reserve(ME, ONE)
    with pytest.raises(TooMany, match="for this key"):
        quota.reserve(ME, ONE)
    quota.reserve(Spender("default", "key_2", "loan"), ONE)
    with pytest.raises(TooMany, match="for this purpose"):
        quota.reserve(Spender("default", "key_3", "loan"), ONE)
    assert quota.reserve(Spender("other", "key_1", "loan"), ONE) is NOTHING


def test_money_is_told_in_ringgit(quota: Quota) -> None:
    quota.set(Limit("default", "tenant", "month", "microringgit", 50_000_000))
    quota.reserve(ME, {"microringgit": 49_999_999})
    with pytest.raises(TooMany, match=r"RM 50\.00 per month"):
        quota.reserve(ME, {"microringgit": 2})


def test_a_changed_limit_is_followed_by_other_workers_within_a_second(place: Database) -> None:
    moment = [NOW]
    here, there = Quota(place, lambda: moment[0]), Quota(place, lambda: moment[0])
    assert here.reserve(ME, ONE) is NOTHING
    limit = there.set(Limit("default", "tenant", "day", "requests", 0))
    moment[0] += 1
    with pytest.raises(TooMany):
        here.reserve(ME, ONE)
    assert there.clear(limit)
    assert not there.clear(limit)
    moment[0] += 1
    assert here.reserve(ME, ONE) is NOTHING


def test_threads_never_pass_a_limit(place: Database) -> None:
    quota = Quota(place, lambda: NOW)
    quota.set(Limit("default", "tenant", "day", "requests", 100))
    quota.set(Limit("default", "key:key_1", "hour", "tokens", 700))
    granted: list[int] = []

    def work() -> None:
        for _ in range(30):
            try:
                held = quota.reserve(ME, {"requests": 1, "tokens": 10})
            except TooMany:
                continue
            granted.append(1)
            quota.settle(held, {"requests": 1, "tokens": 10})

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 70
    assert sorted(used(quota)) == [70, 700]


WORK = """
import sys
from selat.core.errors import TooMany
from selat.database import Database
from selat.policy.quota import Quota, Spender
quota = Quota(Database(sys.argv[1]), lambda: float(sys.argv[2]))
granted = 0
for _ in range(60):
    try:
        held = quota.reserve(Spender("default", "key_1", "chat"), {"requests": 1, "tokens": 100})
    except TooMany:
        continue
    granted += 1
    quota.settle(held, {"requests": 1, "tokens": 7})
print(granted)
"""


def test_processes_never_pass_a_limit(place: Database, database: str) -> None:
    quota = Quota(place, lambda: NOW)
    quota.set(Limit("default", "tenant", "day", "requests", 100))
    quota.set(Limit("default", "purpose:chat", "day", "tokens", 1_000_000))
    command = [sys.executable, "-c", WORK, database, str(NOW)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    granted = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(granted) == 100
    assert sorted(used(quota)) == [100, 700]


def test_a_database_that_is_gone_lets_nothing_out_and_settles_quietly(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "q.db"
    path.parent.mkdir()
    place = Database(path)
    quota = Quota(place, lambda: NOW)
    quota.set(Limit("default", "tenant", "day", "requests", 5))
    held = quota.reserve(ME, ONE)
    place.close()
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(Unavailable):
        quota.reserve(ME, ONE)
    quota.settle(held, {})


@pytest.mark.parametrize(
    "limit",
    [
        Limit("default", "all", "day", "requests", 1),
        Limit("default", "key:", "day", "requests", 1),
        Limit("default", "tenant", "year", "requests", 1),
        Limit("default", "tenant", "day", "smiles", 1),
        Limit("default", "tenant", "day", "requests", -1),
    ],
)
def test_an_odd_limit_is_refused(quota: Quota, limit: Limit) -> None:
    with pytest.raises(Misused):
        quota.set(limit)


@given(st.sampled_from(PERIODS), st.integers(0, 4_000_000_000))
def test_windows_cover_time_without_gap_or_overlap(period: str, now_s: int) -> None:
    start, end = window(period, now_s)
    assert start <= now_s < end
    assert window(period, start) == (start, end)
    assert window(period, end)[0] == end
    assert end - start <= timedelta(days=31).total_seconds()
