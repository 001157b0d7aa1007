"""Form tokens and sealed cookies: what a page hands to a browser and wants back unchanged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LENGTH = 32


class Seals:
    """Made from the home's console key, so that every worker knows the others' tokens."""

    def __init__(self, key: bytes) -> None:
        self._form = hashlib.sha256(b"form" + key).digest()
        self._box = AESGCM(hashlib.sha256(b"box" + key).digest())

    def form_token(self, cookie: str) -> str:
        """What a form must carry that is sent under this cookie.

        Under a fresh mask each time: a compressed page that repeats what a stranger wrote must not let the
        token be guessed from its length.
        """
        mask = os.urandom(_LENGTH)
        return base64.urlsafe_b64encode(mask + _xor(mask, self._right(cookie))).decode()

    def form_token_holds(self, cookie: str, token: str) -> bool:
        try:
            raw = base64.urlsafe_b64decode(token)
        except ValueError:
            return False
        if not cookie or len(raw) != 2 * _LENGTH:
            return False
        return hmac.compare_digest(_xor(raw[:_LENGTH], raw[_LENGTH:]), self._right(cookie))

    def close(self, text: str, use: str, life_s: int) -> str:
        """`text`, sealed for one use and so many seconds."""
        nonce = os.urandom(12)
        message = f"{int(time.time()) + life_s}\n{text}".encode()
        return base64.urlsafe_b64encode(nonce + self._box.encrypt(nonce, message, use.encode())).decode()

    def open(self, sealed: str, use: str) -> str | None:
        """The text; None for what was altered, is of another use, or too old."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
            message = self._box.decrypt(raw[:12], raw[12:], use.encode()).decode()
        except (ValueError, InvalidTag):
            return None
        until, _, text = message.partition("\n")
        return text if int(until) > time.time() else None

    def _right(self, cookie: str) -> bytes:
        return hmac.digest(self._form, cookie.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
