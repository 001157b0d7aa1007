"""Detectors of other packages are found by entry point; a house that named one does not run without it."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from selat.app import open_platform
from selat.cli import app
from selat.core.errors import HomeBroken, NotFound
from selat.evals.named import pack_named
from selat.evals.scaffold import scaffold
from selat.plugins import DETECTORS, eval_packs, load_detectors

PLUGIN = """
from selat.guard import KINDS
from selat.core.finding import Finding

class Staff:
    name = "staff"
    def __init__(self, word="S-"): self.word = word
    def find(self, text):
        at = text.find(self.word)
        return [Finding(at, at + len(self.word) + 4, "PASSPORT", 0.9)] if at >= 0 else []

def make(word="S-"):
    return Staff(word)

def breaks():
    raise OSError("900101-14-5678")

nothing = dict

def packs():
    from pathlib import Path
    return sorted(Path(__file__).parent.glob("packs/*.toml"))
"""
POINTS = (
    "[selat.detectors]\nstaff = staff_plugin:make\nbreaks = staff_plugin:breaks\nnothing = staff_plugin:nothing\n"
    "[selat.evals]\nstaff = staff_plugin:packs\n"
)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution as pip would install it, on a path of its own."""
    site = tmp_path / "site"
    info = site / "staff_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "staff_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: staff-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (site / "packs").mkdir()
    scaffold("bank-pinjaman", site / "packs", "2026-11-22")
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("staff_plugin", None)


@pytest.mark.usefixtures("plugin")
def test_a_named_detector_takes_part_in_every_scan_of_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    monkeypatch.setenv("SELAT_GUARD_DETECTORS", "staff=STAFF-")
    with open_platform(home) as platform:
        kinds = [finding.kind for finding in platform.guard.scan("STAFF-1234, 900101-14-5678").findings]
    assert kinds == ["PASSPORT", "MYKAD"]


@pytest.mark.usefixtures("plugin")
def test_packs_of_other_packages_are_found_by_name(tmp_path: Path) -> None:
    plugged = eval_packs()
    assert plugged == {"bank-pinjaman": tmp_path / "site" / "packs" / "bank-pinjaman.toml"}
    assert len(pack_named("bank-pinjaman", plugged).items) == 3
    with pytest.raises(NotFound, match="terjemahan, bank-pinjaman"):
        pack_named("bank-simpanan", plugged)
    listed = CliRunner().invoke(app, ["eval", "list", "--json"])
    assert "bank-pinjaman" in {row["name"] for row in json.loads(listed.stdout)}


@pytest.mark.usefixtures("plugin")
def test_a_plugin_takes_no_name_of_ours_and_brings_files_that_are_there(tmp_path: Path) -> None:
    scaffold("tatabahasa", tmp_path / "site" / "packs", "2026-11-22")
    with pytest.raises(HomeBroken, match="'tatabahasa' is taken"):
        eval_packs()
    (tmp_path / "site" / "packs" / "tatabahasa.toml").unlink()
    (tmp_path / "site" / "packs" / "folder.toml").mkdir()
    with pytest.raises(HomeBroken, match="is no pack file"):
        eval_packs()


@pytest.mark.usefixtures("plugin")
def test_detectors_come_in_the_order_of_the_setting() -> None:
    assert [detector.name for detector in load_detectors("staff, staff=T-")] == ["staff", "staff"]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("name", ["missing", "breaks", "nothing"])
def test_a_detector_that_cannot_be_had_stops_the_start(name: str) -> None:
    with pytest.raises(HomeBroken, match=name) as raised:
        load_detectors(f"staff, {name}")
    assert "900101" not in str(raised.value)


def test_nothing_is_looked_for_when_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", None)
    assert load_detectors(" ") == ()


def test_our_own_entry_points_lead_to_what_is_there() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"][DETECTORS]
    assert set(points) == {"presidio", "gliner"} <= set(project["optional-dependencies"])
    for name, target in points.items():
        assert callable(EntryPoint(name, target, DETECTORS).load())
