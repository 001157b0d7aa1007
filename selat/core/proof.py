"""Receipts: a leaf, its inclusion proof and a signed checkpoint in one text, as C2SP tlog-proof says."""

from __future__ import annotations

from dataclasses import dataclass

from selat.core.checkpoint import Checkpoint, parse_checkpoint, parse_number
from selat.core.errors import LedgerBroken
from selat.core.note import Note, VerifierKey, b64, parse_note, unb64
from selat.core.signature import ED25519
from selat.core.tree import HASH_BYTES, Hash, leaf_hash, root_from_inclusion
from selat.core.trust import Trust, parse_trust

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63


@dataclass(frozen=True, slots=True)
class UnverifiedProof:
    """A tlog-proof as read: nothing in it has been checked."""

    leaf: bytes
    index: int
    path: tuple[Hash, ...]
    checkpoint: Note

    def __str__(self) -> str:
        extra = f"extra {b64(self.leaf)}\n" if self.leaf else ""
        path = "".join(b64(item) + "\n" for item in self.path)
        return f"{HEADER}\n{extra}index {self.index}\n{path}\n{self.checkpoint}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A verified proof: `leaf` is leaf `index` of the log that signed `checkpoint`; `signers` are trusted keys."""

    leaf: bytes
    index: int
    checkpoint: Checkpoint
    signers: tuple[VerifierKey, ...]

    @property
    def witnesses(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.signers if key.kind != ED25519)


def parse_proof(unverified: str) -> UnverifiedProof:
    """Read a tlog-proof's lines. Raises: LedgerBroken, naming the line. Source: C2SP tlog-proof."""
    head, blank, checkpoint = unverified.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != HEADER:
        raise LedgerBroken(f"receipt: the first line is not {HEADER}")
    leaf = b""
    if lines and lines[0].startswith("extra "):
        leaf = unb64(lines.pop(0).removeprefix("extra "), "receipt: the extra line")
    if not lines or not lines[0].startswith("index "):
        raise LedgerBroken("receipt: no index line")
    index = parse_number(lines.pop(0).removeprefix("index "), "receipt: the index")
    if len(lines) > MAX_PATH:
        raise LedgerBroken(f"receipt: over {MAX_PATH} proof lines")
    path = tuple(unb64(line, "receipt: a proof line") for line in lines)
    if any(len(item) != HASH_BYTES for item in path):
        raise LedgerBroken(f"receipt: a proof line is not {HASH_BYTES} bytes")
    return UnverifiedProof(leaf, index, path, parse_note(checkpoint))


def verify(unverified: str, trust: str, leaf: bytes | None = None) -> Receipt:
    """Check a receipt against a trust file, with no network and no clock.

    `leaf` is the entry where the receipt's `extra` line does not carry it.
    Raises: LedgerBroken, when anything at all does not hold.
    Source: C2SP tlog-proof, section Verifying a tlog proof.
    """
    proof = parse_proof(unverified)
    entry = proof.leaf if leaf is None else leaf
    if not entry:
        raise LedgerBroken("receipt: no leaf in the extra line; give the leaf beside the receipt")
    if leaf is not None and proof.leaf and leaf != proof.leaf:
        raise LedgerBroken("receipt: the leaf beside it is not the leaf in its extra line")
    checkpoint, signers = verify_checkpoint(proof.checkpoint, parse_trust(trust))
    root = root_from_inclusion(leaf_hash(entry), proof.index, checkpoint.size, list(proof.path))
    if root != checkpoint.root:
        raise LedgerBroken(f"receipt: the leaf is not entry {proof.index} of {checkpoint.origin}: it was altered")
    return Receipt(entry, proof.index, checkpoint, signers)


def verify_checkpoint(note: Note, trust: Trust) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """The tree head of a signed checkpoint and the trusted keys on it. Raises: LedgerBroken."""
    text, signers = note.text(trust.keys())
    checkpoint = parse_checkpoint(text)
    if not any(key.kind == ED25519 and key.name == checkpoint.origin for key in signers):
        raise LedgerBroken(f"checkpoint: no trusted key of the log {checkpoint.origin} has signed it")
    if not trust.met(signers):
        raise LedgerBroken(
            f"checkpoint: the quorum '{trust.quorum}' is not met; the log may be showing others another book"
        )
    return checkpoint, signers
