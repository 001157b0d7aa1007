"""Uploads as forms (multipart/form-data, RFC 7578), read as they come: files to disk, fields to short texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from python_multipart.exceptions import ParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from selat.core.errors import BadRequest

LONGEST_FIELD = 4096
MOST_PARTS = 100


class Form:
    """What a form held so far: `fields` by name, `files` as the name each was given and where it was written."""

    def __init__(self, boundary: bytes, draft: Callable[[], Path]) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[tuple[str, Path]] = []
        self._draft = draft
        self._headers: dict[bytes, bytes] = {}
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._name = ""
        self._text: bytearray | None = None
        self._file: IO[bytes] | None = None
        self._parts = 0
        self._whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._keep_header,
                "on_headers_finished": self._open,
                "on_part_data": self._take,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def feed(self, piece: bytes) -> None:
        """Raises: BadRequest, when this is no form."""
        try:
            self._parser.write(piece)
        except ParseError as error:
            raise BadRequest("the body is not a form as multipart/form-data writes it") from error

    def finish(self) -> None:
        """Raises: BadRequest, when the form was cut short."""
        if not self._whole:
            raise BadRequest("the form ends before its last boundary; send it whole")

    def close(self) -> None:
        """Let go of a file that is half written."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._headers = {}
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise BadRequest(f"a form holds at most {MOST_PARTS} parts; send the rest in another")

    def _keep_header(self) -> None:
        self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])
        self._header = (bytearray(), bytearray())

    def _open(self) -> None:
        said = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(said)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            path = self._draft()
            self.files.append((options[b"filename"].decode("utf-8", "replace"), path))
            self._file = path.open("wb")
        else:
            self._text = bytearray()

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > LONGEST_FIELD:
                raise BadRequest(f"a field holds at most {LONGEST_FIELD} bytes", param=self._name[:100])

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif self._text is not None:
            self.fields[self._name] = bytes(self._text).decode("utf-8", "replace")
            self._text = None

    def _finish(self) -> None:
        self._whole = True
