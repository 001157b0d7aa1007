"""Texts as lists of words for comparing: Chinese by the character, everything else by the blank."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[一-鿿]|[^\s一-鿿]+")


def words_of(text: str) -> list[str]:
    return _PIECE.findall(text)
