"""The head that an engine's answers have again and again: known once, its bytes need no parser any more."""

from __future__ import annotations

import time
from typing import Final

HEAD_ENDS: Final = b"\r\n\r\n"

_LONGEST_BYTES = 4096
_MOST_A_SECOND = 8
_PAUSE_S = 60.0


class UsualHead:
    """What a plain answer's head was last, but for the digits of its length; shared by an engine's connections.

    `form` is the head without its empty line, with `%d` for those digits, or None while there is none: what
    equals `form % length` the parser took before, and it means the same again. Only the digits may be others, and
    only as that length is written. A head with a date is another once a second; an engine that says something
    else in each answer (an id, say) is left alone for a minute after a few, since learning would be for nothing.
    """

    def __init__(self) -> None:
        self.form: bytes | None = None
        self.content_type = ""
        self._counted_until = 0.0
        self._learnt = 0

    def learn(self, data: bytes, body: bytes, content_type: str) -> None:
        """The parser took `data`, a whole answer, and found status 200, `body` and that the connection is kept."""
        head, _, rest = data.partition(HEAD_ENDS)
        if rest != body or not body or len(head) > _LONGEST_BYTES or not head.startswith(b"HTTP/1.1 200 "):
            return
        form = _form(head, b"%d" % len(body))
        if form is None or self._too_often():
            self.form = None
        else:
            self.form, self.content_type = form, content_type

    def _too_often(self) -> bool:
        now = time.monotonic()
        if now >= self._counted_until:
            self._counted_until = now + 1.0
            self._learnt = 0
        self._learnt += 1
        if self._learnt == _MOST_A_SECOND:
            self._counted_until = now + _PAUSE_S
        return self._learnt >= _MOST_A_SECOND


def _form(head: bytes, digits: bytes) -> bytes | None:
    """`head` with `%d` in the place of its length; None where it is not told in exactly one line."""
    lines = head.replace(b"%", b"%%").split(b"\r\n")
    places = [place for place, line in enumerate(lines) if line.lower().startswith(b"content-length:")]
    if len(places) != 1:
        return None
    name, _, value = lines[places[0]].partition(b":")
    if value.strip(b" \t") != digits:
        return None
    lines[places[0]] = name + b":" + value.replace(digits, b"%d")
    return b"\r\n".join(lines)
