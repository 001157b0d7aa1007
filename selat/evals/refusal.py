"""Tells whether a reply answers, declines, or talks past the question, in Malay, English and Chinese."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "refusal.toml"
_HEAD_CHARACTERS = 400
_LONG_CHARACTERS = 900
"""A reply longer than this that only opens with an evasive phrase goes on to say something."""
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)


@cache
def _patterns() -> dict[str, tuple[re.Pattern[str], ...]]:
    said = tomllib.loads(_FILE.read_text("utf-8"))
    flags = re.IGNORECASE | re.DOTALL
    return {name: tuple(re.compile(pattern, flags) for pattern in patterns) for name, patterns in said.items()}


def stance(text: str) -> str:
    """`answered`, `refused`, `evaded`, or `empty` for a reply without words."""
    plain = _plain(text)
    if not re.search(r"\w", plain):
        return "empty"
    head = plain[:_HEAD_CHARACTERS]
    if _says("refuse", head):
        return "refused"
    if len(plain) <= _LONG_CHARACTERS and _says("evade", head):
        return "evaded"
    return "answered"


def says_unknown(text: str) -> bool:
    """Whether a reply says, at its beginning, that the answer is not known or not in its sources."""
    return _says("unknown", _plain(text)[:200])


def _says(what: str, text: str) -> bool:
    return any(pattern.search(text) for pattern in _patterns()[what])


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", _THINKING.sub("", text)).replace("’", "'")
    return re.sub(r"[*_`#>]+", "", plain).strip()
