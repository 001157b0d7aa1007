"""Checkpoints: the text naming a log, the number of its leaves and their root, as C2SP tlog-checkpoint says."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from selat.core.errors import LedgerBroken
from selat.core.tree import HASH_BYTES, Hash

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's origin, the number of leaves, the RFC 6962 root over them."""

    origin: str
    size: int
    root: Hash

    def text(self) -> str:
        """The note text: three lines, each ending in a newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's note text; extension lines are allowed and ignored. Raises: LedgerBroken."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise LedgerBroken("checkpoint: three lines or more, none empty: origin, size, root")
    try:
        root = base64.b64decode(lines[2].encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        root = b""
    if len(root) != HASH_BYTES or base64.b64encode(root).decode() != lines[2]:
        raise LedgerBroken("checkpoint: the root is not the base64 of 32 bytes")
    return Checkpoint(lines[0], parse_number(lines[1], "checkpoint size"), root)


def parse_number(text: str, what: str) -> int:
    """An ASCII decimal without leading zeroes. Raises: LedgerBroken, naming `what`."""
    if not _NUMBER.fullmatch(text):
        raise LedgerBroken(f"{what}: not a plain decimal number")
    return int(text)
