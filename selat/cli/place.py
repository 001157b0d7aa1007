"""What commands work on: the ledger of a home, or the platform for one of its tenants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selat.home import find_home, open_home
from selat.ledger import Place
from selat.process import ledger_of

if TYPE_CHECKING:
    from selat.app import Platform


def ledger_at(home: Path | None) -> Place:
    """Of the home that an option names. Raises: Misused, HomeBroken."""
    return ledger_of(open_home(find_home(home)))


@contextmanager
def open_for(home: Path | None, tenant: str) -> Iterator[Platform]:
    """The platform, for what is done with a tenant's own. Raises: NotFound, where there is no such tenant."""
    from selat.app import open_platform  # the house: commands on the ledger alone do without

    with open_platform(home) as platform:
        platform.keys.tenant(tenant)
        yield platform


def ledger_for(home: Path | None, tenant: str) -> Place:
    """The ledger, for what it holds of a tenant's. Raises: NotFound, where there is no such tenant."""
    with open_for(home, tenant) as platform:
        return platform.place
