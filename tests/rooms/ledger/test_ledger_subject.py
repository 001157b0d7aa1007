"""A data subject is found, served and forgotten: only secrets go, every entry still verifies."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from ledger_house import House

from selat.core.canonical import canonical
from selat.core.errors import BadRequest, LedgerBroken, NotFound
from selat.ledger import Book, Journal, Keeping, Sequencer, Subject, erase, expire, find, intake, secret
from selat.ledger.check import check
from selat.ledger.export import export
from selat.ledger.vault import Vault
from selat.verifier import read_bundle

WORDS = b'{"messages": [{"role": "user", "content": "Saya 900101-14-5678"}]}'


def entry(number: int, tenant: str = "t1", caller: str = "k1") -> bytes:
    moment = f"{(2020, 2021, 2098, 2022)[number]}-01-01T00:00:00.000Z"
    return canonical(
        {"v": 1, "kind": "opened", "id": f"R{number}", "time": moment, "tenant": tenant, "caller": caller}
    )


@pytest.fixture
def held(house: House) -> House:
    journal = Journal(house.folder, "w")
    journal.start()
    words, other = secret("prompt.text", WORDS), secret("prompt.text", b"nothing personal")
    journal.append(entry(0), secret("prompt", b"\x10" * 32) + words)
    journal.append(entry(1, caller="k2"), secret("prompt", b"\x11" * 32) + other)
    journal.append(entry(2), secret("prompt", b"\x12" * 32))
    journal.append(entry(3, tenant="t2"), secret("prompt", b"\x13" * 32) + words).wait(60)
    journal.close()
    house.sequence()
    return house


def found(house: House, **who: object) -> list[str]:
    return [one.receipt for one in find(house.folder, Subject("t1", **who))]  # type: ignore[arg-type]


def test_a_subject_is_found_by_key_by_receipt_and_by_words_within_the_tenant(held: House) -> None:
    assert found(held, caller="k1") == ["R0", "R2"]
    assert found(held, words="900101-14-5678") == ["R0"]
    assert found(held, receipts=("R1", "R3", "nobody")) == ["R1"]
    assert found(held, caller="k2", words="900101-14-5678") == ["R0", "R1"]
    assert find(held.folder, Subject("t1", "k1"))[0].secrets == ("prompt", "prompt.text")
    with pytest.raises(BadRequest):
        find(held.folder, Subject("t1"))


def test_an_export_holds_salts_and_kept_content(held: House) -> None:
    bundle = read_bundle(export(Book(held.folder), *found(held, caller="k1")))
    assert sorted(bundle.proofs) == ["0-opened.tlog-proof", "2-opened.tlog-proof"]
    assert {(item.leaf, item.name) for item in bundle.disclosures} == {(0, "prompt"), (2, "prompt")}
    assert bundle.pages["0-prompt.text"] == WORDS


def test_erasing_takes_only_secrets_and_the_log_says_so(held: House) -> None:
    before = list(Book(held.folder).entries())
    erased = erase(held.folder, Subject("t1", "k1"), "officer-1")
    assert (erased.receipts, erased.secrets, erased.verified, erased.waiting) == (2, 3, 2, 0)
    held.sequence()
    book = Book(held.folder)
    after = list(book.entries())
    assert after[: len(before)] == before
    assert b'"kind":"subject.erased"' in after[-1]
    assert b"R0" not in after[-1], "the entry does not tell which requests belong together"
    assert book.secrets("R0") == book.secrets("R2") == {}
    assert book.secrets("R1") != {}
    assert check(held.folder).ok
    with pytest.raises(NotFound):
        erase(held.folder, Subject("t1", "nobody"), "officer-1")


@pytest.mark.parametrize("others", [0, 100])
def test_a_journal_that_still_holds_the_salt_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Also where it stands behind more than a step takes."""
    journal = Journal(house.folder, "w")
    journal.start()
    for _ in range(others):
        journal.append(entry(1, caller="k2"), secret("prompt", b"\x11" * 32))
    journal.append(entry(0), secret("prompt", b"\x10" * 32)).wait(60)
    house.sequence()
    monkeypatch.setattr(intake, "READ_BYTES", 1024)
    assert erase(house.folder, Subject("t1", "k1"), "o").waiting == 1
    journal.close()
    house.sequence()
    assert not list((house.folder / "journals").glob("*.journal"))
    assert Book(house.folder).secrets("R0") == {}, "integrated once, it does not come back"


def test_old_secrets_expire(held: House) -> None:
    assert expire(held.folder, 365, "t2") == 2
    assert expire(held.folder, 365) == 4
    assert Book(held.folder).secrets("R2") != {}
    held.sequence()
    assert check(held.folder).ok


def test_a_keeping_period_erases_by_itself(held: House) -> None:
    Keeping(held.folder, 0).start()
    Keeping(held.folder, 365).start()
    book, end = Book(held.folder), time.monotonic() + 60
    while book.secrets("R0"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert book.secrets("R2") != {}


def test_the_vault_at_rest_is_encrypted_by_tenant(held: House, tmp_path: Path) -> None:
    for path in held.folder.glob("vault.db*"):
        data = path.read_bytes()
        assert b"900101" not in data
        assert b"\x10" * 32 not in data
    backup = tmp_path / "backup" / "ledger"
    backup.mkdir(parents=True)
    shutil.copy(held.folder / "vault.db", backup)
    with pytest.raises(LedgerBroken, match=r"vault\.key"):
        Vault(backup).of("t1", [0])
    vault = Vault(held.folder)
    assert vault.forget_tenant("t2") == 2
    assert vault.of("t2", [3]) == {}
    assert vault.of("t1", [0]) != {}
    held.write([entry(3, tenant="t2")])
    held.sequence()
    assert vault.of("t2", [3, 4]) == {4: {"prompt": b"s" * 32}}, "a tenant that comes back gets a new key"


def test_a_lost_vault_key_is_named_not_replaced(held: House) -> None:
    (held.folder.parent / "keys" / "vault.key").unlink()
    with pytest.raises(LedgerBroken, match="restore it from backup"):
        Sequencer(held.folder, held.signer).start()


def test_an_altered_secret_is_not_believed(held: House) -> None:
    with sqlite3.connect(held.folder / "vault.db") as database:
        database.execute("UPDATE secret_page SET tenant = 't1', first = 1 WHERE tenant = 't2'")
    database.close()
    with pytest.raises(LedgerBroken, match="altered"):
        Book(held.folder).secrets("R2")
