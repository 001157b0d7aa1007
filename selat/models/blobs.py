"""Files by the SHA-256 of their content: each once, read-only, with a seal that tells if it was touched."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from selat.core.errors import ModelRefused, NotFound
from selat.durable import make_folder, sync
from selat.models.files import held, told_if_full
from selat.models.reading import FileReading, Reading

CHUNK_BYTES = 1 << 20


class Taken(NamedTuple):
    """What a file turned out to be when it was taken in."""

    digest: str
    size_bytes: int


class Stored(NamedTuple):
    """A file that is kept: how long ago it came, in seconds, and its size."""

    digest: str
    age_s: float
    size_bytes: int


class Blobs:
    """A folder of `sha256/ab/abcd…`, each with a `.seal`: change time, inode and size when it was hashed.

    A file is under its name only when it is whole and its content had that digest. Whoever reads asks `whole`,
    which costs a stat while the seal fits, and a hash of the file when it does not.
    """

    remote = ""
    """Where else than on this machine the files lie; "" for nowhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sha256"
        self.partial = folder / "partial"

    def make(self) -> None:
        """Make the folders. Raises: OSError."""
        make_folder(self.folder)
        make_folder(self.partial)

    def path(self, digest: str) -> Path:
        """Where the file of that digest lies, or would."""
        return self.folder / digest[:2] / digest

    def whole(self, digest: str) -> bool:
        """Whether the file is kept with the content that it had. Raises: OSError."""
        return self.here(digest)

    def here(self, digest: str) -> bool:
        """Whether the file is on this machine with the content that it had. Raises: OSError."""
        path = self.path(digest)
        seen = _seen(path)
        if seen is None:
            return False
        if _read_seal(path) == seen:
            return True
        if digest_file(path) != digest or _seen(path) != seen:
            return False
        self._seal(path)
        return True

    def size(self, digest: str) -> int | None:
        """The bytes of a file that is there; None for none."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def local(self, digest: str) -> Path:
        """A path on this machine where the file lies, for programs that open it; it was found `whole` before."""
        return self.path(digest)

    def reading(self, digest: str, start: int, end: int) -> Reading:
        """The bytes from `start` to before `end` of a file that was found `whole` before. Raises: OSError."""
        return FileReading(self.path(digest), start, end)

    def need_bytes(self, sizes: list[int], at_once: int) -> int:
        """The room on this machine that files of these sizes take to come, so many of them at once."""
        return sum(sizes)

    def rehash(self, digest: str, told: Callable[[int], None] = lambda size_bytes: None) -> str:
        """`whole`, `changed` or `missing`, by reading every byte; a changed one loses its seal.

        `told` hears of bytes as they are read, and may end it by raising.
        """
        path = self.path(digest)
        if _seen(path) is None:
            return "missing"
        if digest_file(path, told) == digest:
            self._seal(path)
            return "whole"
        _seal_of(path).unlink(missing_ok=True)
        return "changed"

    def take(self, source: Path) -> Taken:
        """Copy a file in, hashed as it is read. Raises: OSError; Unavailable, when the disk is full."""
        made = self.partial / f"take.{os.getpid()}.{time.monotonic_ns()}"
        digest, size = hashlib.sha256(), 0
        try:
            with told_if_full(self.folder), source.open("rb") as read, made.open("wb") as write:
                while piece := read.read(CHUNK_BYTES):
                    digest.update(piece)
                    write.write(piece)
                    size += len(piece)
            self.keep(made, digest.hexdigest())
        finally:
            made.unlink(missing_ok=True)
        return Taken(digest.hexdigest(), size)

    def take_bytes(self, data: bytes) -> Taken:
        """Take in a small content. Raises: OSError; Unavailable, when the disk is full."""
        made = self.partial / f"take.{os.getpid()}.{time.monotonic_ns()}"
        digest = hashlib.sha256(data).hexdigest()
        try:
            with told_if_full(self.folder):
                made.write_bytes(data)
            self.keep(made, digest)
        finally:
            made.unlink(missing_ok=True)
        return Taken(digest, len(data))

    def keep(self, made: Path, digest: str) -> None:
        """Move a whole file, written under `partial` and hashed by the caller, to its name; durable in the end.

        One that is there already stays: whoever has it open or sealed is not disturbed.
        """
        path = self.path(digest)
        with told_if_full(self.folder):
            make_folder(path.parent)
            made.chmod(0o444)
            sync([made])
            with held(self.folder / "lock", alone=True):
                if self.here(digest):
                    made.unlink()
                    return
                made.rename(path)
                sync([path.parent])
                self._seal(path)

    def read(self, digest: str, limit_bytes: int = 64 << 20) -> bytes:
        """A small file whole. Raises: NotFound; ModelRefused, when it is over the limit."""
        path = self.path(digest)
        try:
            if path.stat().st_size > limit_bytes:
                raise ModelRefused(
                    f"a file of {path.stat().st_size} bytes is not read whole; the limit is {limit_bytes}"
                )
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"no file of digest {digest[:16]} is kept") from error

    def digests(self) -> Iterator[str]:
        """Every file that is there, in no order."""
        for one in self.stored():
            yield one.digest

    def stored(self) -> Iterator[Stored]:
        """Every file that is there, with its age, in no order."""
        for path in self.folder.glob("??/" + "?" * 64):
            yield Stored(path.name, self.age_s(path), path.stat().st_size)

    def remove(self, digest: str) -> int:
        """The bytes that were freed."""
        path = self.path(digest)
        _seal_of(path).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            return size
        return 0

    def clear(self, path: Path) -> int:
        """Remove what an interrupted pull left under `partial`; the bytes that were freed."""
        size = path.stat().st_size
        path.unlink()
        return size

    def age_s(self, path: Path) -> float:
        """Seconds since a file was last written or moved; 0 for none."""
        try:
            return max(0.0, time.time() - path.stat().st_ctime)
        except FileNotFoundError:
            return 0.0

    def _seal(self, path: Path) -> None:
        """Not made durable: without a seal the file is hashed again."""
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        fresh.write_bytes(msgspec.json.encode(_seen(path)))
        fresh.rename(_seal_of(path))


def digest_file(path: Path, told: Callable[[int], None] = lambda size_bytes: None) -> str:
    """SHA-256 in hex; `told` hears of bytes as they are read. Raises: OSError."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
            told(size)
    return digest.hexdigest()


def _seal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def _seen(path: Path) -> list[int] | None:
    """Change time, inode and size: a program can set a file's time of writing, but not that of its change."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return [stat.st_ctime_ns, stat.st_ino, stat.st_size]


def _read_seal(path: Path) -> list[int] | None:
    try:
        return msgspec.json.decode(_seal_of(path).read_bytes(), type=list[int])
    except (FileNotFoundError, msgspec.DecodeError):
        return None
