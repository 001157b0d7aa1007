"""Witnesses cosign what only grows, refuse forks, and a quorum in the trust file makes a split view fail."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from ledger_house import House, leaf
from waiting import CEILING_S

from selat.core.checkpoint import Checkpoint
from selat.core.errors import LedgerBroken
from selat.core.note import Note, b64, parse_note
from selat.core.proof import verify
from selat.core.signature import COSIGN_ED25519, COSIGN_MLDSA44
from selat.core.signer import Signer
from selat.core.tree import consistency_proof, fold, leaf_hash, tree_root
from selat.core.trust import parse_trust
from selat.ledger import Book, Sequencer
from selat.ledger.check import check
from selat.ledger.witness import Reply, Witness
from selat.ledger.witness_server import witness_server

LOG = Signer("selat.local/test", seed=b"\x01" * 32)
KEYS = [Signer("witness.example/w1", kind, b"\x02" * 32) for kind in (COSIGN_ED25519, COSIGN_MLDSA44)]


def read(prefix: str = "leaf"):  # type: ignore[no-untyped-def]
    def hashes(height: int, index: int) -> bytes:
        return fold(
            [leaf_hash(b"%s%d" % (prefix.encode(), n)) for n in range(index << height, (index + 1) << height)]
        )

    return hashes


def signed(size: int, prefix: str = "leaf", signer: Signer = LOG) -> Note:
    text = Checkpoint(signer.name, size, tree_root(size, read(prefix))).text()
    return Note(text, (signer.sign(text),))


def ask(witness: Witness, old: int, note: Note, size: int, prefix: str = "leaf") -> Reply:
    proof = consistency_proof(old, size, read(prefix)) if old <= size else []
    return witness.add_checkpoint(_body(old, proof, note))


def _body(old: int, proof: list[bytes], note: Note) -> bytes:
    return (f"old {old}\n" + "".join(b64(item) + "\n" for item in proof) + f"\n{note}").encode()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness", KEYS, parse_trust(f"log {LOG.key}\nquorum none\n"), lambda: 1_795_316_403)


def test_a_growing_log_is_cosigned_with_both_kinds_of_key(witness: Witness) -> None:
    old = 0
    for size in (0, 1, 5, 5, 300):
        note = signed(size)
        reply = ask(witness, old, note, size)
        assert reply.status == 200, reply.body
        whole = parse_note(f"{note}{reply.body}")
        _, signers = whole.text([LOG.key, *(key.key for key in KEYS)])
        assert [key.kind for key in signers] == [1, 4, 6]
        assert whole.signatures[1].timestamp == 1_795_316_403
        old = size


def test_each_fault_has_the_status_of_the_format(witness: Witness) -> None:
    assert ask(witness, 0, signed(5), 5).status == 200
    unknown = Signer("selat.local/other", seed=b"\x03" * 32)
    assert ask(witness, 0, signed(5, signer=unknown), 5).status == 404
    forged = Signer(LOG.name, seed=b"\x03" * 32)
    assert ask(witness, 5, signed(6, signer=forged), 6).status == 403
    assert ask(witness, 7, signed(6), 6).status == 400
    wrong = ask(witness, 3, signed(6), 6)
    assert (wrong.status, wrong.body, wrong.type) == (409, "5\n", "text/x.tlog.size")
    assert ask(witness, 5, signed(5, "fork"), 5).status == 409
    assert ask(witness, 5, signed(8, "fork"), 8, "fork").status == 422
    assert witness.add_checkpoint(_body(5, [], signed(8))).status == 422
    assert ask(witness, 5, signed(8), 8).status == 200


@pytest.mark.parametrize(
    "body", [b"", b"old 0\n", b"old 00\n\nx", b"new 0\n\n", b"old 0\nzz\n\nx\n", b"\xff", b"old 0\n\nno note\n"]
)
def test_what_is_no_request_is_400(witness: Witness, body: bytes) -> None:
    assert witness.add_checkpoint(body).status == 400


def test_a_large_request_is_refused(witness: Witness) -> None:
    assert witness.add_checkpoint(b"x" * 70_000).status == 413


def test_a_restarted_witness_remembers(witness: Witness, tmp_path: Path) -> None:
    assert ask(witness, 0, signed(5), 5).status == 200
    again = Witness(tmp_path / "witness", KEYS, parse_trust(f"log {LOG.key}\nquorum none\n"))
    assert ask(again, 0, signed(3, "fork"), 3).status == 409


@pytest.fixture
def served(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A witness over HTTP for the house's log, named in the house's trust file with a quorum of one of two."""
    monkeypatch.setattr("selat.ledger.sequencer.WITNESS_WAIT_S", CEILING_S)
    monkeypatch.setattr("selat.ledger.cosign.ANSWER_S", CEILING_S)
    watched = parse_trust(f"log {house.signer.key}\nquorum none\n")
    server = witness_server(Witness(tmp_path / "w", KEYS, watched), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    trust = house.folder / "log" / "trust.policy"
    trust.write_text(
        f"log {house.signer.key}\nwitness a {KEYS[0].key} {url}\nwitness pq {KEYS[1].key} {url}\n"
        "group both all a pq\nquorum both\n"
    )
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_sequencer_collects_cosignatures(house: House, served: ThreadingHTTPServer) -> None:
    for size in (1, 300):
        house.write([leaf(number) for number in range(Book(house.folder).size if size > 1 else 0, size)])
        house.sequence()
    book = Book(house.folder)
    receipt = verify(book.proof(299), book.trust())
    assert receipt.witnesses == ("witness.example/w1", "witness.example/w1")
    assert check(house.folder).notes == ()


def test_a_split_view_is_refused_by_the_witness_and_by_whoever_asks_for_it(
    house: House, served: ThreadingHTTPServer, tmp_path: Path
) -> None:
    house.write([leaf(1)])
    house.sequence()
    shutil.copytree(tmp_path, tmp_path.parent / "fork", ignore=shutil.ignore_patterns("w"))
    fork = House(tmp_path.parent / "fork")
    for book, number in ((house, 2), (fork, 3)):
        book.write([leaf(number)])
    house.sequence()
    sequencer = Sequencer(fork.folder, fork.signer)
    assert sequencer.step() == 1
    assert sequencer.refusals == {
        "witness.example/w1": "it has seen another book: this log has been forked or put back"
    }
    sequencer.close()
    honest, other = Book(house.folder), Book(fork.folder)
    assert verify(honest.proof(1), honest.trust()).leaf == leaf(2)
    with pytest.raises(LedgerBroken, match="another book"):
        verify(other.proof(1), other.trust())
    lenient = f"log {house.signer.key}\nquorum none\n"
    assert verify(other.proof(1), lenient).leaf == leaf(3), "without a witness a split view verifies: say so"
    assert [note.kind for note in check(fork.folder).notes] == ["not-cosigned"]


def test_an_absent_witness_does_not_stop_the_ledger(house: House, served: ThreadingHTTPServer) -> None:
    trust = house.folder / "log" / "trust.policy"
    trust.write_text(trust.read_text().replace(f":{served.server_address[1]}", ":1"))
    house.write([leaf(1)])
    assert house.sequence() == 1
    assert [note.kind for note in check(house.folder).notes] == ["not-cosigned"]
    trust.write_text(trust.read_text().replace(":1\n", f":{served.server_address[1]}\n"))
    sequencer = Sequencer(house.folder, house.signer)
    sequencer.start()
    sequencer._asked_at = -1e9
    sequencer.step()
    sequencer.close()
    book = Book(house.folder)
    assert verify(book.proof(0), book.trust()).leaf == leaf(1)
