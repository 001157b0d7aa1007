"""Fetching one file: hashed as it streams, going on after an interruption, in the store only when right."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from selat.core.errors import ModelRefused, SourceFailed
from selat.models.blobs import Blobs
from selat.models.files import hold_part, told_if_full
from selat.models.kinds import HEAD_BYTES, check_content, check_head
from selat.models.offer import Source, Stream, Wanted
from selat.models.record import ModelFile
from selat.models.web import Gone, RangeNotSatisfiable

BUFFER_BYTES = 1 << 20
TRIES = 6
"""Times in a row that a connection may break without a byte of progress."""
WAIT_S = 0.25
MOST_UNKNOWN_BYTES = 1 << 40


class Stopped(SourceFailed):
    """Another file of the same pull failed, so this one was left where it was."""


class Fetch:
    """Brings files of one source into the store.

    `told` hears of each byte once, and of fewer where bytes are thrown away; `stop` ends all files of a pull.
    """

    def __init__(self, blobs: Blobs, source: Source, told: Callable[[int], None], stop: Event) -> None:
        self._blobs, self._source, self._told, self._stop = blobs, source, told, stop

    def file(self, wanted: Wanted) -> ModelFile:
        """The file, in the store whole. One that another process fetches just now is waited for.

        Raises: ModelRefused, for another digest, size or kind than stated; SourceFailed; Unavailable (disk full).
        """
        if found := self._found(wanted):
            return found
        part = self._blobs.partial / (wanted.sha256 or f"git-{wanted.git_sha1}")
        with hold_part(part) as file:
            if found := self._found(wanted):
                part.unlink(missing_ok=True)
                return found
            return self._into(file, part, wanted)

    def _found(self, wanted: Wanted) -> ModelFile | None:
        if not wanted.sha256 or not self._blobs.whole(wanted.sha256):
            return None
        size = self._blobs.size(wanted.sha256) or 0
        self._told(size)
        return ModelFile(wanted.path, wanted.sha256, size)

    def _into(self, file: BinaryIO, part: Path, wanted: Wanted) -> ModelFile:
        kept = os.fstat(file.fileno()).st_size
        size = 0
        with Hasher(wanted) as hasher:
            try:
                size = self._whole(file, wanted, hasher)
                if kept and not hasher.right(size):
                    # What an earlier run left may be damaged: once more, from the beginning.
                    self._cut(file, hasher, size)
                    size = self._whole(file, wanted, hasher)
                if not hasher.right(size):
                    raise ModelRefused(
                        f"'{wanted.path}' has not the digest that its source states ({size} bytes came); "
                        "it was not kept"
                    )
                check_content(wanted.path, part)
            except ModelRefused:
                part.unlink(missing_ok=True)
                self._told(-size)
                raise
            digest = hasher.sha256
        self._blobs.keep(part, digest)
        return ModelFile(wanted.path, digest, size)

    def _whole(self, file: BinaryIO, wanted: Wanted, hasher: Hasher) -> int:
        """Go on from what `file` holds until the end, through interruptions; the size that it then has."""
        size = self._catch_up(file, hasher)
        failures = 0
        while True:
            before = size
            try:
                if wanted.size_bytes is None or size < wanted.size_bytes:
                    with closing(self._source.open(wanted, size)) as stream:
                        if stream.start != size:
                            size = self._cut(file, hasher, size)
                        self._stream(stream, file, wanted, hasher)
                hasher.wait()
                return os.fstat(file.fileno()).st_size
            except RangeNotSatisfiable:
                if wanted.size_bytes is None:
                    return size
                size = self._cut(file, hasher, size)
            except Gone as error:
                hasher.wait()
                size = os.fstat(file.fileno()).st_size
                failures = 1 if size > before else failures + 1
                if failures >= TRIES or self._stop.wait(WAIT_S * 2 ** (failures - 1)):
                    raise SourceFailed(
                        f"'{wanted.path}': {error}; start again, and it goes on from here"
                    ) from error

    def _stream(self, stream: Stream, file: BinaryIO, wanted: Wanted, hasher: Hasher) -> None:
        """One connection: this thread reads and writes while another hashes the piece before."""
        size = os.fstat(file.fileno()).st_size
        most = MOST_UNKNOWN_BYTES if wanted.size_bytes is None else wanted.size_bytes
        for buffer in cycle([memoryview(bytearray(BUFFER_BYTES)), memoryview(bytearray(BUFFER_BYTES))]):
            read = stream.readinto(buffer)
            if not read:
                return
            if self._stop.is_set():
                raise Stopped("stopped")
            piece = buffer[:read]
            if size + read > most:
                raise ModelRefused(f"'{wanted.path}' is longer than its source states; it was not kept")
            if size == 0:
                check_head(wanted.path, bytes(piece[:HEAD_BYTES]))
            with told_if_full(self._blobs.folder):
                _write(file, piece)
            hasher.update(piece)
            size += read
            self._told(read)

    def _catch_up(self, file: BinaryIO, hasher: Hasher) -> int:
        """Hash what an earlier run left; its size."""
        hasher.restart()
        file.seek(0)
        size = 0
        while piece := file.read(BUFFER_BYTES):
            hasher.update(memoryview(piece))
            size += len(piece)
            self._told(len(piece))
        return size

    def _cut(self, file: BinaryIO, hasher: Hasher, size: int) -> int:
        """Begin again from nothing; the size that is left: 0."""
        hasher.restart()
        file.truncate(0)
        self._told(-size)
        return 0


class Hasher:
    """SHA-256, and Git's SHA-1 where the source states only that; one thread hashes while another reads on."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(1, "hash")
        self._busy: Future[None] | None = None
        self.restart()

    def __enter__(self) -> Hasher:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def restart(self) -> None:
        self.wait()
        self._sha256 = hashlib.sha256()
        self._sha1: Any = None
        if self._wanted.git_sha1:
            # Git's name of a blob; its size stands before the content.
            self._sha1 = hashlib.sha1(b"blob %d\0" % (self._wanted.size_bytes or 0), usedforsecurity=False)

    def update(self, piece: memoryview) -> None:
        """Hash in the other thread, after the piece before; this one must stay as it is until the next call."""
        self.wait()
        self._busy = self._pool.submit(self._hash, piece)

    def wait(self) -> None:
        """Until all that was given is hashed."""
        if self._busy is not None:
            self._busy.result()
            self._busy = None

    @property
    def sha256(self) -> str:
        self.wait()
        return self._sha256.hexdigest()

    def right(self, size_bytes: int) -> bool:
        """Whether all of it is what the source states."""
        wanted = self._wanted
        if wanted.size_bytes not in (None, size_bytes):
            return False
        if wanted.sha256:
            return self.sha256 == wanted.sha256
        self.wait()
        return self._sha1 is not None and self._sha1.hexdigest() == wanted.git_sha1

    def _hash(self, piece: memoryview) -> None:
        self._sha256.update(piece)
        if self._sha1 is not None:
            self._sha1.update(piece)


def _write(file: BinaryIO, piece: memoryview) -> None:
    while piece:
        piece = piece[file.write(piece) :]
