"""The command as it is started: tests see of one that was forked what a person sees of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import commands
import pytest
from doors_kit import children
from waiting import until

from selat.cli.welcome import Peer, wait_until_ready
from selat.core.errors import HomeBusy, Unavailable
from selat.home import create_home

ROOT = Path(__file__).parents[2]
BEGAN = "Selat is starting"


@pytest.mark.parametrize(
    ("words", "given", "code"),
    [
        (("guard", "redact", "-"), "IC saya 900101-14-5678\n", 0),
        (("key", "list"), "", 1),
        (("guard", "tiada"), "", 2),
        (("policy", "check", "tiada.json"), "", 1),
    ],
)
def test_a_forked_command_says_and_ends_as_one_started_anew(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], given: str, code: int
) -> None:
    home = {"SELAT_HOME": "/nonexistent/selat"}
    forked = commands.selat(*words, given=given, **home)
    monkeypatch.setenv("SELAT_TEST_SPAWN", "1")
    started = commands.selat(*words, given=given, **home)
    assert (forked.returncode, started.returncode) == (code, code), forked.stderr
    assert forked.stdout == started.stdout
    assert forked.stderr == started.stderr.replace("python -m selat", "selat")


def test_ctrl_c_while_the_command_is_read_in_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    script = EntryPoint(
        "selat", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["selat"], ""
    )
    installed = f"from {script.module} import {script.attr}; {script.attr}()"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    for how in (["-m", "selat"], ["-c", installed]):
        done = subprocess.run(
            [sys.executable, *how, "key", "list"],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert (done.returncode, done.stderr) == (130, "selat: stopped by Ctrl-C before it began\n")


def commands_of(home: Path) -> list[int]:
    """The processes that were told of a home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(home).encode() in words:
                found.append(int(entry.name))
    return found


def furnishing(process: subprocess.Popen[bytes], said: Path) -> bool:
    """`selat up` has become the process that watches; its errand works."""
    return b"selat.process" in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def starting(process: subprocess.Popen[bytes], said: Path) -> bool:
    """Its sequencer and its gateway have begun, and import."""
    return BEGAN in said.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", [furnishing, starting])
def test_up_that_is_stopped_while_it_starts_ends_in_a_line_and_leaves_nothing_behind(
    tmp_path: Path, when: Callable[[subprocess.Popen[bytes], Path], bool], number: signal.Signals
) -> None:
    home, said = tmp_path / "home", tmp_path / "said"
    command = [sys.executable, "-m", "selat", "up", "--home", str(home), "--port", "0"]
    with said.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
    until(lambda: when(process, said))
    os.killpg(process.pid, number)  # as a terminal does to all of a job, and a service manager
    os.kill(process.pid, number)  # as what stands between them does again
    assert process.wait(60) == 128 + number
    lines = [line for line in said.read_text().splitlines() if not line.startswith(BEGAN)]
    assert lines == ["stopping before it was ready: run it again, and it goes on from here"]
    assert commands_of(home) == []
    again = commands.selat("up", "--home", home, "--port", "0", "--once")
    assert again.returncode == 0, again.stderr
    checked = commands.selat("ledger", "check", "--home", home)
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "every entry leads to the signed root")


def test_up_that_is_stopped_as_soon_as_it_says_that_it_serves_ends_well(tmp_path: Path) -> None:
    """Also where its process finds no time to see that its welcome is over before it is told to stop."""
    command = [sys.executable, "-m", "selat", "up", "--home", str(tmp_path / "home"), "--port", "0", "--json"]
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        until(lambda: {"gateway-0", "sequencer"} <= children(process).keys())
        os.kill(process.pid, signal.SIGSTOP)
        assert process.stdout is not None
        assert b'"verified"' in process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 0
    assert (tmp_path / "said").read_text().splitlines()[-1].startswith("stopping: open answers finish")


def test_who_waits_for_a_gateway_ends_once_what_started_them_is_gone() -> None:
    with pytest.raises(Unavailable, match="was killed before it was ready"):
        wait_until_ready(Peer("http://127.0.0.1:1"), parent=os.getpid())


def test_a_home_that_a_killed_start_still_holds_says_so_and_names_no_process_that_is_gone(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with home.held() as lock:
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(ended.pid).encode(), 0)
        with pytest.raises(HomeBusy, match="was killed; what it began ends by itself: try again"), home.held():
            pass
        os.pwrite(lock, str(os.getpid()).encode().ljust(len(str(ended.pid))), 0)
        with pytest.raises(HomeBusy, match=rf"process {os.getpid()}\) holds"), home.held():
            pass
