"""Where a ledger lies: a folder on this machine, and what is shared in PostgreSQL or on an object store.

What talks to those, and the journal of a worker, is imported where it is asked for: the sequencer stays in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.errors import Misused
from selat.ledger.log import FolderLog, Log

if TYPE_CHECKING:
    from selat.ledger.journal import Journal
    from selat.ledger.store import Store
    from selat.ledger.vault import Vault
    from selat.s3 import Bucket

TILES_KEY = "tiles.toml"


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` holds index, trust file and, unless shared, all the rest.

    `database` is a PostgreSQL URL for journals, state and vault; `bucket` holds tiles and checkpoint.
    """

    folder: Path
    database: str = field(default="", repr=False)
    bucket: Bucket | None = None

    @property
    def log(self) -> Log:
        if self.bucket is None:
            return FolderLog(self.folder / "log")
        from selat.ledger.bucket_log import BucketLog

        return BucketLog(self.bucket)

    def journal(self, worker: str) -> Journal:
        """A worker's journal, not started. Raises: Misused, for a database without psycopg."""
        if not self.database:
            from selat.ledger.journal import Journal

            return Journal(self.folder, worker)
        _needs_psycopg()
        from selat.ledger.postgres import SharedJournal

        return SharedJournal(_plain(self.database), worker)

    def store(self) -> Store:
        """What a sequencer works on. Raises: Misused, for a database without psycopg."""
        if not self.database:
            from selat.ledger.store import FileStore

            return FileStore(self.folder)
        _needs_psycopg()
        from selat.ledger.postgres import SharedStore

        return SharedStore(_plain(self.database), self.folder)

    def vault(self) -> Vault:
        """The salts that are kept. Raises: Misused, for a database without psycopg."""
        return self.store().vault


def place_of(place: Path | Place) -> Place:
    """A folder alone is a ledger whose every part is in it."""
    return Place(place) if isinstance(place, Path) else place


def read_bucket(url: str, endpoint: str, region: str, keys: Path, environment: Mapping[str, str]) -> Bucket | None:
    """The bucket of the settings `ledger_tiles…`; its credentials are in the environment or `keys/tiles.toml`.

    Raises: Misused, naming what is missing.
    """
    if not url:
        return None
    from selat.s3 import Wish

    return Wish("ledger_tiles", url, endpoint, region).read(keys / TILES_KEY, environment)


def _plain(url: str) -> str:
    """A URL of SQLAlchemy's form, which other settings take, as the driver takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _needs_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Misused("a ledger in PostgreSQL needs psycopg: pip install 'selat[postgresql]'") from error
