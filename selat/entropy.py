"""Fresh random bytes from the system, fetched for some forty requests at once: the call is what costs."""

from __future__ import annotations

import os
import struct
from collections import deque
from typing import Final

PIECE_BYTES: Final = 32
_CUT: Final = struct.Struct(f"{PIECE_BYTES}s" * 128)
_pieces: Final[deque[bytes]] = deque()
# A process that is forked off begins with pieces of its own.
os.register_at_fork(after_in_child=_pieces.clear)


def fresh_bytes(size_bytes: int) -> bytes:
    """So many bytes that nobody was given before. Any thread may ask: taking a piece is one step."""
    try:
        piece = _pieces.popleft()
    except IndexError:
        piece, *more = _CUT.unpack(os.urandom(_CUT.size))
        _pieces.extend(more)
    if size_bytes == PIECE_BYTES:
        return piece
    return piece[:size_bytes] if size_bytes < PIECE_BYTES else os.urandom(size_bytes)
