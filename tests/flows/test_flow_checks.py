"""Models read again by a process of its own: whole, damaged, admitted, refused, stopped; each booked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from models_kit import put, safetensors

from selat.app import Platform
from selat.core.errors import Misused, NotFound
from selat.flows.tasks import Teller
from selat.home import create_home
from selat.house import furnish
from selat.models import Model
from selat.models.checks import ADMIT, VERIFY, Check
from selat.models.fetch import Stopped
from selat.models.record import QUARANTINED, READY
from selat.models.tasks import DONE, FAILED, STOPPED, Progress, Task, Tasks

BY = "per_" + "0" * 20
WEIGHTS = safetensors(3_000_000)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    home = create_home(tmp_path / "home")
    furnish(home)
    made = Platform(home, "test")
    yield made
    made.checking.runner.end()
    made.close()


@pytest.fixture
def model(platform: Platform) -> Model:
    return put(platform.models, "a/m", {"model.safetensors": WEIGHTS, "config.json": b"{}"})


def spoil(platform: Platform, model: Model) -> None:
    path = platform.models.blobs.path(model.files[0].digest)
    path.chmod(0o600)
    path.write_bytes(WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1]))


def begun(platform: Platform, does: str, why: str = "") -> Check:
    return platform.checking.begin(does, ("a/m", ""), BY, why)


def ended(platform: Platform, check: Check) -> Check:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = platform.checking.runner.tasks.find(check.id)
        if not found.running:
            return found
        time.sleep(0.05)
    raise AssertionError("it never ended")


def test_a_whole_model_is_read_to_its_last_byte_by_a_process_of_its_own(platform: Platform, model: Model) -> None:
    found = ended(platform, begun(platform, VERIFY))
    assert (found.state, found.damaged, found.model, found.size_bytes) == (DONE, {}, "a/m", model.size_bytes)
    assert platform.checking.runner.tasks.progress(found.id).done_bytes == model.size_bytes


@pytest.fixture
def here(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Checks are done in this process, at once; what is booked is kept in `booked`."""
    runner = platform.checking.runner

    def start(check: Check) -> None:
        runner.tasks.save(check)
        platform.checking.carry_out(check.id)

    monkeypatch.setattr(runner, "start", start)
    return platform


@pytest.fixture
def booked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    kept: list[tuple[str, dict[str, Any]]] = []
    real = Platform.record

    def record(self: Platform, kind: str, facts: dict[str, object], *more: Any, **named: Any) -> str:
        kept.append((kind, facts))
        return real(self, kind, facts, *more, **named)

    monkeypatch.setattr(Platform, "record", record)
    return kept


def test_damage_is_named_by_file_and_booked(here: Platform, model: Model, booked: Any) -> None:
    spoil(here, model)
    found = ended(here, begun(here, VERIFY))
    assert (found.state, found.damaged) == (DONE, {model.files[0].path: "changed"})
    assert [kind for kind, _ in booked] == ["check.begun", "model.damaged"]


def test_a_model_is_admitted_with_the_reason_once_all_of_it_was_read(
    here: Platform, model: Model, booked: Any
) -> None:
    with pytest.raises(Misused, match="not in quarantine"):
        begun(here, ADMIT, "sebab yang baik")
    with here.models.taking():
        here.models.put(replace(model, state=QUARANTINED))
    found = ended(here, begun(here, ADMIT, "sebab yang baik"))
    assert found.state == DONE
    assert here.models.model("a/m").state == READY
    assert [kind for kind, _ in booked] == ["check.begun", "model.admitted"]
    assert booked[1][1]["reason"] == "sebab yang baik"


def test_a_damaged_model_stays_in_quarantine_and_says_why(here: Platform, model: Model) -> None:
    with here.models.taking():
        here.models.put(replace(model, state=QUARANTINED))
    spoil(here, model)
    found = ended(here, begun(here, ADMIT, "sebab yang baik"))
    assert (found.state, found.code) == (FAILED, "model_broken")
    assert here.models.model("a/m").state == QUARANTINED


def test_what_is_asked_to_stop_ends_in_the_middle_of_a_file(
    here: Platform, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def stop(self: Teller[Task], size_bytes: int) -> None:
        told.append(size_bytes)
        raise Stopped("stopped as it was asked")

    monkeypatch.setattr(Teller, "told", stop)
    assert ended(here, begun(here, VERIFY)).state == STOPPED
    assert sum(told) < model.size_bytes


def test_no_rate_is_told_from_the_first_bytes_alone(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: Tasks[Check] = platform.checking.runner.tasks
    check = Check(id="e" * 32, by=BY, began="", model="a/m", revision="r", does=VERIFY)
    tasks.save(check)
    clock = 100.0
    monkeypatch.setattr("selat.flows.tasks.time.monotonic", lambda: clock)
    teller = Teller(tasks, check)
    teller.told(2)
    assert tasks.progress(check.id) == Progress()
    clock = 101.0
    teller.told(998)
    assert tasks.progress(check.id) == Progress(1000, 1000.0)


def test_a_model_is_read_by_one_check_at_a_time_and_the_unknown_by_none(
    platform: Platform, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: Tasks[Check] = platform.checking.runner.tasks
    running = Check(id="f" * 32, by=BY, began="", model="a/m", revision=model.revision, does=VERIFY)
    tasks.save(running)
    with tasks.locked(running.id):
        with pytest.raises(Misused, match="already"):
            begun(platform, VERIFY)
        assert platform.checking.stop(running.id, BY).id == running.id
        assert tasks.asked_to_stop(running.id)
    with pytest.raises(Misused, match="not running"):
        platform.checking.stop(running.id, BY)
    for which in ("0" * 32, "../../etc/passwd"):
        with pytest.raises(NotFound):
            platform.checking.stop(which, BY)
    with pytest.raises(NotFound):
        platform.checking.begin(VERIFY, ("tiada/m", ""), BY)
