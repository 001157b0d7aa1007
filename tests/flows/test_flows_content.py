"""Words are stored only where the tenant asks for it, only in journal and vault, and are gone when erased."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from chat_kit import CALLER, Office
from compiled import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.core.caller import Caller
from selat.core.errors import Forbidden
from selat.flows.chat import sent
from selat.guard import Guard
from selat.ledger import Book, Place, Subject, erase, expire_content, find
from selat.ledger.check import check
from selat.ledger.export import export
from selat.ledger.words import holds
from selat.testing import EchoEngine
from selat.wire import APIS, Ask, read_ask

KEEPS = replace(CALLER, keeps_content=True)
WORDS = st.text('abcdefgh éß漢"\\/', min_size=12, max_size=60).map(lambda text: f"q{text}z")


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return compiled()


def ask(caller: Caller, words: str, *, stream: bool = False, purpose: str = "chat") -> Ask:
    document = {"model": "echo", "messages": [{"role": "user", "content": words}], "stream": stream}
    body = json.dumps(document).encode()
    return read_ask(APIS["/v1/chat/completions"], caller, body, purpose, CALLER.prompt_label)


def places(home: Path, words: str) -> set[str]:
    """The files below a home that hold the words, plainly or as JSON writes them; by their first folder."""
    forms = {words.encode(), *(json.dumps(words, ensure_ascii=ascii)[1:-1].encode() for ascii in (True, False))}
    found = [path for path in home.rglob("*") if path.is_file() and any(f in path.read_bytes() for f in forms)]
    return {path.relative_to(home).parts[1] for path in found}


def talk(office: Office, *asks: Ask) -> None:
    for one in asks:
        asyncio.run(office.answer(one))


@settings(max_examples=12, deadline=None)
@given(words=WORDS, stream=st.booleans())
def test_without_the_tenants_wish_no_word_is_on_disk(guard: Guard, words: str, stream: bool) -> None:
    with tempfile.TemporaryDirectory() as home:
        office = Office(Path(home) / "ledger", guard, EchoEngine("here"))
        talk(office, ask(CALLER, words, stream=stream))
        assert places(Path(home), words) == set(), "before it is integrated"
        assert [leaf["kind"] for leaf in office.leaves()] == ["opened", "closed"]
        assert places(Path(home), words) == set()
        assert find(office.folder, Subject("default", words=words)) == []


@settings(max_examples=12, deadline=None)
@given(words=WORDS, stream=st.booleans())
def test_kept_words_are_in_journal_and_vault_alone_and_go_when_erased(
    guard: Guard, words: str, stream: bool
) -> None:
    with tempfile.TemporaryDirectory() as home:
        office = Office(Path(home) / "ledger", guard, EchoEngine("here"))
        talk(office, ask(KEEPS, words, stream=stream), ask(KEEPS, "something else", stream=stream))
        assert places(Path(home), words) == {"journals"}
        assert len(office.leaves()) == 4
        assert places(Path(home), words) == set(), "the vault is encrypted, the log has no words"
        subject = Subject("default", words=words)
        (held,) = find(office.folder, subject)
        assert held.secrets == ("answer", "answer.text", "prompt", "prompt.text")
        bundle = export(Book(office.folder), held.receipt)
        assert b"prompt.text" in bundle
        done = erase(office.folder, subject, "officer")
        assert (done.receipts, done.secrets, done.verified) == (1, 4, 2)
        assert find(office.folder, subject) == []
        assert len(list(office_contents(office))) == 2, "the other request's words stay"
        assert check(office.folder).ok


def office_contents(office: Office) -> list[bytes]:
    return [row.value for row in Place(office.folder).vault().contents("default")]


def test_a_refused_prompt_is_kept_too_and_content_expires_before_salts(guard: Guard, tmp_path: Path) -> None:
    office = Office(tmp_path / "ledger", guard, EchoEngine("here"))
    office.desk = replace(office.desk, packs={"sme": "7d" * 32})
    with pytest.raises(Forbidden):
        talk(office, ask(KEEPS, "no permit", purpose="another"))
    talk(office, ask(KEEPS, "a permit"))
    opened = [leaf for leaf in office.leaves() if leaf["kind"] != "closed"]
    assert [leaf["policy"]["packs"] for leaf in opened] == ["7d" * 32] * 2
    assert [leaf["kind"] for leaf in opened] == ["refused", "opened"]
    assert len(office_contents(office)) == 3
    assert expire_content(office.folder, "default", 36_500) == 0
    assert expire_content(office.folder, "another", 0) == 0
    assert expire_content(office.folder, "default", 0) == 3
    assert office_contents(office) == []
    assert [sorted(named) for named in Book(office.folder).secrets(opened[1]["id"]).values()] == [
        ["prompt"],
        ["answer"],
    ]


def test_an_answer_too_long_to_keep_is_committed_to_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "MAX_KEPT_BYTES", 10)
    kept = sent.Kept(b"s" * 32)
    kept.update(b"12345")
    kept.update(b"67890")
    assert kept.text() == b"1234567890"
    kept.update(b"1")
    kept.update(b"2")
    assert kept.text() is None
    plain = sent.Committer(b"s" * 32)
    plain.update(b"123456789012")
    assert kept.commitment() == plain.commitment()


def test_words_are_found_across_the_pieces_of_a_stream() -> None:
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Encik A", "li, 9001", "01")]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
    assert holds(body, "Encik Ali, 900101")
    assert not holds(body, "Encik Abu")
    assert holds(b'{"a":"\\u00e9t\\u00e9"}', "été")
    assert holds(b"\xff plain", "plain")
