"""Every pool does the same work with the same results: in this process, in several, on Ray where it is there."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # worker processes are given this path too

import jobs_work
from waiting import gone, until

from selat.core import errors
from selat.core.errors import Misused, SelatError, TooMany, Unavailable
from selat.jobs import Done, Here, Open, Pool, Processes, choose_pool

POOLS = [
    "local",
    "processes:2",
    pytest.param(
        "ray:2",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("ray") is None, reason="Ray is not installed here: make test-ray"
        ),
    ),
]


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pool:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return choose_pool(request.param)


async def all_of(
    pool: Pool, opening: Open[int, int], pieces: Iterator[int] | range, at_once: int = 4
) -> list[Done[int, int]]:
    async with aclosing(pool.work(opening, pieces, at_once)) as told:
        return [one async for one in told]


def test_the_results_are_the_same_and_errors_stay_with_their_pieces(pool: Pool, tmp_path: Path) -> None:
    found = asyncio.run(all_of(pool, partial(jobs_work.squares, tmp_path), range(40)))
    assert {one.piece: one.result for one in found if one.error is None} == {
        n: n * n for n in range(40) if n != 13
    }
    [failed] = [one for one in found if one.error is not None]
    assert failed.piece == 13
    assert isinstance(failed.error, TooMany)
    assert (str(failed.error), failed.error.retry_after_s, failed.error.limit) == ("thirteen", 7, "luck")
    assert len(list(tmp_path.glob("opened-*"))) == len(list(tmp_path.glob("closed-*"))) <= 2
    assert not (tmp_path / "at-once-5").exists()


def test_whoever_draws_up_the_pieces_may_stop_at_any_time(pool: Pool, tmp_path: Path) -> None:
    drawn: list[int] = []
    told: list[int] = []

    def pieces() -> Iterator[int]:
        number = 0
        while len(told) < 6:
            drawn.append(number)
            yield number
            number += 1

    async def some() -> None:
        async with aclosing(pool.work(partial(jobs_work.squares, tmp_path), pieces(), 3)) as found:
            async for one in found:
                told.append(one.piece)  # noqa: PERF401 - `pieces` looks at it meanwhile

    asyncio.run(some())
    assert sorted(told) == drawn
    assert len(drawn) <= 6 + 3


def test_a_pool_can_be_left_before_the_end(pool: Pool, tmp_path: Path) -> None:
    async def first() -> int:
        async with aclosing(pool.work(partial(jobs_work.squares, tmp_path), range(10_000), 3)) as found:
            async for one in found:
                return one.piece
        raise AssertionError("nothing was told")

    assert asyncio.run(first()) in range(3)


def test_no_pieces_no_work(pool: Pool, tmp_path: Path) -> None:
    assert asyncio.run(all_of(pool, partial(jobs_work.squares, tmp_path), range(0))) == []


def test_a_worker_that_cannot_be_opened_says_why(pool: Pool) -> None:
    with pytest.raises(Misused, match="shut today"):
        asyncio.run(all_of(pool, jobs_work.shut, range(2), 1))


def test_a_killed_process_ends_the_work_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"ended from outside.*go on"):
        asyncio.run(all_of(Processes(2), partial(jobs_work.deadly, tmp_path), range(20)))


_ENDLESS = """
import asyncio, itertools, jobs_work, sys
from functools import partial
from pathlib import Path
from selat.jobs import Processes

async def main():
    async for one in Processes(2).work(partial(jobs_work.squares, Path(sys.argv[1])), itertools.count(), 2):
        pass

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    parent = subprocess.Popen([sys.executable, script, tmp_path], env=environment)
    until(lambda: len(list(tmp_path.glob("opened-*"))) == 2)
    parent.kill()
    parent.wait(60)
    workers = [int(mark.name.removeprefix("opened-")) for mark in tmp_path.glob("opened-*")]
    until(lambda: all(map(gone, workers)))


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed here: make test-ray")
def test_a_killed_actor_is_started_again_and_its_pieces_are_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    found = asyncio.run(all_of(choose_pool("ray:2"), partial(jobs_work.deadly, tmp_path), range(20)))
    assert sorted(one.result for one in found if one.result is not None) == list(range(20))
    assert (tmp_path / "died").exists()


def test_a_pool_says_how_many_it_does_at_once(pool: Pool) -> None:
    assert pool.cores == (os.cpu_count() if isinstance(pool, Here) else 2)


def test_pools_are_named_and_a_name_that_is_none_says_what_is() -> None:
    assert isinstance(choose_pool(""), Here)
    assert choose_pool("processes:3").count == 3  # type: ignore[attr-defined]
    assert choose_pool("ray:auto").address == "auto"  # type: ignore[attr-defined]
    for bad in ("threads", "processes:0", "processes:x", "ray:0", "ray:head"):
        with pytest.raises(Misused, match="write local, processes"):
            choose_pool(bad)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Misused, match=r"selat\[ray\]"):
        asyncio.run(all_of(choose_pool("ray"), partial(jobs_work.squares, tmp_path), range(2)))


def test_every_error_of_ours_crosses_between_processes() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SelatError)]
    assert len(kinds) > 15
    for kind in kinds:
        error = kind("why", retry_after_s=3) if kind is TooMany else kind("why")
        error.__dict__["receipt"] = "R"
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back), back.__dict__) == (kind, "why", error.__dict__)
