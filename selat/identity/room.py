"""The tables of identities by name and version, known without loading what makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.database import Room

if TYPE_CHECKING:
    from selat.tables import Tables

GROUPS_LENGTH = 2000


def _load() -> Tables:
    from selat.identity.database import TABLES

    return TABLES


ROOM = Room(
    "identity",
    4,
    "identity_state",
    frozenset(
        "tenants purposes keys people sessions links attempts preferences identity_state".split()  # noqa: SIM905
    ),
    _load,
    "restore it from a backup, or move it away and run: selat up (keys must then be made anew)",
)
