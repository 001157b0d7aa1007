"""What is signed and how it is checked, for each kind of note key; the one module that needs `cryptography`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from selat.core.checkpoint import parse_checkpoint
from selat.core.errors import LedgerBroken

if TYPE_CHECKING:
    from types import ModuleType

ED25519, COSIGN_ED25519, COSIGN_MLDSA44 = 0x01, 0x04, 0x06
KINDS = {ED25519: 32, COSIGN_ED25519: 32, COSIGN_MLDSA44: 1312}
"""Signature type identifier -> bytes in its public key. Source: C2SP signed-note, tlog-cosignature."""
_OLD = "this cryptography knows no ML-DSA-44: install 47 or later"


def _mldsa() -> ModuleType:
    """The ML-DSA part of cryptography, asked for only when a key of that kind is: an older one verifies the rest.

    Raises: LedgerBroken, where it is too old.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa
    except ImportError as error:
        raise LedgerBroken(_OLD) from error
    return mldsa


def message(kind: int, name: str, text: bytes, timestamp: int) -> bytes:
    """The bytes that a key of `kind` signs for the note `text`; a plain log key signs the text itself.

    Source: C2SP tlog-cosignature, sections Ed25519 and ML-DSA-44 signed message.
    """
    if kind == ED25519:
        return text
    if kind == COSIGN_ED25519:
        return b"cosignature/v1\ntime %d\n" % timestamp + text
    head = parse_checkpoint(text.decode())
    return b"".join(
        [
            b"subtree/v1\n\0",
            _short(name),
            timestamp.to_bytes(8, "big"),
            _short(head.origin),
            (0).to_bytes(8, "big"),
            head.size.to_bytes(8, "big"),
            head.root,
        ]
    )


def verifies(kind: int, name: str, public: bytes, signed: tuple[bytes, bytes]) -> bool:
    """Whether `signed` = (note text, signature bytes after the key id) is by the key `public`."""
    text, value = signed
    timestamp = 0
    if kind != ED25519:
        timestamp, value = int.from_bytes(value[:8], "big"), value[8:]
        if timestamp >= 1 << 63:
            return False
    try:
        if kind == COSIGN_MLDSA44:
            _mldsa().MLDSA44PublicKey.from_public_bytes(public).verify(value, message(kind, name, text, timestamp))
        else:
            Ed25519PublicKey.from_public_bytes(public).verify(value, message(kind, name, text, timestamp))
    except (InvalidSignature, ValueError):
        return False
    except UnsupportedAlgorithm as error:
        raise LedgerBroken(_OLD) from error
    return True


def public_of(kind: int, seed: bytes) -> bytes:
    """The public key of the 32-byte `seed`."""
    if kind == COSIGN_MLDSA44:
        return bytes(_mldsa().MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw())
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(kind: int, seed: bytes, signed: bytes) -> bytes:
    """The signature of the key with `seed` over the bytes that `message` gives."""
    if kind == COSIGN_MLDSA44:
        return bytes(_mldsa().MLDSA44PrivateKey.from_seed_bytes(seed).sign(signed))
    return Ed25519PrivateKey.from_private_bytes(seed).sign(signed)


def _short(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= 255:
        raise LedgerBroken("ML-DSA-44 cosignature: names and origins have 1 to 255 bytes")
    return bytes([len(data)]) + data
