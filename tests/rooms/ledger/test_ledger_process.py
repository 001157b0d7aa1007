"""The sequencer's own process: it makes the ledger, serves until told, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_house import leaf
from waiting import gone, until

from selat.core.proof import verify
from selat.ledger import Book, Journal

CODE = "import sys; from pathlib import Path; from selat.ledger import sequence; a = Path(sys.argv[1]);"
RUN = CODE + "sequence(a / 'ledger', a / 'keys' / 'ledger.key', every_s=0.2)"
PARENT = (
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]]);"
    "print(p.pid, flush=True); sys.stdin.read()"
)


def test_it_makes_the_ledger_and_receipts_follow(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)])
    try:
        until((tmp_path / "ledger" / "log" / "checkpoint").exists)
        assert (tmp_path / "keys" / "ledger.key").stat().st_mode & 0o777 == 0o600
        journal = Journal(tmp_path / "ledger", "w0")
        journal.start()
        journal.append(leaf(1)).wait(60)
        book = Book(tmp_path / "ledger")
        until(lambda: book.find("r1") == [0])
        assert verify(book.proof(0), book.trust()).leaf == leaf(1)
        journal.append(leaf(2)).wait(60)
        journal.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert Book(tmp_path / "ledger").find("r2") == [1], "what was acknowledged before the end is sealed at the end"


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, RUN, str(tmp_path)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = int(parent.stdout.readline())
    until((tmp_path / "ledger" / "log" / "checkpoint").exists)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    until(lambda: gone(child))


@pytest.mark.parametrize(
    ("loads", "without"),
    [
        (
            "selat.process, selat.supervisor, selat.errand",
            ("dataclasses", "inspect", "json", "logging", "pathlib", "socket", "tomllib", "typing"),
        ),
        ("selat.ledger, selat.ledger.process", ("asyncio", "ssl", "http.client", "zipfile", "sqlalchemy")),
    ],
)
def test_processes_that_stay_in_memory_carry_nothing_that_they_do_not_use(
    loads: str, without: tuple[str, ...]
) -> None:
    code = f"import sys, {loads}; print([name for name in {without!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
