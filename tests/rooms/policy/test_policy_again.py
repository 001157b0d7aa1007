"""Proving anew runs aside, tells how far it is, one at a time, and ends also where the set cannot be proved."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import msgspec
from waiting import until

from selat.policy import DEFAULT, PolicySet
from selat.policy.again import Round, begin, last_round, run


def ended(file: Path) -> Round:
    until(lambda: (told := last_round(file)) is not None and told.ended)
    told = last_round(file)
    assert told is not None
    return told


def test_the_shipped_set_is_proved_aside_and_the_file_says_of_which_digest(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "proving.json"
    assert last_round(file) is None
    assert begin(DEFAULT, file)
    told = ended(file)
    assert told.proved
    assert told.set == PolicySet.load(DEFAULT).basis.set_hash
    assert (len(told.found), told.of) == (11, 11)


def test_one_round_at_a_time_and_one_that_was_killed_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "proving.json"
    file.write_bytes(msgspec.json.encode(Round("2026-11-22T00:00:00Z", of=11)))
    lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    told = last_round(file)
    assert told is not None
    assert not told.ended
    assert not begin(DEFAULT, file)
    os.close(lock)
    told = last_round(file)
    assert told is not None
    assert "stopped" in told.trouble
    assert not told.proved


def test_a_broken_invariant_is_told_with_a_request_and_a_broken_set_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(DEFAULT, folder)
    (folder / "policies" / "30-residency.cedar").unlink()
    told = run(folder, tmp_path / "a.json")
    broken = {one.id: one.broken for one in told.found if not one.proved}
    assert "above-terbuka-never-leaves-malaysia" in broken
    assert all(request["ms"] and request["en"] for request in broken.values())
    (folder / "policies" / "99.cedar").write_text("permit (")
    assert "99.cedar" in run(folder, tmp_path / "b.json").trouble
