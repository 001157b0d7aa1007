"""`selat person`: links to sign in lead to where this Selat listens."""

from __future__ import annotations

from pathlib import Path

import pytest
from doors_kit import Running
from typer.testing import CliRunner

from selat.cli import app
from selat.home import Home, create_home
from selat.house import furnish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = create_home(tmp_path_factory.mktemp("people") / "home")
    furnish(made)
    return made


def link(home: Home, login: str) -> str:
    done = CliRunner().invoke(app, ["person", "add", login, "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    return next(line for line in done.stdout.splitlines() if "/welcome?link=" in line)


def test_a_link_leads_to_where_selat_was_started_last(home: Home) -> None:
    assert link(home, "satu").startswith("http://127.0.0.1:7352/welcome")
    home.address.write_text("https://127.0.0.1:8443")
    assert link(home, "dua").startswith("https://127.0.0.1:8443/welcome")
    (home.path / "selat.toml").write_text('console_url = "https://selat.example.my/"\n')
    assert link(home, "tiga").startswith("https://selat.example.my/welcome")


def test_what_listens_says_where(selat: Running) -> None:
    assert Path(selat.home / "run" / "address").read_text() == selat.address
