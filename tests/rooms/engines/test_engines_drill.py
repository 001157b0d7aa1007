"""A drill takes engines away from routing, leaves everything else as it was, and ends by its own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from selat.core.caller import Site
from selat.core.drill import Drill, Loss, Maker
from selat.core.errors import HomeBroken, Unavailable
from selat.engines import DrillFile, Drilling, Shelf, load_engines
from selat.testing import EchoEngine

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ENGINE = """
[[engine]]
name = "{name}"
kind = "openai"
url = "http://127.0.0.1:1/v1"
site = {{ jurisdiction = "{country}", operator = "{operator}", hardware = "{hardware}" }}
models = {{ {models} }}
"""
TWO = ENGINE.format(
    name="satu", country="MY", operator="self", hardware="nvidia", models='"m" = "Qwen3-8B", "sahaja" = "s"'
) + ENGINE.format(name="dua", country="SG", operator="Awan", hardware="ascend", models='"m" = "Sea"')


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def makers(model: str) -> Maker | None:
    return Maker("Alibaba", "CN") if model == "Qwen3-8B" else None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("selat.engines.shelf._LOOK_EVERY_S", 0.0)
    return Clock()


@pytest.fixture
def shelf(tmp_path: Path, clock: Clock) -> Shelf:
    (tmp_path / "engines.toml").write_text(TWO)
    drilling = Drilling(tmp_path / "drill.json", makers, clock)
    return load_engines(tmp_path / "engines.toml", builtin=(EchoEngine(models=("m",)),), drilling=drilling)


def begin(folder: Path, loss: Loss, minutes: int = 10) -> None:
    DrillFile(folder / "drill.json").write(Drill("a" * 32, loss, "latihan", NOW, NOW + timedelta(minutes=minutes)))


def names(shelf: Shelf, model: str = "m") -> list[str]:
    return [engine.name for engine in shelf.lookup(model)]


@pytest.mark.parametrize(
    ("loss", "left"),
    [
        (Loss(hardware=("NVIDIA",)), ["dua", "echo"]),
        (Loss(country=("SG",)), ["satu", "echo"]),
        (Loss(country=("CN",)), ["dua", "echo"]),
        (Loss(vendor=("alibaba",)), ["dua", "echo"]),
        (Loss(vendor=("awan",)), ["satu", "echo"]),
        (Loss(engine=("satu",)), ["dua", "echo"]),
        (Loss(hardware=("nvidia", "ascend")), ["echo"]),
        (Loss(hardware=("unknown",), country=("MY",)), ["dua", "echo"]),
    ],
    ids=["hardware", "country", "makers-country", "maker", "operator", "engine", "two", "the-house-itself-stays"],
)
def test_a_drill_takes_what_hangs_on_its_loss_and_no_more(
    shelf: Shelf, tmp_path: Path, loss: Loss, left: list[str]
) -> None:
    assert names(shelf) == ["satu", "dua", "echo"]
    before = shelf.engines
    begin(tmp_path, loss)
    assert names(shelf) == left
    assert shelf.engines == before, "health probes and metrics still see every engine"


def test_a_model_without_engines_says_so_until_the_drill_ends_by_itself(
    shelf: Shelf, tmp_path: Path, clock: Clock
) -> None:
    begin(tmp_path, Loss(engine=("satu",)))
    with pytest.raises(
        Unavailable, match=r"without engine satu runs until 2026-11-22T09:10:00Z.*selat drill stop"
    ):
        shelf.lookup("sahaja")
    assert shelf.models() == ("m",)
    assert shelf.lookup("tiada") == ()
    clock.now = NOW + timedelta(minutes=10)
    assert names(shelf, "sahaja") == ["satu"]
    assert shelf.models() == ("m", "sahaja")


def test_a_process_that_starts_during_a_drill_keeps_to_it(tmp_path: Path, clock: Clock) -> None:
    begin(tmp_path, Loss(engine=("dua",)))
    path = tmp_path / "engines.toml"
    path.write_text(TWO)
    shelf = load_engines(path, drilling=Drilling(tmp_path / "drill.json", makers, clock))
    assert names(shelf) == ["satu"]
    DrillFile(tmp_path / "drill.json").clear()
    assert names(shelf) == ["satu", "dua"]


def test_a_damaged_file_neither_starts_nor_ends_a_drill(
    shelf: Shelf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = DrillFile(tmp_path / "drill.json")
    file.path.write_text("{")
    with pytest.raises(HomeBroken, match="damaged"):
        file.read()
    assert names(shelf) == ["satu", "dua", "echo"]
    begin(tmp_path, Loss(engine=("dua",)))
    assert names(shelf) == ["satu", "echo"]
    file.path.write_text("{}")
    assert names(shelf) == names(shelf) == ["satu", "echo"]
    assert caplog.text.count("drills stay as they were") == 2


def test_of_a_model_whose_maker_is_not_known_only_the_site_is_lost() -> None:
    site = Site("MY", "Awan", "US", "nvidia")
    assert Loss(vendor=("Alibaba",)).cause("e", site, None) == ""
    assert Loss(country=("US",)).cause("e", site, None) == "country US"
