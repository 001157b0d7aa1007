"""The form of an API key's secret, how it is made, and the hash that is kept of it."""

from __future__ import annotations

import hashlib
import secrets
import string
from functools import cached_property

PREFIX = "sk-selat-"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 43  # 62**43 > 2**256
LENGTH = len(PREFIX) + RANDOM_CHARACTERS


def new_secret() -> str:
    """A fresh secret of 256 bits: `sk-selat-` and 43 base62 characters."""
    return PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))


def new_id() -> str:
    """A public name for a key: 12 base62 characters, 71 bits, so that ids do not collide."""
    return "key_" + "".join(secrets.choice(ALPHABET) for _ in range(12))


class Presented(str):
    """A secret as a connection presents it, with each of its requests: its digest is made once.

    It is kept no longer than the connection keeps the head in which it came.
    """

    @cached_property
    def digest(self) -> bytes:
        return digest(self)


def digest(secret: str) -> bytes:
    """SHA-256 of the secret: 32 bytes.

    A slow hash protects words that people choose; a secret of 256 random bits cannot be found by trying,
    so a fast hash is as safe and costs a microsecond instead of a tenth of a second on every request.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
