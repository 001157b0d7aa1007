"""Digests of files that a result is bound to: weights, chat templates; large ones are read in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

from selat.core.errors import Misused


def digest_file(path: Path | None) -> str:
    """SHA-256 in hex, "" for no file. Raises: Misused."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; name a file that can be read") from error
