"""`selat rules` and `selat incident` as a person runs them, each change an entry of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import commands
import pytest

from selat.app import Platform
from selat.home import Home, create_home
from selat.house import furnish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = create_home(tmp_path_factory.mktemp("duties") / "home")
    furnish(home)
    return home


def selat(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home.path)


def booked(home: Home) -> list[str]:
    """The kinds of the changes that wait in the journals of this home."""
    text = b"".join(path.read_bytes() for path in home.ledger.rglob("*") if path.is_file())
    kinds = ("incident.opened", "incident.duty_done", "incident.closed", "instrument.recorded")
    return [kind for kind in kinds if b'"' + kind.encode() + b'"' in text]


def test_rules_are_listed_and_shown_without_a_home() -> None:
    command = [sys.executable, "-m", "selat", "rules"]
    done = subprocess.run([*command, "list", "--profile", "ncii", "--json"], capture_output=True, check=True)
    assert {rule["pack"] for rule in json.loads(done.stdout)} >= {"my-ncii", "my-pdpa"}
    done = subprocess.run([*command, "show", "rmit-cloud"], capture_output=True, check=True, text=True)
    assert "status: unconfirmed" in done.stdout
    assert "do not rely on it" in done.stderr


def test_an_incident_runs_its_clocks_from_opening_to_closing(home: Home) -> None:
    noticed = (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")
    words = ("open", "laptop lost", "--kind", "personal", "--noticed", noticed, "--affected", "12", "--json")
    opened = json.loads(selat(home, "incident", *words).stdout)
    name = opened["id"]
    assert [duty["rule"] for duty in opened["duties"]] == ["pdpa-breach-commissioner"]
    due = json.loads(selat(home, "rules", "due", "--json").stdout)
    assert [(one["about"], one["state"]) for one in due] == [(name, "running")]
    done = selat(home, "incident", "close", name)
    assert done.returncode == 2
    assert "duties are left: pdpa-breach-commissioner" in done.stderr
    done = selat(home, "incident", "done", name, "pdpa-breach-commissioner", "--reference", "PDP/1")
    assert done.returncode == 0, done.stderr
    assert selat(home, "incident", "close", name).returncode == 0
    assert selat(home, "rules", "due").stderr == "nothing is due\n"
    assert booked(home)[:3] == ["incident.opened", "incident.duty_done", "incident.closed"]
    text = b"".join(path.read_bytes() for path in home.ledger.rglob("*") if path.is_file())
    assert b"laptop" not in text, "an incident's title is no part of an entry"


def test_a_transfer_assessment_carries_a_ground_for_three_years(home: Home) -> None:
    starts = datetime.now(UTC).date()
    words = ("record", "TIA-1", "--kind", "tia", "--title", "Singapore", "--starts", starts.isoformat())
    done = selat(home, "rules", *words, "--ground", "1B", "--to", "SG", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ends"][:4] == str(starts.year + 3)
    platform = Platform(home, "test")
    try:
        assert platform.duties.ground("default", "SG", starts) is not None
        assert platform.duties.ground("default", "CN", starts) is None
        assert selat(home, "rules", "withdraw", "TIA-1").returncode == 0
        assert platform.duties.ground("default", "SG", starts) is None
    finally:
        platform.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("incident", "open", "x", "--kind", "fire"), "known: personal"),
        (("incident", "open", "x", "--kind", "cyber", "--noticed", "yesterday"), "is not a time"),
        (("incident", "open", "x", "--kind", "cyber", "--noticed", "2026-01-01T00:00"), "has no zone"),
        (("incident", "show", "inc_none"), "no such incident"),
        (("rules", "due", "--tenant", "nobody"), "no such tenant"),
        (("rules", "record", "A", "--kind", "tia", "--title", "x", "--starts", "soon"), "is not a day"),
    ],
)
def test_a_slip_is_named(home: Home, words: tuple[str, ...], said: str) -> None:
    done = selat(home, *words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stdout == ""
