"""Note signing keys: a log's or a witness's private key under its name, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass, field

from selat.core.errors import LedgerBroken
from selat.core.note import Signature, VerifierKey, b64, unb64, well_named
from selat.core.signature import ED25519, KINDS, message, public_of, sign

_PREFIX = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key: `kind` as in VerifierKey, and its 32-byte seed, which never shows in a repr."""

    name: str
    kind: int = ED25519
    seed: bytes = field(repr=False, default=b"")

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, self.kind, public_of(self.kind, self.seed))

    def sign(self, text: str, timestamp: int = 0) -> Signature:
        """The signature line's content for note `text`; `timestamp` (seconds) only for a witness's key."""
        value = sign(self.kind, self.seed, message(self.kind, self.name, text.encode(), timestamp))
        prefix = b"" if self.kind == ED25519 else timestamp.to_bytes(8, "big")
        return Signature(self.name, self.key.id, prefix + value)

    def secret_text(self) -> str:
        """`PRIVATE+KEY+name+id+base64(kind, seed)`: the text kept in the key file, as Go's sumdb/note has it."""
        return f"{_PREFIX}{self.name}+{self.key.id.hex()}+{b64(bytes([self.kind]) + self.seed)}\n"

    @classmethod
    def parse(cls, secret: str) -> Signer:
        """Read a key file's text. Raises: LedgerBroken, which never repeats any of it."""
        name, _, rest = secret.strip().removeprefix(_PREFIX).partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = unb64(encoded, "signing key")
        if not secret.startswith(_PREFIX) or not well_named(name) or len(raw) != 33 or raw[0] not in KINDS:
            raise LedgerBroken("signing key: not the text of a note signing key; restore the file from backup")
        signer = cls(name, raw[0], raw[1:])
        if signer.key.id.hex() != key_id.lower():
            raise LedgerBroken("signing key: its id does not match its bytes; restore the file from backup")
        return signer
