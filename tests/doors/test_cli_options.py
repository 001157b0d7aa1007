"""Options that take only some words, numbers or names: any other is refused in a line that says which they are."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from commands import selat

from selat.home import create_home
from selat.house import furnish

TENANT = "selat: no such tenant; see: selat tenant list\n"
EMPTY = "its value is empty; write one, or leave it out (is a variable not set?)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = create_home(tmp_path_factory.mktemp("options") / "home")
    furnish(made)
    return made.path


@pytest.mark.parametrize(
    ("command", "step"),
    [
        (
            "model suggest --memory 16GB --language xx",
            "--language 'xx': no maker names it; named are ar, de, en, ",
        ),
        (
            "model suggest --memory 16GB --not-from CHN",
            "--not-from 'CHN': write two letters (ISO 3166-1), as in MY",
        ),
        ("model add x --country malaysia", "--country 'malaysia': write two letters (ISO 3166-1), as in MY"),
        ("model pull x/y --country 1", "--country '1': write two letters (ISO 3166-1), as in MY"),
        (
            "model claim m --exam x --score 0.5 --by x --source x --date semalam",
            "'semalam' is not a day; write it as 2026-11-22",
        ),
        (
            "model claim m --exam x --score 0.5 --by x --source x --date 2026-11-22 --pack tiada",
            "no pack of that name; known: alat, ",
        ),
        ("ingest . --language fr", "--language: write ms, en, zh or ta, or leave it out: it is then detected"),
        ("rules list --status law", "--status 'law': write in_force, guidance, draft, unconfirmed"),
        ("incident list --tenant tiada", "no such tenant; see: selat tenant list"),
        (
            "guard scan tiada.txt",
            "tiada.txt cannot be read: No such file or directory; name a text in UTF-8, or - for",
        ),
        ("ledger query --decision denied", "decision: 'denied' is none; write permit, redact, deny"),
        ("key create --clearance=", f"--clearance: {EMPTY}"),
        ("label raise x --tenant tiada --to sulit", "no such tenant; see: selat tenant list"),
    ],
)
def test_what_is_none_of_the_known_is_refused_with_those_that_are(home: Path, command: str, step: str) -> None:
    done = selat(*command.split(), "--home", home)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"selat: {step}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "key create --days 99999999999999999999",
        "subject expire --days 99999999999999999999",
        "ledger query --limit 99999999999999999999",
        "drill plan --without-country CN --days 99999999999999999999",
        "index measure cuti --times 99999999999999999999",
        "incident open x --kind personal --affected 99999999999999999999",
        "quota set --per day --rm inf",
        "quota set --per day --rm nan",
        "eval run --model m --pack tatabahasa --max-samples -1",
        "eval run --model m --pack tatabahasa --minutes nan",
        "eval resume --max-tokens -1",
        "ingest . --every inf",
    ],
)
def test_a_number_beyond_its_limits_is_a_misuse_and_no_fault_of_ours(home: Path, command: str) -> None:
    done = selat(*command.split(), "--home", home)
    assert done.returncode == 2
    assert f"Invalid value for '{command.split()[-2]}'" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "search cuti",
        "index measure cuti",
        "ingest . --label sulit",
        "subject find --receipt x",
        "subject expire --days 9",
        *(
            f"knowledge {verb}"
            for verb in ("list", "progress", "pause", "resume", "twins x", "retry x", "remove x")
        ),
    ],
)
def test_a_tenant_that_is_not_there_is_named_not_taken_for_an_empty_one(home: Path, command: str) -> None:
    done = selat(*command.split(), "--tenant", "tiada", "--home", home)
    assert (done.returncode, done.stderr) == (1, TENANT)


@pytest.mark.parametrize("words", [("key", "create", "--clearance", ""), ("search", "cuti", "--clearance", "")])
def test_an_unset_variable_of_a_script_never_widens_what_is_asked_for(home: Path, words: tuple[str, ...]) -> None:
    done = selat(*words, "--home", home)
    assert (done.returncode, done.stderr) == (2, f"selat: --clearance: {EMPTY}\n")


def test_questions_of_a_split_or_collection_that_is_not_there_are_no_score_of_nothing(
    home: Path, tmp_path: Path
) -> None:
    questions = tmp_path / "soalan.jsonl"
    questions.write_text('{"id": "1", "query": "cuti", "gold": ["x"], "language": "ms", "split": "dev"}\n')
    done = selat("knowledge", "score", questions, "--split", "test", "--home", home)
    assert (done.returncode, done.stderr) == (
        2,
        f"selat: {questions}: no question of split 'test' in it; see its rows\n",
    )
    done = selat("knowledge", "score", questions, "--collection", "tiada", "--home", home)
    assert (done.returncode, done.stderr) == (1, "selat: no collection 'tiada'; see: selat knowledge list\n")


def test_a_model_that_is_not_there_is_told_with_those_that_may_be_asked(home: Path) -> None:
    done = selat("ask", "Bila DPO wajib dilantik?", "--model", "tiada", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith("selat: no such model; there are: docs, extractive, ")
    asked = selat("ask", "Bila DPO wajib dilantik?", "--model", "docs", "--home", home)
    assert (asked.returncode, asked.stderr.startswith("label ")) == (0, True), asked.stderr


def test_what_is_no_text_is_not_written_to_a_terminal(home: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "selat", "ledger", "query", "--format", "parquet", "--home", str(home)]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=300)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert done.stderr == (
        "selat: parquet is no text for a terminal: name a file with --output FILE, or redirect it: > FILE\n"
    )
