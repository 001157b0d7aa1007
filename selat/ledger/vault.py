"""The vault: salts (and content, where kept) outside the log, encrypted by tenant, so that they can be erased."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from selat.core.errors import LedgerBroken
from selat.ledger import files
from selat.ledger.sqlite import opened

NAME, KEY = "vault.db", "vault.key"
KEY_BYTES, NONCE_BYTES = 32, 12
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tenant_key (tenant TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret (
    leaf INTEGER NOT NULL, name TEXT NOT NULL, receipt TEXT NOT NULL, tenant TEXT NOT NULL, time TEXT NOT NULL,
    value BLOB NOT NULL, PRIMARY KEY (leaf, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secret_receipt ON secret (receipt);
CREATE INDEX IF NOT EXISTS secret_time ON secret (tenant, time);
"""
_KEEP = (
    "INSERT INTO secret VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (leaf, name) DO UPDATE SET "
    "receipt = excluded.receipt, tenant = excluded.tenant, time = excluded.time, value = excluded.value"
)


class Secret(NamedTuple):
    """A secret of leaf `leaf`; `time` is the entry's, for retention. Names ending in `.text` hold content."""

    leaf: int
    receipt: str
    tenant: str
    time: str
    name: str
    value: bytes


class Vault:
    """Secrets by leaf and name. The sequencer writes; erasing is for whoever answers a data subject.

    Each tenant has a key of its own, wrapped by the key in `keys/vault.key` of the home: without that file a copy
    of the database says nothing, and without its own key a tenant's part of any backup says nothing.
    """

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._path = folder / NAME
        self._key_file = key_file or folder.parent / "keys" / KEY
        self._ciphers: dict[bytes, AESGCM] = {}

    def make(self) -> None:
        """Create database and key where they are missing, readable by their owner only.

        Raises: LedgerBroken, when there is a database but its key is lost; OSError.
        """
        if self._exists():
            self._make_tables()
        if not self._key_file.exists():
            if self._exists() and self._any():
                raise LedgerBroken(
                    f"{self._key_file} is lost: restore it from backup, or move {self._path} away; its salts are "
                    "then gone, every entry and receipt stays valid"
                )
            files.make_folder(self._key_file.parent)
            fd = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                files.write_all(fd, secrets.token_bytes(KEY_BYTES))
                os.fsync(fd)
            finally:
                os.close(fd)
            files.sync([self._key_file.parent])
        self._make_tables()

    def _make_tables(self) -> None:
        self._path.touch(0o600)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)

    def _exists(self) -> bool:
        return self._path.exists()

    def _settle_erasure(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def put(self, rows: Iterable[Secret]) -> None:
        """Keep secrets, durably; repeating it changes nothing."""
        sealed: list[tuple[int, str, str, str, str, bytes]] = []
        ciphers: dict[str, AESGCM] = {}
        with self._open() as database, database:
            for row in rows:
                cipher = ciphers.get(row.tenant) or self._cipher(database, row.tenant, make=True)
                assert cipher is not None
                ciphers[row.tenant] = cipher
                nonce = secrets.token_bytes(NONCE_BYTES)
                value = nonce + cipher.encrypt(nonce, row.value, _bound(row))
                sealed.append((row.leaf, row.name, row.receipt, row.tenant, row.time, value))
            database.executemany(_KEEP, sealed)

    def of(self, receipt: str) -> dict[int, dict[str, bytes]]:
        """The secrets of a receipt id: leaf index -> name -> value; empty when none, or forgotten."""
        found: dict[int, dict[str, bytes]] = {}
        if self._exists():
            for row in self._rows("receipt = ?", (receipt,)):
                found.setdefault(row.leaf, {})[row.name] = row.value
        return found

    def contents(self, tenant: str) -> Iterator[Secret]:
        """Every content kept for a tenant."""
        if self._exists():
            yield from self._rows("tenant = ? AND name LIKE '%.text'", (tenant,))

    def holds_content(self) -> bool:
        """Whether content is kept for anyone."""
        if not self._exists():
            return False
        with self._open() as database:
            return database.execute("SELECT 1 FROM secret WHERE name LIKE '%.text' LIMIT 1").fetchone() is not None

    def forget(self, receipts: Sequence[str]) -> int:
        """Erase every secret of these receipt ids, overwriting its bytes in the file. How many there were."""
        return self._erase("receipt = ?", [(receipt,) for receipt in receipts])

    def expire(self, before: str, tenant: str = "") -> int:
        """Erase the secrets of entries with a time before `before` (RFC 3339), of one tenant or of all."""
        if tenant:
            return self._erase("time < ? AND tenant = ?", [(before, tenant)])
        return self._erase("time < ?", [(before,)])

    def expire_content(self, before: str, tenant: str) -> int:
        """Erase the kept content, not the salts, of a tenant's entries with a time before `before` (RFC 3339)."""
        return self._erase("time < ? AND tenant = ? AND name LIKE '%.text'", [(before, tenant)])

    def forget_tenant(self, tenant: str) -> int:
        """Erase a tenant's secrets and its key, so that no backup of the database opens for it any more."""
        with self._open() as database, database:
            database.execute("DELETE FROM tenant_key WHERE tenant = ?", (tenant,))
        return self._erase("tenant = ?", [(tenant,)])

    def cut(self, size: int) -> None:
        """Drop the secrets of leaves from `size` on: those of a step that was given up before it was signed."""
        self._erase("leaf >= ?", [(size,)])

    def _erase(self, where: str, values: list[tuple[str | int, ...]]) -> int:
        if not self._exists():
            return 0
        with self._open() as database:
            with database:
                sql = f"DELETE FROM secret WHERE {where}"  # noqa: S608 - conditions of ours
                count = sum(database.execute(sql, value).rowcount for value in values)
            self._settle_erasure(database)
        return count

    def _rows(self, where: str, values: tuple[str, ...]) -> Iterator[Secret]:
        with self._open() as database:
            sql = f"SELECT leaf, receipt, tenant, time, name, value FROM secret WHERE {where}"  # noqa: S608
            for row in database.execute(sql, values).fetchall():
                sealed = Secret(*row)
                cipher = self._cipher(database, sealed.tenant, make=False)
                if cipher is not None:
                    yield sealed._replace(value=_open_sealed(cipher, sealed))

    def _cipher(self, database: sqlite3.Connection, tenant: str, *, make: bool) -> AESGCM | None:
        """The tenant's cipher; None where its key has been erased (or was never made).

        Asked of the database each time: another process may have erased the key since.
        """
        row = database.execute("SELECT wrapped FROM tenant_key WHERE tenant = ?", (tenant,)).fetchone()
        if row is not None and row[0] in self._ciphers:
            return self._ciphers[row[0]]
        if row is None and not make:
            return None
        try:
            master = AESGCM(self._key_file.read_bytes())
            if row is None:
                key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
                wrapped = nonce + master.encrypt(nonce, key, tenant.encode())
                database.execute("INSERT INTO tenant_key VALUES (?, ?)", (tenant, wrapped))
            else:
                wrapped = row[0]
                key = master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], tenant.encode())
        except (OSError, ValueError, InvalidTag) as error:
            raise LedgerBroken(f"{self._key_file} is missing, or not the key of {self._path}") from error
        self._ciphers[wrapped] = AESGCM(key)
        return self._ciphers[wrapped]

    def _any(self) -> bool:
        with self._open() as database:
            return database.execute("SELECT 1 FROM secret LIMIT 1").fetchone() is not None

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self._path, "synchronous = FULL", "secure_delete = ON")


def _bound(row: Secret) -> bytes:
    """What a sealed value is bound to: moved to another row, it does not open."""
    return f"{row.leaf}|{row.receipt}|{row.name}".encode()


def _open_sealed(cipher: AESGCM, row: Secret) -> bytes:
    try:
        return cipher.decrypt(row.value[:NONCE_BYTES], row.value[NONCE_BYTES:], _bound(row))
    except InvalidTag as error:
        raise LedgerBroken(f"vault: the secret '{row.name}' of leaf {row.leaf} was altered") from error
