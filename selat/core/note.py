"""Signed notes and their keys: text that Ed25519 or ML-DSA-44 keys have signed, as C2SP signed-note says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from selat.core.errors import LedgerBroken
from selat.core.signature import KINDS, verifies

MAX_SIGNATURES = 100
MAX_NOTE_BYTES = 1_000_000
_DASH = "— "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name. `kind` is the signature type: 1 log, 4 and 6 witness (Ed25519, ML-DSA-44).

    Source: C2SP signed-note, tlog-cosignature; text form `name+hex id+base64(kind, public key)`.
    """

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(name, newline, kind, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a key's text form. Raises: LedgerBroken, when its id does not match or its kind is unknown."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = unb64(encoded, "verifier key")
        if not well_named(name) or len(raw) < 2:
            raise LedgerBroken("verifier key: write name+id+base64, as the log's operator gives it")
        key = cls(name, raw[0], raw[1:])
        if KINDS.get(key.kind) != len(key.public):
            raise LedgerBroken(f"verifier key {name}: signature type {key.kind} is not one of 1, 4, 6")
        if key.id.hex() != key_id.lower():
            raise LedgerBroken(f"verifier key {name}: its id does not match its bytes; it was altered")
        return key


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: who, which key, and the bytes after the key id."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64(self.key_id + self.value)}\n"

    @property
    def timestamp(self) -> int:
        """Seconds since 1970 in a witness's cosignature: when it says it saw the checkpoint."""
        return int.from_bytes(self.value[:8], "big")


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signature lines, none of them checked yet."""

    unverified_text: str
    signatures: tuple[Signature, ...]

    def text(self, keys: Iterable[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
        """The text and the keys of `keys` that signed it, in the order of the signatures.

        Raises: LedgerBroken, when none of them did, or when a line of one of them is false.
        """
        known = {(key.name, key.id): key for key in keys}
        signers: dict[VerifierKey, None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None or key in signers:
                continue
            if not verifies(key.kind, key.name, key.public, (self.unverified_text.encode(), signature.value)):
                raise LedgerBroken(f"the signature of {key.name} is false: the text or the line was altered")
            signers[key] = None
        if not signers:
            raise LedgerBroken("no trusted key has signed this; compare the trust file with the log's key")
        return self.unverified_text, tuple(signers)

    def __str__(self) -> str:
        return self.unverified_text + "\n" + "".join(map(str, self.signatures))


def parse_note(unverified: str) -> Note:
    """Split a note at its last blank line. Raises: LedgerBroken, when it is not a note.

    Source: C2SP signed-note, section Format.
    """
    if len(unverified.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
        raise LedgerBroken(f"note: over {MAX_NOTE_BYTES} bytes")
    if re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", unverified):
        raise LedgerBroken("note: control characters other than newline are not allowed")
    text, blank, lines = unverified.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise LedgerBroken("note: no blank line followed by signature lines, each ending in a newline")
    signatures = tuple(parse_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise LedgerBroken(f"note: over {MAX_SIGNATURES} signatures")
    return Note(text + "\n", signatures)


def parse_signature(line: str) -> Signature:
    """Read one signature line without its newline. Raises: LedgerBroken."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = unb64(encoded, "signature line")
    if not line.startswith(_DASH) or not well_named(name) or len(raw) < 5:
        raise LedgerBroken("note: a signature line is an em dash, a key name and base64, with single spaces")
    return Signature(name, raw[:4], raw[4:])


def well_named(name: str) -> bool:
    """Whether `name` may name a key: not empty, no Unicode space, no plus."""
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def unb64(text: str, what: str) -> bytes:
    """The bytes of canonical standard base64. Raises: LedgerBroken, naming `what`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise LedgerBroken(f"{what}: not base64") from None
    if b64(data) != text:
        raise LedgerBroken(f"{what}: not canonical base64")
    return data
