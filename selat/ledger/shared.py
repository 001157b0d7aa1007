"""Chooses where journals, state and vault lie: a PostgreSQL URL for several nodes, nothing for files."""

from __future__ import annotations

from pathlib import Path

from selat.core.errors import Misused
from selat.ledger.journal import Journal
from selat.ledger.store import FileStore, Store
from selat.ledger.vault import Vault


def open_journal(folder: Path, worker: str, database: str = "") -> Journal:
    """A worker's journal, not started. Raises: Misused, for a URL without psycopg."""
    if not database:
        return Journal(folder, worker)
    _needs_psycopg()
    from selat.ledger.postgres import SharedJournal

    return SharedJournal(_plain(database), worker)


def open_store(folder: Path, database: str = "") -> Store:
    """What a sequencer works on. Raises: Misused, for a URL without psycopg."""
    if not database:
        return FileStore(folder)
    _needs_psycopg()
    from selat.ledger.postgres import SharedStore

    return SharedStore(_plain(database), folder)


def open_vault(folder: Path, database: str = "") -> Vault:
    """The salts that are kept. Raises: Misused, for a URL without psycopg."""
    return open_store(folder, database).vault


def _plain(url: str) -> str:
    """A URL of SQLAlchemy's form, which other settings take, as the driver takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _needs_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Misused("a ledger in PostgreSQL needs psycopg: pip install 'selat[postgresql]'") from error
