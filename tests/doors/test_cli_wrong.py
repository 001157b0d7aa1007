"""What somebody tired types: the wrong file, a folder, an empty one. Each ends in one line with the next step."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import selat

from selat.cli.frame import unforeseen
from selat.cli.welcome import peer
from selat.core.errors import HomeBroken
from selat.home import create_home
from selat.house import furnish

WRONG = ("tiada", "folder", "bait")
"""Nothing, a folder, and bytes that are no text."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home beside what is named by mistake, which is where the command is given."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "bait").write_bytes(b"\xff\xfe\x00\x80" * 100)
    (tmp_path / "kosong").touch()
    monkeypatch.chdir(tmp_path)
    made = create_home(tmp_path / "home")
    furnish(made)
    return made.path


@pytest.mark.parametrize("file", WRONG)
@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("ledger check --trust", "trust.policy"),
        ("ledger verify x.zip --trust", "trust.policy"),
        ("search --out o --queries", "JSONL"),
        ("ask --out o --queries", "JSONL"),
        ("knowledge score", "JSONL"),
        ("guard score", "JSONL"),
        ("subject find --tenant default --words", "the words"),
        ("policy explain", '{"purpose": "chat"}'),
        ("policy prove --policies", "name one that holds schema.cedarschema"),
    ],
)
def test_the_wrong_file_is_named_in_one_line_with_what_to_name_instead(
    home: Path, command: str, step: str, file: str
) -> None:
    done = selat(*command.split(), file, "--home", home)
    assert done.returncode in (1, 2)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("selat: "))
    assert file in line
    assert (step in line) or (command.endswith("--policies") and file == "folder" and "is missing" in line)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["check", "verify x.zip"])
def test_an_empty_trust_file_is_refused_and_never_counts_as_none(home: Path, verb: str) -> None:
    done = selat("ledger", *verb.split(), "--trust", "kosong", "--home", home)
    assert done.returncode == 2
    assert done.stderr.startswith("selat: kosong: trust file: no quorum line")


@pytest.mark.usefixtures("home")
def test_words_to_be_proved_must_be_of_a_prompt_or_an_answer() -> None:
    for wish in ("soalan=bait", "prompt", "prompt=tiada"):
        done = selat("ledger", "verify", "x.zip", "--text", wish)
        assert done.returncode == 2
        assert f"--text {wish}: " in done.stderr


def test_a_disk_that_takes_nothing_more_ends_in_a_line_with_the_next_step() -> None:
    done = selat("witness", "init", "saksi/satu", "--folder", "/dev/full/saksi")
    assert done.returncode == 1
    assert done.stderr.startswith("selat: /dev/full/saksi")
    assert "Traceback" not in done.stderr
    rows = [("a", "b", "[Errno 28] No space left on device: 'b'")]  # as a folder's copy says it
    assert str(unforeseen(shutil.Error(rows))) == (
        "[Errno 28] No space left on device: 'b'; see to that, then run this again"
    )
    assert str(unforeseen(OSError(28, "No space left on device"))) == (
        "No space left on device; free some space, then run this again"
    )


def test_a_fault_of_ours_is_a_line_without_a_word_of_what_was_asked_and_debug_shows_the_rest() -> None:
    try:
        raise KeyError("sulit sekali")
    except KeyError as error:
        said = str(unforeseen(error))
    assert "KeyError at test_cli_wrong.py:" in said
    assert "--debug" in said
    assert "sulit" not in said


def test_a_setting_of_the_wrong_kind_says_where_to_mend_it(home: Path) -> None:
    (home / "selat.toml").write_text('port = "pintu"\n')
    done = selat("key", "list", "--home", home)
    assert done.stderr == (
        "selat: setting port: 'pintu' is not a whole number; mend selat.toml, or the variable SELAT_PORT\n"
    )


def test_a_file_where_a_home_wants_a_folder_is_named(home: Path) -> None:
    (home / "knowledge").rmdir()
    (home / "knowledge").touch()
    done = selat("up", "--home", home, "--port", "0", "--once")
    assert done.returncode == 1
    assert f"({home / 'knowledge'}: File exists)" in done.stderr


def test_a_certificate_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "kosong.pem").touch()
    for file in ("tiada.pem", "kosong.pem"):
        with pytest.raises(HomeBroken, match=rf"{file} does not load: .*name a PEM file in selat\.toml"):
            peer("https://127.0.0.1:7352", tmp_path / file)


@pytest.mark.parametrize("verb", ["rules list", "rules due", "policy prove", "incident notice inc_1 x"])
def test_a_language_that_is_not_spoken_is_refused(home: Path, verb: str) -> None:
    done = selat(*verb.split(), "--lang", "fr", "--home", home)
    assert (done.returncode, done.stderr) == (2, "selat: --lang: write ms or en\n")


def test_a_collection_that_is_not_there_is_named(home: Path) -> None:
    for noun in ("search", "ask"):
        done = selat(noun, "cuti", "--collection", "tiada", "--home", home)
        assert "no collection 'tiada'; see: selat knowledge list" in done.stderr


def test_a_refusal_names_its_rules_and_where_what_policy_saw_can_be_read(home: Path) -> None:
    done = selat("ask", "cuti", "--purpose", "tiada", "--home", home)
    assert done.returncode == 1
    assert re.fullmatch(
        r"selat: the purpose is not in the tenant's register "
        r"\(purpose-must-be-registered; what was seen: selat ledger show [0-9a-f]{32}\)\n",
        done.stderr,
    )


def test_ctrl_c_ends_in_a_line_with_the_next_step_and_no_traceback() -> None:
    code = (
        "import signal, selat.cli as cli, selat.cli.key as key\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it\n"
        "key.app.command('x')(lambda: signal.raise_signal(signal.SIGINT))\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "key", "x"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130
    assert done.stderr.strip() == "selat: stopped by Ctrl-C; run it again: long work goes on where it was"
