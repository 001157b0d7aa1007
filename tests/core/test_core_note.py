"""Notes, checkpoints, trust files and proofs are read strictly: one form each, anything else is refused."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.checkpoint import Checkpoint, parse_checkpoint
from selat.core.errors import LedgerBroken
from selat.core.note import Note, VerifierKey, parse_note
from selat.core.proof import UnverifiedProof, parse_proof, verify
from selat.core.signature import COSIGN_ED25519, COSIGN_MLDSA44, ED25519
from selat.core.signer import Signer
from selat.core.tree import leaf_hash
from selat.core.trust import parse_trust

# The example key pair and note of golang.org/x/mod/sumdb/note, which its documentation publishes.
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
LOG = Signer("selat.local/a", ED25519, b"\x01" * 32)
W = [Signer(f"w{n}.example", COSIGN_ED25519, bytes([n + 2]) * 32) for n in range(3)]


def test_the_published_go_note_opens_and_is_signed_the_same() -> None:
    key = VerifierKey.parse(GO_PUBLIC)
    text, signers = parse_note(GO_NOTE).text([key])
    assert signers == (key,)
    signer = Signer.parse(GO_SECRET)
    assert signer.key == key
    assert str(Note(text, (signer.sign(text),))) == GO_NOTE
    assert signer.secret_text() == GO_SECRET + "\n"


def test_a_key_never_shows_itself() -> None:
    assert "seed" not in repr(LOG)
    with pytest.raises(LedgerBroken) as refused:
        Signer.parse(GO_SECRET.replace("c74f20a3", "c74f20a4"))
    assert "AYEK" not in str(refused.value)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— a\n",
        "text\n\n— a AAAA\n",
        "text\n\n- a AAAAAAA=\n",
        "text\n\n— a b AAAAAAA=\n",
        "text\n\n— a+b AAAAAAA=\n",
        "text\n\n— a AAAAAAB=\n",
        "text\n\n— a AAAAAAA=",
        "text\n\n— a AAAAAAA=\r\n",
        "te\x01xt\n\n— a AAAAAAA=\n",
        "text\n\n— a AAAAAAA=\n" + "— a AAAAAAA=\n" * 100,
        "x" * 1_000_001 + "\n\n— a AAAAAAA=\n",
    ],
)
def test_what_is_no_note_is_refused(bad: str) -> None:
    with pytest.raises(LedgerBroken):
        parse_note(bad)


def test_the_text_ends_at_the_last_blank_line_and_unknown_signers_are_ignored() -> None:
    text = "one\n\ntwo\n"
    note = parse_note(str(Note(text, (W[0].sign(text, 5), LOG.sign(text)))))
    assert note.text([LOG.key]) == (text, (LOG.key,))
    with pytest.raises(LedgerBroken, match="no trusted key"):
        note.text([W[1].key])
    with pytest.raises(LedgerBroken, match="no trusted key"):
        note.text([])


def test_one_false_line_of_a_known_key_refuses_the_whole_note() -> None:
    text = "one\n"
    false = W[0].sign("two\n", 5)
    with pytest.raises(LedgerBroken, match="false"):
        Note(text, (LOG.sign(text), false)).text([LOG.key, W[0].key])
    assert Note(text, (LOG.sign(text), false)).text([LOG.key])[1] == (LOG.key,)


@pytest.mark.parametrize(
    "bad",
    ["", "a+b", GO_PUBLIC.replace("c74f20a3", "c74f20a2"), GO_PUBLIC[:-4], "a b+00000000+AAAA", "a+00000000+CQ=="],
)
def test_what_is_no_key_is_refused(bad: str) -> None:
    with pytest.raises(LedgerBroken):
        VerifierKey.parse(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "a\n1\n",
        "a\n01\nAAAA\n",
        "a\n-1\n{r}\n",
        "\n1\n{r}\n",
        "a\n1\n{r}",
        "a\n1\n{r}\n\n",
        "a\n1\nAAAA\n",
        "a\n¹\n{r}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(bad: str) -> None:
    root = Checkpoint("a", 1, bytes(32)).text().split("\n")[2]
    with pytest.raises(LedgerBroken):
        parse_checkpoint(bad.replace("{r}", root))


def test_extension_lines_are_ignored_but_signed() -> None:
    text = Checkpoint("selat.local/a", 1, bytes(32)).text() + "more\n"
    assert parse_checkpoint(text).size == 1


def proof_of_one() -> tuple[str, str]:
    """A log of one leaf with three cosignatures, and the `log` and `witness` lines for it."""
    leaf = b'{"kind":"closed"}'
    text = Checkpoint(LOG.name, 1, leaf_hash(leaf)).text()
    note = Note(text, (LOG.sign(text), *(signer.sign(text, 7) for signer in W[:2])))
    trust = f"log {LOG.key}\n" + "".join(f"witness W{n} {signer.key}\n" for n, signer in enumerate(W))
    return str(UnverifiedProof(leaf, 0, (), note)), trust


@pytest.mark.parametrize(
    ("rules", "met"),
    [
        ("quorum none\n", True),
        ("quorum W0\n", True),
        ("quorum W2\n", False),
        ("group g all W0 W1\nquorum g\n", True),
        ("group g all W0 W2\nquorum g\n", False),
        ("group g any W1 W2\nquorum g\n", True),
        ("group g 2 W0 W1 W2\nquorum g\n", True),
        ("group g 3 W0 W1 W2\nquorum g\n", False),
        ("group a any W0\ngroup b any W1 W2\ngroup c all a b\nquorum c\n", True),
        ("# a comment\n\n \tquorum\t W0 \n", True),
    ],
)
def test_a_quorum_is_met_or_the_receipt_is_refused(rules: str, met: bool) -> None:
    proof, trust = proof_of_one()
    if met:
        assert verify(proof, trust + rules).index == 0
    else:
        with pytest.raises(LedgerBroken, match="quorum"):
            verify(proof, trust + rules)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "no quorum"),
        ("quorum none\nquorum none\n", "exactly one"),
        ("quorum W9\n", "not defined"),
        ("group g any W9\nquorum g\n", "not defined"),
        ("group g 0 W0\nquorum g\n", "needs"),
        ("group g 2 W0\nquorum g\n", "needs"),
        ("group g +1 W0\nquorum g\n", "needs"),
        ("group g any W0\ngroup h any W0\nquorum g\n", "already in a group"),
        ("group none any W0\nquorum none\n", "taken"),
        ("group W0 any W1\nquorum none\n", "taken"),
        ("group g any\nquorum g\n", "write"),
        ("witness\nquorum none\n", "write"),
        ("believe me\nquorum none\n", "starts with none of"),
        ("quorum none\r\n", "control characters"),
        ("log x\nquorum none\n", "verifier key|base64|write"),
    ],
)
def test_a_trust_file_says_what_is_wrong_with_it(lines: str, why: str) -> None:
    _, trust = proof_of_one()
    with pytest.raises(LedgerBroken, match=why):
        parse_trust(trust + lines)


def test_a_key_is_listed_once_and_in_its_own_part() -> None:
    same = f"log {LOG.key}\nlog {LOG.key}\nquorum none\n"
    with pytest.raises(LedgerBroken, match="listed twice"):
        parse_trust(same)
    with pytest.raises(LedgerBroken, match="type 1"):
        parse_trust(f"log {W[0].key}\nquorum none\n")
    with pytest.raises(LedgerBroken, match="type 4 or 6"):
        parse_trust(f"witness w {LOG.key}\nquorum none\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 0", "index 00"),
        lambda text: text.replace("index 0", "index 1"),
        lambda text: text.replace("index 0", "Index 0"),
        lambda text: text.replace("index 0\n", "index 0\nAAAA\n"),
        lambda text: text.replace("extra ", "extra  "),
        lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("extra")),
        lambda text: text.replace("\n\n", "\n", 1),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: " " + text,
        lambda text: text.replace("selat.local/a\n1\n", "selat.local/a\n2\n"),
        lambda text: text.replace("index 0\n", "index 0\n" + "A" * 43 + "=\n"),
    ],
)
def test_a_changed_receipt_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    proof, trust = proof_of_one()
    changed = change(proof)
    assert changed != proof
    with pytest.raises(LedgerBroken):
        verify(changed, trust + "quorum none\n")


def test_a_checkpoint_of_another_origin_under_the_same_key_is_refused() -> None:
    leaf = b"x"
    text = Checkpoint("selat.local/b", 1, leaf_hash(leaf)).text()
    proof = str(UnverifiedProof(leaf, 0, (), Note(text, (LOG.sign(text),))))
    with pytest.raises(LedgerBroken, match="no trusted key of the log"):
        verify(proof, f"log {LOG.key}\nquorum none\n")


def test_a_witness_alone_is_not_the_log() -> None:
    leaf = b"x"
    text = Checkpoint(LOG.name, 1, leaf_hash(leaf)).text()
    proof = str(UnverifiedProof(leaf, 0, (), Note(text, (W[0].sign(text, 5),))))
    with pytest.raises(LedgerBroken):
        verify(proof, f"log {LOG.key}\nwitness w {W[0].key}\nquorum w\n")


def test_the_leaf_may_come_beside_the_receipt_but_must_be_the_same() -> None:
    proof, trust = proof_of_one()
    trust += "quorum none\n"
    leaf = parse_proof(proof).leaf
    bare = "\n".join(line for line in proof.split("\n") if not line.startswith("extra"))
    assert verify(bare, trust, leaf).leaf == leaf
    with pytest.raises(LedgerBroken):
        verify(proof, trust, b"another")
    with pytest.raises(LedgerBroken):
        verify(bare, trust, b"another")


def test_a_post_quantum_cosignature_counts_and_binds_the_name() -> None:
    signer = Signer("pq.example", COSIGN_MLDSA44, b"\x09" * 32)
    text = Checkpoint(LOG.name, 3, bytes(32)).text()
    line = signer.sign(text, 1_795_316_403)
    assert Note(text, (line,)).text([signer.key])[1] == (signer.key,)
    renamed = Signer("qp.example", COSIGN_MLDSA44, b"\x09" * 32)
    moved = type(line)(renamed.name, renamed.key.id, line.value)
    with pytest.raises(LedgerBroken, match="false"):
        Note(text, (moved,)).text([renamed.key])


@given(st.data())
def test_no_change_of_a_letter_yields_another_receipt(data: st.DataObject) -> None:
    """Whatever is changed, dropped or doubled: refused, or still exactly the same statement."""
    proof, trust = proof_of_one()
    trust += "quorum W0\n"
    place = data.draw(st.integers(0, len(proof) - 1))
    letter = data.draw(st.sampled_from("AZaz09+/=\n —x"))
    how = data.draw(st.sampled_from(["change", "drop", "double", "insert"]))
    middle = {"change": letter, "drop": "", "double": proof[place] * 2, "insert": letter + proof[place]}[how]
    try:
        receipt = verify(proof[:place] + middle + proof[place + 1 :], trust)
    except LedgerBroken:
        return
    honest = verify(proof, trust)
    assert (receipt.leaf, receipt.index, receipt.checkpoint) == (honest.leaf, honest.index, honest.checkpoint)


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_readers(text: str) -> None:
    for read in (parse_note, parse_trust, parse_proof, parse_checkpoint, VerifierKey.parse, Signer.parse):
        try:
            read(text)
        except LedgerBroken:
            continue


def test_an_older_cryptography_verifies_all_but_post_quantum_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer("pq.example", COSIGN_MLDSA44, b"\x09" * 32)
    proof, trust = proof_of_one()
    text = Checkpoint(LOG.name, 3, bytes(32)).text()
    key, line = signer.key, signer.sign(text, 7)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    monkeypatch.delattr("cryptography.hazmat.primitives.asymmetric.mldsa", raising=False)
    assert verify(proof, trust + "quorum W0\n").index == 0
    with pytest.raises(LedgerBroken, match="47"):
        Note(text, (line,)).text([key])
