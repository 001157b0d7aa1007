"""One journal file under its writer's lock: while the lock is held, the writer lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from selat import durable
from selat.core.errors import LedgerBroken
from selat.ledger import frame, points
from selat.ledger.frame import Cursor

SUFFIX = ".journal"
ROOM_BYTES = 256 * 1024
_ROOM = bytes(ROOM_BYTES)


class Altered(LedgerBroken):
    """Another hand cut, extended or removed a segment that is being written: `found` bytes, not `written`."""

    def __init__(self, name: str, found: int, written: int) -> None:
        super().__init__(f"another hand changed {name}: it has {found} bytes, {written} were written")
        self.name, self.found, self.written = name, found, written


class Segment:
    """A journal file being written. Everything before `durable` is on disk and may be acknowledged.

    The file is filled with zeros ahead of its records: fdatasync then has no new size or block to commit beside
    the bytes, which takes most of the long waits out of it (bench/ledger.py). What is left over is cut at the end.
    A segment begins with such room: on a disk nearly full, none is made that would refuse its first entries. And
    room comes before the records that need it: a disk that is full says so while none of them is in the file.
    """

    def __init__(self, path: Path, fd: int, at: Cursor, room_bytes: int) -> None:
        self.path, self._fd, self.durable = path, fd, at
        self._size = self._place = at.offset + room_bytes

    @property
    def filled(self) -> int:
        """Bytes of records in it."""
        return self.durable.offset - frame.HEADER_BYTES

    @classmethod
    def make(cls, path: Path, room_bytes: int = ROOM_BYTES) -> Segment:
        """Create, lock, and make durable a segment of room alone. Raises: OSError; nothing stays behind then.

        It gets its name only once it is locked and whole: under that name it is never seen unlocked and alive.
        """
        temp = path.with_name(f".{path.name}")
        fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = frame.header(secrets.token_bytes(16))
            durable.write_all(fd, head + bytes(room_bytes))
            os.fsync(fd)
            temp.rename(path)
            durable.sync([path.parent])
        except OSError:
            os.close(fd)
            temp.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        points.reached("journal.segment-made")
        at = frame.start(head)
        assert at is not None
        return cls(path, fd, at, room_bytes)

    def commit(self, bodies: list[bytes]) -> None:
        """Append records and make them durable, all or (as far as anyone is told) none.

        After an error the segment must be abandoned. Raises: Unwritten, when none of them was ever in the file, so
        no reader has taken one; OSError for all else: what a failed write or fsync left there is unknown.
        """
        offset, chain = self.durable
        state = os.fstat(self._fd)
        if state.st_size != self._size or state.st_nlink == 0:
            raise Altered(self.path.name, 0 if state.st_nlink == 0 else state.st_size, offset)
        data, chain = frame.frames(bodies, chain)
        end = offset + len(data)
        if end > self._size:
            self._make_room(end + ROOM_BYTES)
        if self._place != offset:
            os.lseek(self._fd, offset, os.SEEK_SET)
        try:
            durable.write_all(self._fd, data)
        except OSError as error:
            # A file system that copies what is overwritten may lack room even for that. Its place tells all.
            if error.errno in durable.NO_ROOM and os.lseek(self._fd, 0, os.SEEK_CUR) == offset:
                raise durable.Unwritten(error.errno, error.strerror) from error
            raise
        self._place = end
        points.reached("journal.written")
        durable.data_sync(self._fd)
        points.reached("journal.synced")
        self.durable = Cursor(end, chain)

    def _make_room(self, size: int) -> None:
        """Fill the file with zeros up to `size`. Raises: Unwritten."""
        left = size - self._size
        try:
            if self._place != self._size:
                os.lseek(self._fd, self._size, os.SEEK_SET)
            while left > 0:
                durable.write_all(self._fd, _ROOM[:left])
                left -= ROOM_BYTES
        except OSError as error:
            raise durable.Unwritten(error.errno, error.strerror) from error
        self._place = self._size = size
        points.reached("journal.room-made")

    def abandon(self) -> None:
        """Cut off what was never acknowledged, where the disk still allows it, and let go."""
        try:
            if os.fstat(self._fd).st_size > self.durable.offset:
                os.ftruncate(self._fd, self.durable.offset)
        except OSError:
            # Nothing is lost: the surplus was never acknowledged, and its reader treats it as a torn tail.
            pass
        finally:
            self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Not where another hand cut it: what is missing there must show.
            if self._size > self.durable.offset and os.fstat(self._fd).st_size == self._size:
                os.ftruncate(self._fd, self.durable.offset)
        os.close(self._fd)


def is_held(fd: int) -> bool:
    """Whether a writer holds the segment open at `fd`; if not, what is then read to its end is all of it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
