"""Words that people choose, kept as argon2id, and the second factor: six digits of a clock."""

from __future__ import annotations

import base64
import hmac
import os
import threading
import time
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from selat.core.errors import HomeBroken, Misused

LEAST, MOST = 12, 200
STEP_S = 30
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's least for argon2id, 19 MiB
_few = threading.BoundedSemaphore(2)  # of those 19 MiB at a time


@cache
def _nobody() -> str:
    """What a password is held against where there is none."""
    return _hasher.hash("nobody has this password")


def check_password(password: str, login: str = "") -> str:
    """Raises: Misused, for one too short, too long or the login itself. Source: NIST SP 800-63B-4 3.1.1."""
    if not LEAST <= len(password) <= MOST:
        raise Misused(f"password: {LEAST} to {MOST} characters; a few unrelated words are easy to remember")
    if len(set(password)) < 5 or (login and password.casefold() == login.casefold()):
        raise Misused("password: too easy to guess; take a few unrelated words")
    return password


def hashed(password: str) -> str:
    with _few:
        return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long where there is none, so that nobody learns who exists."""
    with _few:
        try:
            return _hasher.verify(kept or _nobody(), password[:MOST]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def new_totp() -> str:
    """A fresh secret in base32, as authenticator apps take it. Source: RFC 6238."""
    return pyotp.random_base32()


def totp_uri(secret: str, login: str) -> str:
    """What the QR code says."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="Selat")


def totp_step(secret: str, code: str, after: int) -> int | None:
    """The step of the clock that `code` is right for: now, one before or one after, and later than `after`.

    A code is good once: the caller keeps the step and gives it as `after` the next time.
    """
    code = code.replace(" ", "")
    now = int(time.time()) // STEP_S
    for step in (now, now - 1, now + 1):
        right = pyotp.TOTP(secret).generate_otp(step)
        if step > after and hmac.compare_digest(right.encode(), code.encode("utf-8", "replace")):
            return step
    return None


def seal(key: bytes, secret: str, holder: str) -> str:
    """The secret under AES-256-GCM, bound to its holder; base64."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret.encode(), holder.encode())).decode()


def unseal(key: bytes, sealed: str, holder: str) -> str:
    """Raises: HomeBroken, where the key is not the one it was sealed with."""
    raw = base64.b64decode(sealed)
    try:
        return AESGCM(key).decrypt(raw[:12], raw[12:], holder.encode()).decode()
    except InvalidTag as error:
        raise HomeBroken("keys/console.key is not the one that second factors were sealed with") from error
