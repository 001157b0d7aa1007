"""`selat key` as a person runs it: the secret once on stdout, every change an entry, exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import commands
import pytest

from selat.core.errors import Unauthenticated
from selat.home import Home, create_home
from selat.identity import Keys, Tenant
from selat.ledger import prepare


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = create_home(tmp_path / "home")
    prepare(home.ledger, home.keys / "ledger.key")
    keys = Keys.open(home.database)
    keys.ensure_tenant(Tenant("default"))
    keys.close()
    return home


def selat(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("key", *words, "--home", home.path)


def test_a_key_is_made_listed_rotated_and_revoked(home: Home) -> None:
    done = selat(home, "create", "--name", "laptop", "--role", "builder", "--clearance", "sulit", "--days", "30")
    assert done.returncode == 0, done.stderr
    secret = done.stdout.strip()
    keys = Keys.open(home.database)
    assert keys.identify(secret).roles == frozenset({"builder"})
    (listed,) = json.loads(selat(home, "list", "--json").stdout)
    assert (listed["name"], listed["clearance"]) == ("laptop", "sulit/public/none/-")
    assert secret not in selat(home, "list").stdout
    fresh = json.loads(selat(home, "rotate", listed["id"], "--json").stdout)
    assert (fresh["name"], fresh["expires"]) == ("laptop", listed["expires"])
    assert selat(home, "revoke", listed["id"]).returncode == 0
    again = Keys.open(home.database)
    assert again.identify(fresh["secret"])
    with pytest.raises(Unauthenticated):
        again.identify(secret)
    keys.close()
    again.close()


def test_a_wrong_role_tenant_or_key_is_refused_with_the_next_step(home: Home) -> None:
    done = selat(home, "create", "--role", "king")
    assert (done.returncode, done.stdout) == (2, "")
    assert "known: operator, builder" in done.stderr
    done = selat(home, "create", "--tenant", "nobody")
    assert done.returncode == 1
    assert "no such tenant" in done.stderr
    done = selat(home, "revoke", "key_nothing")
    assert (done.returncode, done.stderr) == (1, "selat: no such key; see: selat key list\n")


def test_no_home_is_said_so(tmp_path: Path) -> None:
    done = selat(Home(tmp_path / "nowhere"), "list")
    assert done.returncode == 1
    assert "no Selat home" in done.stderr
