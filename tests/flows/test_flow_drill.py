"""A drill on paper names what stops and what is left; a live one is booked when it begins and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from selat.core.caller import Site
from selat.core.drill import Loss
from selat.core.errors import LedgerUnavailable, Misused, NotFound
from selat.engines import DrillFile
from selat.flows.drill import Drills, check, plan
from selat.flows.sovereignty import Served, Standing

OURS = Standing("rumah", Site("MY", hardware="ascend"), {"chat": "Qwen/Qwen3-8B"})
THEIRS = Standing("awan", Site("SG", "Awan", "US", "nvidia"), {"chat": "besar", "besar": "besar"})
QUOTES = Standing("extractive", Site("MY", hardware="nvidia"), {"extractive": "extractive"}, weights=False)
ENGINES = [OURS, THEIRS, QUOTES]
SERVED = {
    "hospital": [Served("triage", "besar", "awan", 30, 30), Served("chat", "chat", "awan", 5, 5)],
    "default": [Served("chat", "chat", "rumah", 60, 60), Served("docs", "extractive", "extractive", 5, 5)],
}
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_a_plan_names_the_models_purposes_and_tenants_that_stop_and_what_is_left() -> None:
    found = plan(Loss(hardware=("nvidia",)), ENGINES, SERVED)
    assert [(fate.model, dict(fate.gone), fate.left) for fate in found.fates] == [
        ("besar", {"awan": "hardware nvidia"}, ()),
        ("chat", {"awan": "hardware nvidia"}, ("rumah",)),
    ]
    assert [(one.tenant, one.purpose, one.model, one.requests, one.left) for one in found.touched] == [
        ("hospital", "triage", "besar", 30, ()),
        ("default", "chat", "chat", 60, ("rumah",)),
        ("hospital", "chat", "chat", 5, ("rumah",)),
    ]
    assert (found.stopped, found.requests) == (30, 100)


def test_a_makers_country_takes_its_models_from_every_engine() -> None:
    found = plan(Loss(country=("CN",)), ENGINES, SERVED)
    assert [(fate.model, dict(fate.gone), fate.left) for fate in found.fates] == [
        ("chat", {"rumah": "country CN"}, ("awan",))
    ]
    assert found.stopped == 0
    assert found.unplaced == ("besar", "chat"), "nobody knows who made what `awan` runs"


def test_a_loss_that_takes_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(
        Misused, match="no engine here hangs on hardware nvdia; there: hardware ascend, hardware nvidia"
    ):
        check(Loss(hardware=("nvdia",)), ENGINES)
    with pytest.raises(Misused, match="--without-hardware"):
        check(Loss(), ENGINES)


class House:
    """A drill file, a clock to set, and a book that can be shut."""

    def __init__(self, folder: Path) -> None:
        self.now, self.booked, self.shut = NOW, list[tuple[str, dict[str, object]]](), False
        self.file = DrillFile(folder / "drill.json")

    @property
    def drills(self) -> Drills:
        return Drills(self.file, self.record, lambda: self.now)

    def record(self, kind: str, facts: dict[str, object]) -> str:
        if self.shut:
            raise LedgerUnavailable("shut")
        self.booked.append((kind, facts))
        return f"{len(self.booked):032x}"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_drill_is_booked_when_it_starts_and_when_it_is_stopped(house: House) -> None:
    drill = house.drills.start(Loss(hardware=("nvidia",)), 10, "latihan suku tahun")
    assert house.drills.running() == drill
    facts = {"without": {"hardware": ["nvidia"]}, "reason": "latihan suku tahun", "until": "2026-11-22T09:10:00Z"}
    assert house.booked == [("drill.started", facts)]
    with pytest.raises(Misused, match="without hardware nvidia runs already"):
        house.drills.start(Loss(engine=("awan",)), 10, "lagi")
    assert house.drills.stop() == drill
    assert house.booked[1:] == [("drill.ended", {"drill": drill.id, "how": "stopped"})]
    assert house.drills.running() is None
    with pytest.raises(NotFound):
        house.drills.stop()


def test_its_time_being_over_is_booked_once_by_whoever_sees_it_first(house: House) -> None:
    drill = house.drills.start(Loss(engine=("awan",)), 10, "latihan")
    house.drills.settle()
    house.now = NOW + timedelta(minutes=10)
    assert house.drills.running() is None
    house.drills.settle()
    house.drills.settle()
    assert house.booked[1:] == [("drill.ended", {"drill": drill.id, "how": "time"})]
    house.drills.start(Loss(engine=("awan",)), 10, "sekali lagi")


def test_what_cannot_be_booked_is_not_done(house: House) -> None:
    house.shut = True
    with pytest.raises(LedgerUnavailable):
        house.drills.start(Loss(engine=("awan",)), 10, "latihan")
    assert house.file.read() is None
    house.shut = False
    house.drills.start(Loss(engine=("awan",)), 10, "latihan")
    house.shut = True
    with pytest.raises(LedgerUnavailable):
        house.drills.stop()
    assert house.drills.running() is not None


@pytest.mark.parametrize(
    ("minutes", "reason", "told"), [(0, "x", "--minutes"), (1441, "x", "--minutes"), (5, " ", "--reason")]
)
def test_a_drill_without_an_end_or_a_reason_is_refused(house: House, minutes: int, reason: str, told: str) -> None:
    with pytest.raises(Misused, match=told):
        house.drills.start(Loss(engine=("awan",)), minutes, reason)
    assert house.booked == []
