"""One spelling for the many ways a character is written, with the way back to the original offsets."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

# Characters that vanish: zero-width, soft hyphen, bidi marks, byte order mark, variation selectors.
_VANISH = "\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"
# Characters with a plain twin of the same length: full-width and mathematical letters and digits, digits of
# other scripts, dashes, spaces, quotes.
_TWINS = (
    "\u00a0\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u0be6-\u0bef\u2000-\u200a\u2010-\u2015\u2018\u2019\u201b"
    "\u2032\u202f\u205f\u2070-\u2079\u2080-\u2089\u2212\u2460-\u2468\u24b6-\u24ea\u3000\ufe52\ufe55\ufe58"
    "\ufe63\ufe6b\uff02-\uff0b\uff0d-\uff1a\uff20-\uff5e\U0001d400-\U0001d7ff"
)
_FIND_VANISH = re.compile(f"[{_VANISH}]")
_FIND_TWIN = re.compile(f"[{_TWINS}]")
_BY_HAND = dict.fromkeys("‐‑‒–—―−﹘﹣", "-") | dict.fromkeys("‘’‛′", "'") | {"\u24ea": "0"}


@cache
def _twin(char: str) -> str:
    if char in _BY_HAND:
        return _BY_HAND[char]
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 else char


@dataclass(frozen=True, slots=True)
class Normal:
    """Text as detectors read it. `starts[k]` of it came from `sources[k]` of the original, and on from there."""

    text: str
    starts: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that became characters `start` to `end`; start < end."""
        if not self.starts:
            return start, end
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1) - 1
        return start - self.starts[first] + self.sources[first], end - self.starts[last] + self.sources[last]


def normalise(text: str) -> Normal:
    """Replace character by character, so that offsets stay, save where characters vanish altogether."""
    if text.isascii():
        return Normal(text)
    if _FIND_TWIN.search(text):
        text = _FIND_TWIN.sub(lambda match: _twin(match[0]), text)
    if not _FIND_VANISH.search(text):
        return Normal(text)
    pieces, starts, sources = [], [], []
    length = at = 0
    for match in _FIND_VANISH.finditer(text):
        if match.start() > at:
            pieces.append(text[at : match.start()])
            starts.append(length)
            sources.append(at)
            length += match.start() - at
        at = match.end()
    if at < len(text):
        pieces.append(text[at:])
        starts.append(length)
        sources.append(at)
    return Normal("".join(pieces), tuple(starts), tuple(sources))
