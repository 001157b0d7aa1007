"""A head that a connection has sent before: the same bytes mean the same, so no parser reads them again."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from selat.gateway.http import Request

if TYPE_CHECKING:
    from selat.gateway.connection import Connection

MAX_KEPT_BYTES = 4096
"""Longer heads are not kept: a worker holds thousands of connections."""

_LENGTH = rb"[1-9][0-9]{0,7}"
"""A body's length as nearly all write it. Whatever else may stand for one is for the parser to read."""
_length = re.compile(_LENGTH)
_PLAIN = re.compile(
    rb"(POST [^ \r\n]+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*?content-length:[ \t]*)(%b)(\r\n(?:[^\r\n]+\r\n)*\r\n)"
    % _LENGTH,
    re.IGNORECASE,
)
_OTHERWISE = (b"expect", b"transfer-encoding", b"upgrade")
"""Headers by which what follows a head is more than so many bytes."""


class Head:
    """A head that the parser took, without the digits of its content-length, in which the next may differ.

    Clients on a kept connection send the same head with each request. `noted` is for whoever answers: what it made
    of this head (who asks, for what purpose, under which label) may be kept there, for as long as the connection
    sends nothing else. It is beside the head, never a part of it: who notes must see to it that what was noted
    still holds, a key that was revoked above all.
    """

    def __init__(self, before: bytes, after: bytes, request: Request) -> None:
        self._before, self._after = before, after
        self._before_bytes, self._after_bytes = len(before), len(after)
        self._path, self._query, self._headers = request.path, request.query, request.headers
        self.noted: object | None = None

    def again(self, connection: Connection, data: bytes) -> Request | None:
        """The request that these bytes are, if they are this head and nothing after its body; else None.

        What has not come of the body yet is the request's `unparsed_bytes`.
        """
        length = _length.match(data, self._before_bytes)
        if length is None or not data.startswith(self._before):
            return None
        end = length.end()
        if not data.startswith(self._after, end):
            return None
        size, body = length[0], data[end + self._after_bytes :]
        size_bytes, came_bytes = int(size), len(body)
        if came_bytes > size_bytes:
            return None
        headers = self._headers.copy()
        headers[b"content-length"] = size
        request = Request(connection, headers, [body] if body else [])
        request.arrived, request.head_kept = time.monotonic(), self
        request.method, request.path, request.query = "POST", self._path, self._query
        request.size_bytes = came_bytes
        request.unparsed_bytes = size_bytes - came_bytes
        request.complete = came_bytes == size_bytes
        request.keep_alive = True
        return request

    def same_as(self, other: Head) -> bool:
        return (self._before, self._after) == (other._before, other._after)


def keepable(data: bytes, request: Request) -> Head | None:
    """The head to keep of a request that the parser took from these bytes alone, one read that begins with it.

    None, where the next of the same bytes could mean something else or more than its body followed.
    """
    plain = _PLAIN.match(data, 0, MAX_KEPT_BYTES)
    if plain is None or not request.keep_alive or any(name in request.headers for name in _OTHERWISE):
        return None
    before, size, after = plain.groups()
    if request.headers.get(b"content-length") != size or plain.end() + int(size) < len(data):
        return None
    return Head(before, after, request)
