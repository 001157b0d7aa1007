"""`selat engine` as a command: engines are written, shown with their health, booked and taken out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import commands
import pytest

from selat.app import open_platform
from selat.home import create_home
from selat.house import furnish
from selat.testing import Upstream


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = create_home(tmp_path / "home")
    furnish(made)
    return made.path


def selat(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("engine", *words, "--home", home, **environment)


def leaves(home: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in (home / "ledger").rglob("*") if path.is_file())


def test_an_engine_is_added_listed_with_its_health_and_removed(home: Path) -> None:
    with Upstream() as upstream:
        words = ["--model", "chat=echo", "--model", "tiada", "--site", "MY", "--operator", "Laut", "--weight", "2"]
        done = selat(home, "add", "laut", "--url", upstream.url, *words)
        assert (done.returncode, done.stdout) == (0, "added laut: chat, tiada\n")
        assert "does not hold 'tiada'" in done.stderr

        listed: list[dict[str, Any]] = json.loads(selat(home, "list", "--json").stdout)
        assert [row["name"] for row in listed] == ["laut", "extractive"]
        assert listed[0]["models"] == {"chat": "echo", "tiada": "tiada"}
        assert listed[0]["site"]["operator"] == "Laut"
        assert listed[0]["health"]["ok"] is True
    down = selat(home, "list")
    assert down.returncode == 0
    assert "laut  MY (Laut, unknown)  chat, tiada  DOWN" in down.stdout

    with open_platform(home) as platform:
        assert [engine.name for engine in platform.shelf.lookup("chat")] == ["laut"]
    assert selat(home, "remove", "laut").stdout == "removed laut\n"
    with open_platform(home) as platform:
        assert platform.shelf.lookup("chat") == ()
    book = leaves(home)
    assert "engine.added" in book
    assert "engine.removed" in book


def test_wrong_use_exits_2_and_an_absent_engine_1(home: Path) -> None:
    before = home / "engines.toml"
    for words, told in (
        (["add", "a", "--url", "http://h", "--model", "m"], "--site is needed"),
        (["add", "a", "--url", "h", "--model", "m", "--site", "MY"], "field 'url'"),
        (["add", "a", "--url", "http://h", "--site", "MY"], "field 'models': needed"),
        (["add", "a", "--url", "http://h", "--model", "m=", "--site", "MY"], "--model"),
        (["add", "A B", "--url", "http://h", "--model", "m", "--site", "MY"], "field 'name'"),
    ):
        done = selat(home, *words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert told in done.stderr
    assert not before.exists()
    gone = selat(home, "remove", "laut")
    assert gone.returncode == 1
    assert "no engine of that name" in gone.stderr


def test_a_key_is_named_by_its_place_and_shown_nowhere(home: Path) -> None:
    with Upstream() as upstream:
        words = ["--model", "echo", "--site", "MY", "--key-env", "LAUT_KEY"]
        done = selat(home, "add", "laut", "--url", upstream.url, *words, LAUT_KEY="sk-geheim")
        shown = selat(home, "list", "--json", LAUT_KEY="sk-geheim")
        assert upstream.received[-1].headers["authorization"] == "Bearer sk-geheim"
    for text in (done.stdout, done.stderr, shown.stdout, shown.stderr, (home / "engines.toml").read_text()):
        assert "geheim" not in text
    assert "geheim" not in leaves(home)
