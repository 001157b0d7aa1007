"""A file that a person named: what it holds, or in words why it cannot be read."""

from __future__ import annotations

from pathlib import Path

from selat.core.errors import Misused


def read_text(path: Path, what: str) -> str:
    """The text of a file, where `what` is wanted. Raises: Misused, naming the file, the reason and `what`."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise Misused(f"cannot read {path}: {error.strerror}; name {what}") from error
    except UnicodeDecodeError as error:
        raise Misused(f"{path} is not text in UTF-8; name {what}") from error
