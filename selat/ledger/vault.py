"""The vault: salts (and content, where kept) outside the log, encrypted by tenant, so that they can be erased."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from selat import durable
from selat.core.errors import LedgerBroken
from selat.ledger.page import NONCE_BYTES, Group, Page, Secret, grouped, pages, rows_of, seal, unseal
from selat.ledger.sqlite import PAGES, Kept, opened

NAME, KEY = "vault.db", "vault.key"
KEY_BYTES = 32
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tenant_key (tenant TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret_page (
    tenant TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, earliest TEXT NOT NULL,
    latest TEXT NOT NULL, held INTEGER NOT NULL, texts INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (tenant, first));
CREATE INDEX IF NOT EXISTS secret_page_texts ON secret_page (tenant) WHERE texts > 0;
"""
_PAGE = "SELECT tenant, first, last, earliest, latest, held, texts, sealed FROM secret_page"
_AT = f"{_PAGE} WHERE tenant = ? AND first <= ? ORDER BY first DESC LIMIT 1"
_KEEP = "INSERT INTO secret_page VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM secret_page WHERE tenant = ? AND first = ?"
_PRAGMAS = PAGES, "synchronous = FULL", "secure_delete = ON", "cache_size = -256"
_LEAVES = 4096

log = logging.getLogger("selat.ledger")


class Vault:
    """Secrets by tenant and leaf, in pages. The sequencer writes; erasing is for whoever answers a data subject.

    Each tenant has a key of its own, wrapped by the key in `keys/vault.key` of the home: without that file a copy
    of the database says nothing, and without its own key a tenant's part of any backup says nothing. To erase a
    secret, the page that holds it is sealed anew without it and its old bytes are overwritten.
    """

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._path = folder / NAME
        self._key_file = key_file or folder.parent / "keys" / KEY
        self._ciphers: dict[bytes, AESGCM] = {}
        self._kept = Kept(self._path, *_PRAGMAS)
        self._in_pages = False

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
            durable.make_folder(self._key_file.parent)
            durable.create(self._key_file, secrets.token_bytes(KEY_BYTES))
        self._make_tables()
        self._settle_form()

    def put(self, first: int, held: Iterable[Group]) -> None:
        """Keep the secrets of a step that begins at leaf `first`, durably; repeating it changes nothing."""
        with self._writing() as database:
            for row in database.execute("SELECT tenant FROM tenant_key").fetchall():
                # What a step that was cut short left there.
                database.execute("DELETE FROM secret_page WHERE tenant = ? AND first >= ?", (row[0], first))
            self._keep(database, held)

    def of(self, tenant: str, leaves: Iterable[int]) -> dict[int, dict[str, bytes]]:
        """The secrets of a tenant's leaves: leaf index -> name -> value; nothing of those that are forgotten."""
        found: dict[int, dict[str, bytes]] = {}
        if self._exists():
            self._settle_form()
            with self._open() as database:
                wanted = set(leaves)
                for page in _pages_of(database, tenant, wanted):
                    for one in self._unsealed(database, page):
                        if one.leaf in wanted:
                            found.setdefault(one.leaf, {})[one.name] = one.value
        return found

    def contents(self, tenant: str) -> Iterator[Secret]:
        """Every content kept for a tenant."""
        if self._exists():
            self._settle_form()
            with self._open() as database:
                for row in database.execute(f"{_PAGE} WHERE tenant = ? AND texts > 0", (tenant,)):
                    yield from (one for one in self._unsealed(database, Page(*row)) if one.is_content)

    def holds_content(self) -> bool:
        """Whether content is kept for anyone."""
        if not self._exists():
            return False
        self._settle_form()
        with self._open() as database:
            return database.execute("SELECT 1 FROM secret_page WHERE texts > 0 LIMIT 1").fetchone() is not None

    def forget(self, tenant: str, leaves: Iterable[int]) -> int:
        """Erase every secret of a tenant's leaves, overwriting its bytes in the file. How many there were."""
        gone = set(leaves)
        return self._erase(lambda database: _pages_of(database, tenant, gone), lambda one: one.leaf in gone)

    def expire(self, before: str, tenant: str = "") -> int:
        """Erase the secrets of entries with a time before `before` (RFC 3339), of one tenant or of all."""
        whose = " AND tenant = ?" if tenant else ""
        return self._erase(
            lambda database: _found(database, f"earliest < ?{whose}", (before, tenant) if tenant else (before,)),
            lambda one: one.time < before,
        )

    def expire_content(self, before: str, tenant: str) -> int:
        """Erase the kept content, not the salts, of a tenant's entries with a time before `before` (RFC 3339)."""
        return self._erase(
            lambda database: _found(database, "earliest < ? AND tenant = ? AND texts > 0", (before, tenant)),
            lambda one: one.is_content and one.time < before,
        )

    def forget_tenant(self, tenant: str) -> int:
        """Erase a tenant's secrets and its key, so that no backup of the database opens for it any more."""
        with self._writing() as database:
            database.execute("DELETE FROM tenant_key WHERE tenant = ?", (tenant,))
        return self._erase(lambda database: _found(database, "tenant = ?", (tenant,)), lambda one: True)

    def cut(self, size: int) -> None:
        """Drop the secrets of leaves from `size` on: those of a step that was given up before it was signed."""
        self._erase(lambda database: _found(database, "last >= ?", (size,)), lambda one: one.leaf >= size)

    def close(self) -> None:
        """Let go of what `put` keeps open."""
        self._kept.close()

    def _erase(self, where: Callable[[Any], Iterable[Page]], gone: Callable[[Secret], bool]) -> int:
        """Seal anew, without what is `gone`, the pages that `where` finds; how many secrets went."""
        if not self._exists():
            return 0
        self._settle_form()
        count = 0
        try:
            with self._writing() as database:
                for page in where(database):
                    kept = [one for one in self._unsealed(database, page) if not gone(one)]
                    if len(kept) < page.held:
                        database.execute(_DROP, (page.tenant, page.first))
                        if cipher := self._cipher(database, page.tenant, make=False) if kept else None:
                            database.execute(_KEEP, seal(cipher, page.tenant, rows_of(kept)))
                        count += page.held - len(kept)
        finally:
            self.close()
        with self._open() as database:
            self._settle_erasure(database)
        return count

    def _keep(self, database: Any, held: Iterable[Group]) -> None:
        ciphers: dict[str, AESGCM] = {}  # none is erased while we write
        for tenant, rows in pages(held):
            cipher = ciphers.get(tenant) or self._cipher(database, tenant, make=True)
            assert cipher is not None
            ciphers[tenant] = cipher
            database.execute(_KEEP, seal(cipher, tenant, rows))

    def _unsealed(self, database: Any, page: Page) -> list[Secret]:
        """The secrets of a page; none where its tenant's key has been erased. Raises: LedgerBroken."""
        cipher = self._cipher(database, page.tenant, make=False)
        return [] if cipher is None else unseal(cipher, page)

    def _cipher(self, database: Any, tenant: str, *, make: bool) -> AESGCM | None:
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
        sources = ("secret_page", "secret") if self._has_rows() else ("secret_page",)
        with self._open() as database:
            found = [database.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in sources]  # noqa: S608
        return any(found)

    def _settle_form(self) -> None:
        """Bring a vault of the earlier form, a row a secret, into pages, all or nothing. Raises: LedgerBroken."""
        if self._in_pages:
            return
        if self._has_rows():
            self._make_tables()
            with self._writing() as database:
                if self._has_rows():
                    self._take_rows(database)
                    database.execute("DROP TABLE secret")
            self.close()
            with self._open() as database:
                self._settle_erasure(database)
        self._in_pages = True

    def _take_rows(self, database: Any) -> None:
        low, high = database.execute("SELECT min(leaf), max(leaf) FROM secret").fetchone()
        for start in range(low or 0, (high or 0) + 1, _LEAVES):
            self._keep(database, grouped(self._rows(database, start, start + _LEAVES)))

    def _rows(self, database: Any, start: int, end: int) -> Iterator[Secret]:
        sql = "SELECT leaf, receipt, tenant, time, name, value FROM secret WHERE leaf >= ? AND leaf < ?"
        for row in database.execute(f"{sql} ORDER BY leaf", (start, end)).fetchall():
            one = Secret(*row)
            cipher = self._cipher(database, one.tenant, make=False)
            if cipher is None:
                continue
            bound = f"{one.leaf}|{one.receipt}|{one.name}".encode()
            try:
                value = cipher.decrypt(one.value[:NONCE_BYTES], one.value[NONCE_BYTES:], bound)
            except InvalidTag:
                log.error("vault: the secret '%s' of leaf %d was altered and is dropped", one.name, one.leaf)
                continue
            yield one._replace(value=value)

    # What is another in PostgreSQL.

    def _exists(self) -> bool:
        return self._path.exists()

    def _has_rows(self) -> bool:
        with self._open() as database:
            sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'secret'"
            return database.execute(sql).fetchone() is not None

    def _make_tables(self) -> None:
        self._path.touch(0o600)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)

    def _settle_erasure(self, database: Any) -> None:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self) -> AbstractContextManager[Any]:
        return opened(self._path, *_PRAGMAS)

    def _writing(self) -> AbstractContextManager[Any]:
        """A transaction in which nobody else writes."""
        return self._kept.use()


def _found(database: Any, where: str, values: tuple[str | int, ...]) -> Iterator[Page]:
    """The pages that meet a condition, read one by one: they may be changed meanwhile."""
    keys = database.execute(f"SELECT tenant, first FROM secret_page WHERE {where}", values).fetchall()  # noqa: S608
    for key in keys:
        yield Page(*database.execute(f"{_PAGE} WHERE tenant = ? AND first = ?", key).fetchone())


def _pages_of(database: Any, tenant: str, leaves: Iterable[int]) -> Iterator[Page]:
    """The pages of a tenant that hold any of these leaves, each once."""
    last = -1
    for leaf in sorted(leaves):
        if leaf > last and (row := database.execute(_AT, (tenant, leaf)).fetchone()) is not None:
            page = Page(*row)
            if page.last >= leaf:
                last = page.last
                yield page
