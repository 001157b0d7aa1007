"""Where the ledger of a home lies, for the commands on it."""

from __future__ import annotations

import os
from pathlib import Path

from selat.home import Home, find_home, open_home
from selat.ledger import Place, read_bucket
from selat.settings import read_settings


def ledger_of(home: Home) -> Place:
    """As its settings say. Raises: Misused, HomeBroken."""
    said = read_settings(home.path)
    bucket = read_bucket(
        said.ledger_tiles, said.ledger_tiles_endpoint, said.ledger_tiles_region, home.keys, os.environ
    )
    return Place(home.ledger, said.ledger_database, bucket)


def ledger_at(home: Path | None) -> Place:
    """Of the home that an option names. Raises: Misused, HomeBroken."""
    return ledger_of(open_home(find_home(home)))
