"""Where a ledger lies: a folder on this machine, and what is shared in PostgreSQL or on an object store."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selat.core.errors import Misused
from selat.ledger.journal import Journal
from selat.ledger.log import BucketLog, FolderLog, Log
from selat.ledger.s3 import Bucket, Credentials
from selat.ledger.store import FileStore, Store
from selat.ledger.vault import Vault

ACCESS, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
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
        return FolderLog(self.folder / "log") if self.bucket is None else BucketLog(self.bucket)

    def journal(self, worker: str) -> Journal:
        """A worker's journal, not started. Raises: Misused, for a database without psycopg."""
        if not self.database:
            return Journal(self.folder, worker)
        _needs_psycopg()
        from selat.ledger.postgres import SharedJournal

        return SharedJournal(_plain(self.database), worker)

    def store(self) -> Store:
        """What a sequencer works on. Raises: Misused, for a database without psycopg."""
        if not self.database:
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
    """The bucket of the settings; None for an empty URL.

    Credentials come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else from
    `tiles.toml` in the folder of keys (`access_key`, `secret_key`, `session_token`).
    Raises: Misused, naming what is missing.
    """
    if not url:
        return None
    if environment.get(ACCESS) and environment.get(SECRET):
        credentials = Credentials(environment[ACCESS], environment[SECRET], environment.get(TOKEN, ""))
    else:
        credentials = _read_credentials(keys / TILES_KEY)
    return Bucket.at(url, endpoint, region, credentials)


def _read_credentials(path: Path) -> Credentials:
    try:
        if path.stat().st_mode & 0o077:
            raise Misused(f"{path} can be read by others: run chmod 600 on it")
        said = tomllib.loads(path.read_text("utf-8"))
        return Credentials(str(said["access_key"]), str(said["secret_key"]), str(said.get("session_token", "")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise Misused(
            f"ledger_tiles: set {ACCESS} and {SECRET}, or write access_key and secret_key in {path}"
        ) from error


def _plain(url: str) -> str:
    """A URL of SQLAlchemy's form, which other settings take, as the driver takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _needs_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Misused("a ledger in PostgreSQL needs psycopg: pip install 'selat[postgresql]'") from error
