"""Cuts the text of a Cedar file into its policies, so that an error can name a line and a policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;|\n|.', re.DOTALL)
_ID = re.compile(r'@id\s*\(\s*"((?:\\.|[^"\\])*)"')


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of one policy, from its first annotation to its semicolon; `line` counts from 1."""

    text: str
    line: int

    @property
    def id(self) -> str:
        """The value of `@id` as written, or "" where there is none."""
        found = _ID.search(self.text)
        return found[1] if found else ""


def statements(text: str) -> Iterator[Statement]:
    """The policies of a Cedar text in order; a last one without its semicolon is given as it stands.

    Semicolons inside strings and comments do not count. Comments before a policy are dropped.
    """
    held: list[str] = []
    line = start = 1
    for piece in _TOKEN.findall(text):
        if piece.startswith("//"):
            continue
        if not held and piece.isspace():
            line += piece == "\n"
            continue
        if not held:
            start = line
        held.append(piece)
        line += piece.count("\n")
        if piece == ";":
            yield Statement("".join(held), start)
            held = []
    if held:
        yield Statement("".join(held), start)
