"""A stretch of a file's bytes, read in order: from this machine's disk, or as an object store sends them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from selat.core.errors import Unavailable
from selat.s3 import Body, Changed, Client

TRIES = 4
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class Reading(Protocol):
    """Bytes in order until the end that was asked for. `read` waits for a disk or a network; `at_hand` never."""

    def at_hand(self, size_bytes: int) -> bytes:
        """What is in memory now, b"" for nothing."""
        ...

    def read(self, size_bytes: int) -> bytes:
        """The next at most so many bytes; b"" only where the file ends early. Raises: OSError."""
        ...

    def close(self) -> None: ...


class FileReading:
    """A file of this machine. Raises: OSError."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._offset, self._end = start, end
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def at_hand(self, size_bytes: int) -> bytes:
        """b"", too, where the system cannot say what is in memory."""
        if _NOWAIT is None:
            return b""
        buffer = bytearray(min(size_bytes, self._end - self._offset))
        try:
            read = os.preadv(self._descriptor, [buffer], self._offset, _NOWAIT)
        except OSError:
            return b""
        self._offset += read
        return bytes(memoryview(buffer)[:read])

    def read(self, size_bytes: int) -> bytes:
        data = os.pread(self._descriptor, min(size_bytes, self._end - self._offset), self._offset)
        self._offset += len(data)
        return data

    def send(self, descriptor: int, size_bytes: int) -> int:
        """Have the kernel send the next at most so many bytes to a socket that does not block.

        0 only where the file ends early; it may wait for the disk. Raises: BlockingIOError, while the socket takes
        nothing; OSError.
        """
        sent = os.sendfile(descriptor, self._descriptor, self._offset, min(size_bytes, self._end - self._offset))
        self._offset += sent
        return sent

    def close(self) -> None:
        os.close(self._descriptor)


class ObjectReading:
    """An object of that ETag. A connection that breaks is made again, from where it was.

    Raises: FileNotFoundError; Unavailable; OSError, where the object was replaced since.
    """

    def __init__(self, client: Client, name: str, etag: str, part: tuple[int, int]) -> None:
        self._client, self._name, self._etag = client, name, etag
        self._offset, self._end = part
        self._body: Body | None = None

    def at_hand(self, size_bytes: int) -> bytes:
        return b""

    def read(self, size_bytes: int) -> bytes:
        wanted = min(size_bytes, self._end - self._offset)
        for turn in range(TRIES):
            try:
                if self._body is None:
                    self._body = self._client.open(self._name, self._offset, self._end, self._etag)
                data = self._body.read(wanted)
                self._offset += len(data)
                return data
            except (Changed, Unavailable) as error:
                raise OSError(str(error)) from error
            except (ConnectionError, TimeoutError):
                self._drop()
                if turn == TRIES - 1:
                    raise
        return b""

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
