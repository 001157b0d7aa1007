"""Labels of documents: unlabelled takes the highest, raising is open, lowering needs an officer and a reason."""

from __future__ import annotations

import json
import subprocess

import commands
import pytest

from selat.app import Platform
from selat.core.label import parse_label
from selat.home import Home, create_home
from selat.house import furnish
from selat.identity import KeyWish
from selat.knowledge import Query

REASON = "published in the gazette on 1 November 2026"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = create_home(tmp_path_factory.mktemp("labels") / "home")
    furnish(home)
    papers = home.path.parent / "papers"
    papers.mkdir()
    for name in ("satu", "dua", "tiga"):
        (papers / f"{name}.txt").write_text(f"Kelulusan pelan {name} diberikan dalam masa tujuh hari bekerja.")
    done = selat(home, "ingest", str(papers))
    assert done.returncode == 0, done.stderr
    return home


def selat(home: Home, *words: str, key: str = "") -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home.path, OFFICER_KEY=key)


def new_key(
    home: Home, role: str, clearance: str = "rahsia_besar/confidential/biometric", tenant: str = "default"
) -> str:
    platform = Platform(home, "test")
    try:
        return platform.create_key(KeyWish(role, frozenset({role}), parse_label(clearance)), tenant).secret
    finally:
        platform.close()


def lower(home: Home, document: str, to: str, key: str, reason: str = REASON) -> subprocess.CompletedProcess[str]:
    words = ("label", "lower", document, "--to", to, "--reason", reason, "--key-env", "OFFICER_KEY")
    return selat(home, *words, key=key)


def test_a_document_without_a_label_takes_the_tenants_highest(home: Home) -> None:
    assert selat(home, "label", "show", "tiga.txt").stdout == "terhad/restricted/personal/MY\n"


def test_an_officer_lowers_a_label_and_every_search_follows(home: Home) -> None:
    open_query = Query("default", "documents", "Kelulusan pelan satu", parse_label("terbuka"))
    platform = Platform(home, "test")
    assert platform.library.search(open_query) == []
    platform.close()
    done = lower(home, "satu.txt", "terbuka/public/none/MY", new_key(home, "officer"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "terhad/restricted/personal/MY -> terbuka/public/none/MY\n"
    platform = Platform(home, "test")
    found = platform.library.search(open_query)
    assert [hit.passage.source.document for hit in found] == ["satu.txt"]
    platform.close()
    journals = b"".join(path.read_bytes() for path in home.ledger.rglob("*") if path.is_file())
    assert b'"label.lowered"' in journals
    assert REASON.encode() in journals


def test_nobody_else_lowers_it_and_nothing_changes(home: Home) -> None:
    member, officer = new_key(home, "member"), new_key(home, "officer")
    blind = new_key(home, "officer", "terbuka")
    for key, document, to, reason, said in (
        (member, "dua.txt", "terbuka", REASON, "only an officer lowers a label"),
        (officer, "dua.txt", "terbuka", "because", "say why"),
        (officer, "dua.txt", "sulit/confidential/personal/MY", REASON, "is not lower"),
        (officer, "nil.txt", "terbuka", REASON, "no such document"),
        (blind, "dua.txt", "terbuka", REASON, "no such document"),
        ("", "dua.txt", "terbuka", REASON, "set OFFICER_KEY"),
        ("sk-selat-wrong", "dua.txt", "terbuka", REASON, "missing, wrong or no longer valid"),
    ):
        done = lower(home, document, to, key, reason)
        assert done.returncode in (1, 2)
        assert said in done.stderr
    assert selat(home, "label", "show", "dua.txt").stdout == "terhad/restricted/personal/MY\n"


def test_an_officer_cannot_tell_a_hidden_document_from_one_that_is_not_there(home: Home) -> None:
    blind = new_key(home, "officer", "terbuka")
    hidden, absent = (lower(home, document, "terbuka", blind).stderr for document in ("dua.txt", "nil.txt"))
    assert hidden == absent


def test_ingesting_again_never_lowers_and_may_raise(home: Home) -> None:
    paper = home.path.parent / "papers" / "dua.txt"
    done = selat(home, "ingest", str(paper), "--label", "terbuka", "--json")
    assert json.loads(done.stdout)["kept"] == ["dua.txt"]
    assert "selat label lower" in done.stderr
    assert selat(home, "label", "show", "dua.txt").stdout == "terhad/restricted/personal/MY\n"
    assert selat(home, "label", "raise", "dua.txt", "--to", "sulit").returncode == 0
    assert selat(home, "label", "show", "dua.txt").stdout == "sulit/restricted/personal/MY\n"
    assert selat(home, "label", "raise", "dua.txt", "--to", "terbuka").returncode == 2
