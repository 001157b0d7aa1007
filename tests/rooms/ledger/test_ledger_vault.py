"""The vault's pages: what goes in comes out, one secret can be erased among many, and the earlier form is read."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_house import House, leaf

from selat.core.errors import LedgerBroken
from selat.ledger import Book
from selat.ledger.page import Secret, grouped
from selat.ledger.sqlite import Kept
from selat.ledger.vault import Vault

ROWS = """
CREATE TABLE tenant_key (tenant TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE secret (
    leaf INTEGER NOT NULL, name TEXT NOT NULL, receipt TEXT NOT NULL, tenant TEXT NOT NULL, time TEXT NOT NULL,
    value BLOB NOT NULL, PRIMARY KEY (leaf, name)) WITHOUT ROWID;
"""


def vault_in(home: Path) -> Vault:
    (home / "ledger").mkdir(parents=True)
    vault = Vault(home / "ledger")
    vault.make()
    return vault


def secret(number: int, tenant: str = "t1", name: str = "prompt", size: int = 32) -> Secret:
    time = f"2026-11-22T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return Secret(number, f"r{number}", tenant, time, name, bytes([number % 251]) * size)


def on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (home / "ledger").glob("vault.db*"))


def rows_form(home: Path, held: list[Secret]) -> None:
    """A vault as it was before there were pages: a row a secret, each sealed by itself."""
    (home / "keys").mkdir()
    (home / "ledger").mkdir()
    master = secrets.token_bytes(32)
    (home / "keys" / "vault.key").write_bytes(master)
    with contextlib.closing(sqlite3.connect(home / "ledger" / "vault.db")) as database, database:
        database.executescript(ROWS)
        ciphers = {}
        for tenant in {one.tenant for one in held}:
            key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
            wrapped = nonce + AESGCM(master).encrypt(nonce, key, tenant.encode())
            database.execute("INSERT INTO tenant_key VALUES (?, ?)", (tenant, wrapped))
            ciphers[tenant] = AESGCM(key)
        for one in held:
            nonce, bound = secrets.token_bytes(12), f"{one.leaf}|{one.receipt}|{one.name}".encode()
            sealed = nonce + ciphers[one.tenant].encrypt(nonce, one.value, bound)
            row = one.leaf, one.name, one.receipt, one.tenant, one.time, sealed
            database.execute("INSERT INTO secret VALUES (?, ?, ?, ?, ?, ?)", row)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.sampled_from(["t1", "t2", ""]), min_size=1, max_size=700), min_size=1, max_size=3),
    gone=st.sets(st.integers(0, 1500), max_size=40),
)
def test_what_is_kept_comes_back_but_for_what_is_erased(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[str]], gone: set[int]
) -> None:
    vault, held, first = vault_in(tmp_path_factory.mktemp("home")), list[Secret](), 0
    for tenants in steps:
        step = [secret(number, tenant) for number, tenant in enumerate(tenants, first)]
        vault.put(first, grouped(step))
        vault.put(first, grouped(iter(step)))
        held += step
        first += len(step)
    for tenant in ("t1", "t2", ""):
        mine = {one.leaf: {one.name: one.value} for one in held if one.tenant == tenant}
        assert vault.of(tenant, range(first + 5)) == mine
        assert vault.forget(tenant, gone) == len(gone & mine.keys())
        assert vault.forget(tenant, gone) == 0
        assert vault.of(tenant, range(first)) == {n: one for n, one in mine.items() if n not in gone}
    vault.close()


def test_one_secret_is_erased_from_the_file_and_its_neighbours_stay(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.put(0, grouped(secret(number) for number in range(600)))
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / "vault.db")) as database:
        before = [row[0] for row in database.execute("SELECT sealed FROM secret_page ORDER BY first")]
    assert vault.forget("t1", [300]) == 1
    after = on_disk(tmp_path)
    left = [sum(page[at : at + 64] in after for at in range(0, len(page), 64)) for page in before]
    assert left[0] > 0
    assert left[1] == 0, "the page's old bytes are overwritten"
    assert left[2] > 0
    assert vault.of("t1", [299, 300, 301]) == {
        299: {"prompt": bytes([48]) * 32},
        301: {"prompt": bytes([50]) * 32},
    }
    assert vault.expire("2026-11-22T00:05:05Z") == 304
    assert min(vault.of("t1", range(600))) == 305
    vault.close()


def test_a_leafs_secrets_stay_together_and_only_content_expires(tmp_path: Path) -> None:
    vault, held = vault_in(tmp_path), list[Secret]()
    for number in range(4):
        held += [secret(number), secret(number, name="prompt.text", size=50_000)]
    vault.put(0, grouped(held))
    assert vault.holds_content()
    assert [one.leaf for one in vault.contents("t1")] == [0, 1, 2, 3]
    assert vault.expire_content("2026-11-22T00:00:02Z", "t1") == 2
    assert [one.leaf for one in vault.contents("t1")] == [2, 3]
    assert {number: sorted(names) for number, names in vault.of("t1", range(4)).items()} == {
        0: ["prompt"],
        1: ["prompt"],
        2: ["prompt", "prompt.text"],
        3: ["prompt", "prompt.text"],
    }
    vault.cut(3)
    assert sorted(vault.of("t1", range(4))) == [0, 1, 2]
    vault.close()


def test_a_vault_of_rows_becomes_pages_when_it_is_first_read(tmp_path: Path) -> None:
    held = [secret(number, "t1" if number % 3 else "t2") for number in range(5000)]
    rows_form(tmp_path, [*held, secret(7, name="prompt.text", size=100)])
    vault = Vault(tmp_path / "ledger")
    assert vault.of("t1", [7]) == {7: {"prompt": bytes([7]) * 32, "prompt.text": bytes([7]) * 100}}
    assert len(vault.of("t1", range(5000))) + len(vault.of("t2", range(5000))) == 5000
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / "vault.db")) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"tenant_key", "secret_page"}
    vault.make()
    vault.close()


def test_a_vault_of_rows_without_its_key_is_not_taken_for_empty(tmp_path: Path) -> None:
    rows_form(tmp_path, [secret(1)])
    (tmp_path / "keys" / "vault.key").unlink()
    with pytest.raises(LedgerBroken, match="restore it from backup"):
        Vault(tmp_path / "ledger").make()
    with pytest.raises(LedgerBroken, match=r"vault\.key"):
        Vault(tmp_path / "ledger").of("t1", [1])


@pytest.mark.parametrize("name", ["vault.db", "index.db"])
def test_a_database_of_small_pages_is_used_as_it_is(house: House, name: str) -> None:
    earlier = sqlite3.connect(house.folder / name)
    earlier.executescript("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; CREATE TABLE of_before (one)")
    earlier.close()
    house.write([leaf(0)])
    house.sequence()
    other = "index.db" if name == "vault.db" else "vault.db"
    sizes = {}
    for each in (name, other):
        with contextlib.closing(sqlite3.connect(house.folder / each)) as database:
            sizes[each] = database.execute("PRAGMA page_size").fetchone()[0]
    assert sizes == {name: 4096, other: 8192}
    assert Book(house.folder).secrets("r0") == {0: {"prompt": b"s" * 32}}


def test_a_vault_put_aside_while_it_is_open_is_not_written_to(house: House) -> None:
    house.write([leaf(0)])
    house.sequence()
    kept = Kept(house.folder / "index.db")
    with kept.use() as database:
        assert database.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    os.rename(house.folder / "index.db", house.folder / "aside.db")
    with kept.use() as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    kept.close()
    assert Book(house.folder).size == 1
