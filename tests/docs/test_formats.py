"""The format pages show what the code writes, and what they show verifies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from specimens import ANSWER_SALT, LOG, PAGES, PROMPT, PROMPT_SALT, blocks, specimens

import selat.ledger
from selat.core.canonical import canonical
from selat.core.entry import commitment
from selat.core.errors import LedgerBroken
from selat.core.note import parse_note
from selat.core.proof import verify, verify_checkpoint
from selat.core.trust import parse_trust
from selat.ledger import frame

SHOWN = {name: text for path in PAGES.glob("*.md") for name, text in blocks(path.read_text("utf-8")).items()}


@pytest.mark.parametrize("name", sorted(specimens()))
def test_a_specimen_is_what_the_code_writes(name: str) -> None:
    assert SHOWN.get(name) == specimens()[name], "run: python tests/docs/specimens.py"


def test_the_receipt_verifies_with_the_trust_file_beside_it() -> None:
    receipt = verify(SHOWN["receipt"], SHOWN["trust"])
    assert receipt.leaf.decode() + "\n" == SHOWN["entry-opened"]
    assert (receipt.index, receipt.checkpoint.size, receipt.witnesses) == (0, 3, ("witness.example/w1",))
    with pytest.raises(LedgerBroken):
        verify(SHOWN["receipt"].replace("index 0", "index 1"), SHOWN["trust"])


def test_the_checkpoint_verifies() -> None:
    head, signers = verify_checkpoint(parse_note(SHOWN["checkpoint"]), parse_trust(SHOWN["trust"]))
    assert head.origin == LOG.name
    assert len(signers) == 2


@pytest.mark.parametrize("name", ["entry-opened", "entry-closed", "entry-change"])
def test_an_entry_is_canonical_json(name: str) -> None:
    entry = json.loads(SHOWN[name])
    assert canonical(entry).decode() + "\n" == SHOWN[name]
    page = (PAGES / "entry.md").read_text("utf-8")
    for field in entry:
        assert f"`{field}`" in page, f"docs/formats/entry.md does not explain {field}"


def test_the_commitments_open_with_their_salts() -> None:
    assert json.loads(SHOWN["entry-opened"])["prompt"]["c"] == commitment(PROMPT_SALT, PROMPT)
    assert json.loads(SHOWN["entry-closed"])["answer"]["c"] == commitment(ANSWER_SALT, b"Baik.")


def test_every_remark_of_check_is_explained() -> None:
    source = Path(selat.ledger.__file__).with_name("check.py").read_text("utf-8")
    kinds = set(re.findall(r'\.(?:problem|note)\(\s*"([a-z-]+)"', source))
    page = (PAGES.parent / "threats-ledger.md").read_text("utf-8")
    assert len(kinds) > 15
    assert not {kind for kind in kinds if f"`{kind}`" not in page}


def test_the_journal_reads_back() -> None:
    data = bytes.fromhex("".join(line[10:57] for line in SHOWN["journal"].splitlines()))
    at = frame.start(data)
    assert at is not None
    found = frame.scan(data[at.offset :], at)
    assert found.rest == 0
    (record,) = found.records
    assert json.loads(record.leaf)["id"] == "R1"
    assert record.secrets == (("answer", ANSWER_SALT),)
