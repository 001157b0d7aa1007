"""The places that a library may lie in: one suite runs over each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from selat.knowledge import FilePlace, Place

_NUMBERS = itertools.count()


@pytest.fixture(params=["folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        made: Place = FilePlace(tmp_path / "knowledge")
    else:
        from selat.knowledge.postgres import PgPlace

        server: str = request.getfixturevalue("postgres")
        name = f"knowledge_{next(_NUMBERS)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        made = PgPlace(server.replace("/postgres?", f"/{name}?"), tmp_path / "knowledge")
    yield made
    made.close()
