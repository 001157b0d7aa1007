"""`selat policy` as a person runs it: results, languages and exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import commands
import pytest

from selat.policy import DEFAULT


def selat(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, given=text)


def run(verb: str, *words: str, request: Any = None) -> subprocess.CompletedProcess[str]:
    given = ["-"] if request is not None else []
    return selat("policy", verb, *given, *words, text=json.dumps(request))


SHIPPED = ("--policies", str(DEFAULT))
ABROAD = {"label": "terhad", "site": {"jurisdiction": "SG"}}


def test_check_prints_the_decision_and_exits_one_for_a_denial() -> None:
    done = run("check", *SHIPPED, "--json", request=ABROAD)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["effect"], told["rules"]) == ("deny", ["above-terbuka-stays-in-malaysia"])
    done = run("check", *SHIPPED, request={"site": {"jurisdiction": "SG"}, "scan": {"findings": ["MYKAD"]}})
    assert done.returncode == 0
    assert done.stdout.startswith("redact: personal data leaves Malaysia only when masked")


def test_explain_speaks_malay_and_english_and_says_what_would_change_it() -> None:
    done = run("explain", *SHIPPED, request=ABROAD)
    assert done.returncode == 0
    assert "DITOLAK" in done.stdout
    assert "gunakan enjin di Malaysia" in done.stdout
    assert "use an engine in Malaysia" in done.stdout
    two = run("explain", *SHIPPED, "--lang", "en", request={**ABROAD, "purpose": "loan-triage"}).stdout
    assert "  - use an engine in Malaysia under a Malaysian operator; register this purpose for the tenant" in two
    assert "DENIED" not in run("explain", *SHIPPED, "--lang", "ms", request=ABROAD).stdout


def test_test_and_prove_hold_for_the_shipped_set() -> None:
    done = run("test", *SHIPPED)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("prove", *SHIPPED, "--json")
    assert done.returncode == 0
    assert all(one["proved"] for one in json.loads(done.stdout)["proofs"])


def test_a_broken_set_fails_its_tests_its_proof_and_differs(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(DEFAULT, folder)
    path = folder / "policies" / "40-personal.cedar"
    path.write_text(path.read_text().replace("context.personal >= 2", "context.personal == 2"))
    done = run("prove", "--policies", str(folder))
    assert done.returncode == 1
    assert "BROKEN biometric-never-leaves-malaysia" in done.stdout
    assert "a caller of tenant 'tenant-a'" in done.stdout
    done = selat("policy", "diff", str(DEFAULT), str(folder), "--json")
    assert done.returncode == 1
    assert all(one["now_permitted"] for one in json.loads(done.stdout))
    done = selat("policy", "diff", str(DEFAULT), str(DEFAULT))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("given", "said", "code"),
    [
        ("{", "is not JSON", 1),
        ("[]", "must hold a JSON object", 1),
        ('{"colour": 1}', "unknown field", 1),
    ],
)
def test_a_bad_request_file_is_named(given: str, said: str, code: int) -> None:
    done = selat("policy", "check", "-", *SHIPPED, text=given)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
