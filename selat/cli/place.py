"""Where the ledger of a home lies, for the commands on it."""

from __future__ import annotations

from pathlib import Path

from selat.home import find_home, open_home
from selat.ledger import Place
from selat.process import ledger_of


def ledger_at(home: Path | None) -> Place:
    """Of the home that an option names. Raises: Misused, HomeBroken."""
    return ledger_of(open_home(find_home(home)))
