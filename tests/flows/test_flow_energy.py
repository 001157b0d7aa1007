"""kWh are reckoned from watts and time or from joules a token, never where nothing is known, with their source."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.core.errors import HomeBroken
from selat.flows.energy import Draw, read_energy
from selat.ledger import Use

USE = Use(("m",), requests=10, refused=1, prompt_tokens=2000, completion_tokens=500, busy_ms=3_600_000)


def test_an_hour_of_a_kilowatt_is_a_kilowatt_hour_and_is_shared_by_those_served_at_once() -> None:
    assert Draw(watts=1000).kwh(USE) == pytest.approx(1.0)
    assert Draw(watts=1000, at_once=4).kwh(USE) == pytest.approx(0.25)


def test_joules_are_counted_by_token() -> None:
    draw = Draw(joules_per_token=7.2, joules_per_prompt_token=0.1)
    assert draw.kwh(USE) == pytest.approx((500 * 7.2 + 2000 * 0.1) / 3.6e6)


def test_the_file_is_read_and_what_is_not_in_it_has_no_estimate(tmp_path: Path) -> None:
    file = tmp_path / "energy.toml"
    assert read_energy(file).kwh("garuda", USE) is None
    file.write_text('rm_per_kwh = 0.4\n[engine.garuda]\nwatts = 500\nsource = "plug"\n')
    energy = read_energy(file)
    assert energy.kwh("garuda", USE) == pytest.approx(0.5)
    assert energy.kwh("laut", USE) is None
    assert (energy.rm_per_kwh, energy.draws["garuda"].source) == (0.4, "plug")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rm_per_kwh = -1", "rm_per_kwh"),
        ("rm = 1", "unknown: rm"),
        ("engine = 3", "tables of their own"),
        ('[engine.a]\nsource = "x"', "one of the two"),
        ('[engine.a]\nwatts = 1\njoules_per_token = 1\nsource = "x"', "one of the two"),
        ("[engine.a]\nwatts = 1", "source"),
        ('[engine.a]\nwatts = true\nsource = "x"', "watts"),
        ('[engine.a]\nwatts = inf\nsource = "x"', "watts"),
        ('[engine.a]\nwatts = 1\nat_once = 0\nsource = "x"', "at_once"),
        ('[engine.a]\nwatt = 1\nsource = "x"', "known are"),
        ("[engine", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "energy.toml"
    file.write_text(text)
    with pytest.raises(HomeBroken, match=named):
        read_energy(file)
