"""`selat tenant` and `selat quota` as a person runs them."""

from __future__ import annotations

import json
import subprocess

import commands
import pytest

from selat.home import Home, create_home
from selat.house import furnish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = create_home(tmp_path_factory.mktemp("tenants") / "home")
    furnish(home)
    return home


def selat(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home.path)


def journals(home: Home) -> bytes:
    return b"".join(path.read_bytes() for path in home.ledger.rglob("*") if path.is_file())


def test_a_tenant_is_made_once_with_purposes_of_its_own(home: Home) -> None:
    assert selat(home, "tenant", "create", "bank", "--profile", "financial").returncode == 0
    assert selat(home, "tenant", "create", "bank").returncode == 2
    words = ("bank", "loan-triage", "--ms", "Saringan pinjaman", "--en", "Loan triage", "--needs-passport")
    changed = json.loads(selat(home, "tenant", "purpose", *words, "--json").stdout)
    assert [one["id"] for one in changed["purposes"] if one["needs_passport"]] == ["loan-triage"]
    found = {one["id"]: one for one in json.loads(selat(home, "tenant", "list", "--json").stdout)}
    assert found["bank"]["profile"] == "financial"
    assert "loan-triage" not in [one["id"] for one in found["default"]["purposes"]]
    assert b"tenant.created" in journals(home)
    assert b"purpose.registered" in journals(home)


def test_limits_are_set_listed_and_cleared(home: Home) -> None:
    done = selat(home, "quota", "set", "--per", "month", "--requests", "100", "--rm", "12.50")
    assert done.stdout == "tenant: 100 requests per month\ntenant: RM 12.5000 per month\n"
    listed = json.loads(selat(home, "quota", "list", "--json").stdout)
    assert {(one["unit"], one["amount"], one["used"]) for one in listed} == {
        ("requests", 100, 0),
        ("microringgit", 12_500_000, 0),
    }
    words = ("quota", "clear", "--per", "month", "--unit", "requests")
    assert selat(home, *words).returncode == 0
    assert selat(home, *words).returncode == 1
    assert b"quota.set" in journals(home)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tenant", "create", "Big Bank"), "use small letters"),
        (("tenant", "create", "x", "--profile", "kingdom"), "known: agency"),
        (("tenant", "purpose", "nobody", "x", "--ms", "x", "--en", "x"), "no such tenant"),
        (("quota", "set", "--per", "day"), "give --requests"),
        (("quota", "set", "--per", "year", "--requests", "1"), "known: minute"),
        (("quota", "set", "--per", "day", "--requests", "1", "--scope", "all"), "quota scope"),
        (("quota", "list", "--tenant", "nobody"), "no such tenant"),
    ],
)
def test_a_slip_is_named(home: Home, words: tuple[str, ...], said: str) -> None:
    done = selat(home, *words)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stdout == ""


def test_words_are_kept_only_on_a_tenants_wish(home: Home) -> None:
    assert json.loads(selat(home, "tenant", "list", "--json").stdout)[0]["content_days"] == 0
    assert selat(home, "tenant", "content", "default", "--days", "36500").returncode == 2
    assert "words kept 30 days" in selat(home, "tenant", "content", "default", "--days", "30").stdout
    (found,) = [
        one for one in json.loads(selat(home, "tenant", "list", "--json").stdout) if one["id"] == "default"
    ]
    assert found["content_days"] == 30
    assert "words kept" not in selat(home, "tenant", "content", "default", "--days", "0").stdout
    assert b"tenant.content" in journals(home)


def test_the_rule_packs_in_force_are_booked_once_until_they_change(home: Home) -> None:
    furnish(home)
    assert journals(home).count(b'"packs.in_force"') == 1
    assert b'"financial":{"digest":' in journals(home)
