"""A receipt bundle proves by itself what the ledger says, ties words to it, and says what it does not prove."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ledger_house import House

from selat.core.canonical import canonical
from selat.core.entry import Commitment
from selat.core.errors import LedgerBroken, NotFound
from selat.ledger import Book, Journal, secret
from selat.ledger.export import export
from selat.ledger.vault import Vault
from selat.verifier import explain, read_bundle, verify_path
from selat.verifier.__main__ import main
from selat.verifier.pack import pack

POLICY: dict[str, object] = {"set": "5f" * 32, "schema": "c1" * 32, "proof": "not proved"}
PROMPT = b'{"messages": [{"role": "user", "content": "Apa khabar?"}]}'


@pytest.fixture
def bundle(house: House, tmp_path: Path) -> Path:
    made = Commitment.to(PROMPT, b"\x05" * 32)
    journal = Journal(house.folder, "w")
    journal.start()
    base = {"v": 1, "id": "R1", "time": "2026-11-22T03:00:00Z", "tenant": "t1"}
    opened = {**base, "kind": "opened", "policy": POLICY, "prompt": made.to_json()}
    journal.append(canonical(opened), secret("prompt", made.salt))
    journal.append(canonical({**base, "kind": "closed"})).wait(60)
    journal.close()
    house.sequence()
    path = tmp_path / "receipt.zip"
    path.write_bytes(export(Book(house.folder), "R1"))
    (tmp_path / "trust.policy").write_text(Book(house.folder).trust())
    return path


def test_the_bundle_verifies_with_the_trust_file_and_its_words(bundle: Path) -> None:
    trust = bundle.with_name("trust.policy").read_text()
    verdicts = list(verify_path(bundle, trust, {"prompt": PROMPT}))
    assert [verdict.ok for verdict in verdicts] == [True, True]
    assert [verdict.shown for verdict in verdicts] == [("prompt",), ()]
    said = explain(verdicts[0])
    assert "entry 0 of the log selat.local/test" in said
    assert "tamper-evident" in said
    assert "no witness is required" in said
    assert "The words that were sent" not in said


def test_without_a_trust_file_of_its_own_road_it_says_so_in_both_languages(bundle: Path) -> None:
    (verdict, _) = verify_path(bundle)
    assert verdict.ok
    assert "by another road" in explain(verdict)
    assert "jalan lain" in explain(verdict, "ms")
    assert "Tidak dibuktikan" in explain(verdict, "ms")


def test_an_empty_trust_file_believes_nobody_also_where_the_bundle_encloses_one(bundle: Path) -> None:
    for verdict in verify_path(bundle, ""):
        assert "no quorum line" in verdict.reason


def test_other_words_are_refused(bundle: Path) -> None:
    (verdict, _) = verify_path(bundle, None, {"prompt": PROMPT + b" "})
    assert "not the prompt" in verdict.reason


def test_withheld_and_erased_salts_prove_no_words_but_the_entry_stands(bundle: Path, house: House) -> None:
    book = Book(house.folder)
    assert read_bundle(export(book, "R1", disclose=False)).disclosures == ()
    Vault(house.folder).forget("t1", book.find("R1"))
    bundle.write_bytes(export(book, "R1"))
    (verdict, _) = verify_path(bundle, book.trust(), {"prompt": PROMPT})
    assert "withheld, or erased" in verdict.reason
    assert all(verdict.ok for verdict in verify_path(bundle, book.trust()))


def test_another_logs_trust_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    assert not any(verdict.ok for verdict in verify_path(bundle, Book(other.folder).trust()))


def test_a_folder_of_receipts_and_bundles_is_walked(bundle: Path, house: House) -> None:
    folder = bundle.with_name("many")
    folder.mkdir()
    (folder / "a.zip").write_bytes(bundle.read_bytes())
    (folder / "b.tlog-proof").write_text(Book(house.folder).proof(1))
    (folder / "c.tlog-proof").write_text("nonsense")
    verdicts = list(verify_path(folder, Book(house.folder).trust()))
    assert [verdict.ok for verdict in verdicts] == [True, True, True, False]


def test_the_page_names_commands_for_us_and_for_others(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names, page = archive.namelist(), archive.read("VERIFY.md").decode()
    assert {"0-opened.tlog-proof", "0-opened.json", "trust.policy", "disclosures.json", "verify.go"} <= set(names)
    assert "selat ledger verify" in page
    assert "go build verify.go" in page
    assert f"- set: `{'5f' * 32}`" in page


def test_the_page_names_every_rule_pack_behind_the_digest(house: House) -> None:
    entry = {"v": 1, "kind": "opened", "id": "P1", "time": "2026-11-22T03:00:00Z", "tenant": "t1"}
    house.write([canonical(entry | {"policy": {"packs": "7d" * 32, "set": "5f" * 32}})])
    house.sequence()
    data = export(
        Book(house.folder), "P1", packs={"7d" * 32: {"pdpa": "aa" * 32}, "11" * 32: {"other": "bb" * 32}}
    )
    page = zipfile.ZipFile(io.BytesIO(data)).read("VERIFY.md").decode()
    assert f"- packs: `{'7d' * 32}`\n" in page
    assert f"  - pdpa `{'aa' * 32}`\n" in page
    assert "other `" not in page


def test_an_unknown_receipt_has_no_bundle(house: House) -> None:
    house.sequence()
    with pytest.raises(NotFound):
        export(Book(house.folder), "nobody")


@pytest.mark.parametrize("data", [b"PK\x03\x04 not a zip", b"PK"])
def test_a_broken_bundle_is_named(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(LedgerBroken):
        read_bundle(data)
    (tmp_path / "x.zip").write_bytes(data)
    (verdict,) = verify_path(tmp_path / "x.zip", "quorum none")
    assert not verdict.ok


def test_the_packed_verifier_runs_with_cryptography_alone(bundle: Path, tmp_path: Path) -> None:
    """One file, run outside the house, with every other installed package barred."""
    packed = tmp_path / "verifier.pyz"
    packed.write_bytes(pack())
    assert pack() == pack()
    bar = (
        "import runpy, sys\n"
        "class Bar:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        ours = {'__main__', 'selat', 'cryptography', '_cffi_backend', 'cffi'}\n"
        "        allowed = set(sys.stdlib_module_names) | ours\n"
        "        if name.partition('.')[0] not in allowed: raise ImportError('barred: ' + name)\n"
        "sys.meta_path.insert(0, Bar())\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    arguments = [str(packed), str(bundle), "--trust", str(bundle.with_name("trust.policy")), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", bar, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [item["ok"] for item in json.loads(done.stdout)] == [True, True]


def test_the_alone_verifier_exits_1_on_a_false_receipt(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    false = tmp_path / "f.tlog-proof"
    false.write_text("c2sp.org/tlog-proof@v1\nindex 0\n\nx\n")
    assert main([str(false), "--trust", str(bundle.with_name("trust.policy"))]) == 1
    assert "NOT VERIFIED" in capsys.readouterr().out
    assert main([str(bundle), "--language", "ms"]) == 0
