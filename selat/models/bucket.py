"""Files by their SHA-256 in a bucket, with a bounded folder in front of it for those that this machine opens."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.filesize import decimal

from selat.core.errors import ModelBroken, ModelRefused, NotFound, Unavailable
from selat.durable import make_folder
from selat.models.blobs import CHUNK_BYTES, Blobs, Stored
from selat.models.files import hold_part, told_if_full
from selat.models.reading import FileReading, ObjectReading, Reading
from selat.s3 import Client, Seen, abort, upload

KEEP_FRESH_S = 3600.0
"""Files of no record stay so long in the bucket whatever `gc` is told: another machine may be taking them in."""
RECENT_S = 60.0
"""A copy that was asked for so lately is not thrown away: whoever asked may not have opened it yet."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A bucket that several machines keep their models in. `title` names it for people.

    `cache_bytes` bounds what this machine copies of it; `named` says whether an engine names a path.
    """

    client: Client
    title: str
    cache_bytes: int
    named: Callable[[str], bool] = lambda path: False


class BucketBlobs(Blobs):
    """Objects `sha256/ab/abcd…` in a bucket; the folder holds copies, and what is on its way.

    A file is verified before a byte of it goes to the bucket. The bucket's own mark of a content (ETag) is noted
    on this machine when it was put or read whole, and each use asks whether it is still that: an object that was
    replaced since is read again before it counts. A copy is verified as it comes.
    """

    def __init__(self, folder: Path, shared: Shared, used: Callable[[], set[str]]) -> None:
        super().__init__(folder)
        self.remote = shared.title
        self._client, self._limit, self._used = shared.client, shared.cache_bytes, used

    def whole(self, digest: str) -> bool:
        """Whether the bucket has it. Raises: Unavailable."""
        seen = self._client.head(_name(digest))
        if seen is None:
            return False
        return self._noted(digest) == seen or self._read_again(digest, seen)

    def size(self, digest: str) -> int | None:
        seen = self._client.head(_name(digest))
        return None if seen is None else seen.size_bytes

    def rehash(self, digest: str, told: Callable[[int], None] = lambda size_bytes: None) -> str:
        seen = self._client.head(_name(digest))
        if seen is None:
            return "missing"
        self._note_of(digest).unlink(missing_ok=True)
        return "whole" if self._read_again(digest, seen, told) else "changed"

    def keep(self, made: Path, digest: str) -> None:
        """Put a whole file into the bucket, and keep it as a copy while there is room.

        Killed in between, the same file goes on where it was. Raises: Unavailable; OSError.
        """
        with told_if_full(self.folder):
            make_folder(self.path(digest).parent)
            if not self.whole(digest):
                upload(self._client, _name(digest), made)
                if seen := self._client.head(_name(digest)):
                    self._note(digest, seen)
        super().keep(made, digest)
        self.trim()

    def need_bytes(self, sizes: list[int], at_once: int) -> int:
        """What has gone to the bucket may be thrown away here."""
        return sum(sorted(sizes)[-at_once:])

    def local(self, digest: str) -> Path:
        """A copy on this machine, fetched and verified where there is none.

        Raises: Unavailable; ModelBroken, where the bucket has another content.
        """
        if not self.here(digest):
            self._fetch(digest)
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._note_of(digest))
        return self.path(digest)

    def reading(self, digest: str, start: int, end: int) -> Reading:
        """From the copy, where there is one; else as the bucket sends it."""
        if self.here(digest):
            return FileReading(self.path(digest), start, end)
        noted = self._noted(digest)
        return ObjectReading(self._client, _name(digest), noted.etag if noted else "", (start, end))

    def read(self, digest: str, limit_bytes: int = 64 << 20) -> bytes:
        if self.here(digest):
            return super().read(digest, limit_bytes)
        size = self.size(digest)
        if size is None:
            raise NotFound(f"no file of digest {digest[:16]} is kept")
        if size > limit_bytes:
            raise ModelRefused(f"a file of {size} bytes is not read whole; the limit is {limit_bytes}")
        content = self._client.get(_name(digest))
        if hashlib.sha256(content).hexdigest() != digest:
            raise ModelBroken(f"{self.remote}: the object of digest {digest[:16]} has another content")
        return content

    def stored(self) -> Iterator[Stored]:
        """Fresh ones have no age yet: see KEEP_FRESH_S."""
        for one in self._client.each("sha256/"):
            age = max(0.0, time.time() - one.modified)
            yield Stored(one.name.rpartition("/")[2], age if age >= KEEP_FRESH_S else -1.0, one.size_bytes)

    def remove(self, digest: str) -> int:
        size = self.size(digest) or 0
        self._client.delete(_name(digest))
        self._note_of(digest).unlink(missing_ok=True)
        super().remove(digest)
        return size

    def clear(self, path: Path) -> int:
        """What an upload had sent is ended on the server too; where that fails, by the bucket's own rule."""
        if path.name.endswith(".upload"):
            with contextlib.suppress(Unavailable):
                abort(self._client, path)
        return super().clear(path) if path.exists() else 0

    def trim(self, room_bytes: int = 0) -> None:
        """Throw copies away until `room_bytes` more fit, used longest ago first; none that an engine names."""
        copies = [(one, one.stat()) for one in self.folder.glob("??/" + "?" * 64)]
        over = sum(stat.st_size for _, stat in copies) + room_bytes - self._limit
        if over <= 0:
            return
        used, now = self._used(), time.time()
        for path, stat in sorted(copies, key=lambda copy: self._last_used(copy[0])):
            if over > 0 and path.name not in used and now - self._last_used(path) >= RECENT_S:
                super().remove(path.name)
                over -= stat.st_size

    def _fetch(self, digest: str) -> None:
        self.make()
        with hold_part(self.partial / digest) as file:
            if self.here(digest):
                (self.partial / digest).unlink(missing_ok=True)
                return
            seen = self._client.head(_name(digest))
            if seen is None:
                raise ModelBroken(f"{self.remote} has no object of digest {digest[:16]}; pull the model again")
            self._make_room(seen.size_bytes)
            file.seek(0)
            found = hashlib.sha256()
            while piece := file.read(CHUNK_BYTES):
                found.update(piece)
            reading = ObjectReading(self._client, _name(digest), seen.etag, (file.tell(), seen.size_bytes))
            try:
                with told_if_full(self.folder):
                    while file.tell() < seen.size_bytes and (piece := reading.read(CHUNK_BYTES)):
                        file.write(piece)
                        found.update(piece)
            except (ConnectionError, TimeoutError) as error:
                raise Unavailable(f"{self.remote}: the object store broke off; try again, it goes on") from error
            finally:
                reading.close()
            if found.hexdigest() != digest:
                (self.partial / digest).unlink(missing_ok=True)
                raise ModelBroken(f"{self.remote}: the object of digest {digest[:16]} has another content")
            self._note(digest, seen)
            super().keep(self.partial / digest, digest)

    def _make_room(self, size_bytes: int) -> None:
        if size_bytes > self._limit:
            raise Unavailable(
                f"a file of {decimal(size_bytes)} does not fit into the cache of {decimal(self._limit)}: "
                "raise the setting model_cache_mb"
            )
        self.trim(size_bytes)
        free = shutil.disk_usage(self.folder).free
        if size_bytes > free:
            raise Unavailable(
                f"the disk of {self.folder} has {decimal(free)} free, and {decimal(size_bytes)} come"
            )

    def _read_again(self, digest: str, seen: Seen, told: Callable[[int], None] = lambda size_bytes: None) -> bool:
        """Read all of an object; noted where it is what its name says."""
        found = hashlib.sha256()
        reading = ObjectReading(self._client, _name(digest), seen.etag, (0, seen.size_bytes))
        left = seen.size_bytes
        try:
            while left and (piece := reading.read(CHUNK_BYTES)):
                found.update(piece)
                left -= len(piece)
                told(len(piece))
        except OSError as error:
            raise Unavailable(f"{self.remote}: the object store broke off: {error}") from error
        finally:
            reading.close()
        if found.hexdigest() != digest:
            return False
        self._note(digest, seen)
        return True

    def _note_of(self, digest: str) -> Path:
        return self.path(digest).with_name(f"{digest}.etag")

    def _noted(self, digest: str) -> Seen | None:
        try:
            return msgspec.json.decode(self._note_of(digest).read_bytes(), type=Seen)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _note(self, digest: str, seen: Seen) -> None:
        """Not made durable: without a note the object is read again."""
        make_folder(self._note_of(digest).parent)
        fresh = self._note_of(digest).with_name(f"{digest}.etag.{os.getpid()}.new")
        fresh.write_bytes(msgspec.json.encode(seen))
        fresh.rename(self._note_of(digest))

    def _last_used(self, path: Path) -> float:
        try:
            return path.with_name(f"{path.name}.etag").stat().st_mtime
        except FileNotFoundError:
            return 0.0


def _name(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest}"
