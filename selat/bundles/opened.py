"""A bundle on a disk, a folder or a tar, read in one pass: nothing is believed before it was hashed."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from selat.bundles.cover import COVER, Cover, parse_cover
from selat.bundles.cover import MAX_BYTES as MAX_COVER_BYTES
from selat.bundles.manifest import MANIFEST, Item, Manifest, parse_manifest
from selat.bundles.manifest import MAX_BYTES as MAX_MANIFEST_BYTES
from selat.core.errors import BundleBroken, Misused
from selat.core.note import VerifierKey

BLOCK = 512
TAIL = bytes(2 * BLOCK)
PIECE_BYTES = 1 << 20
SMALL_BYTES = 64 << 20


class Place(Protocol):
    """Where the files of a bundle lie. `lay` hears what is in it before any other file is read."""

    def small(self, path: str, limit_bytes: int) -> bytes: ...
    def lay(self, manifest: Manifest, first: Sequence[tuple[str, int]]) -> None: ...
    def pieces(self, item: Item) -> Iterator[memoryview]: ...
    def close(self) -> None: ...


class Opened:
    """A bundle whose cover and manifest were read. With `keys` it is signed; without, nothing is believed."""

    def __init__(self, place: Place, keys: Sequence[VerifierKey] | None) -> None:
        self._place = place
        self.note = place.small(COVER, MAX_COVER_BYTES)
        self.cover: Cover = parse_cover(self.note, keys)
        data = place.small(MANIFEST, min(MAX_MANIFEST_BYTES, self.cover.manifest_bytes))
        found = hashlib.sha256(data).hexdigest()
        if found != self.cover.manifest:
            raise _wrong(MANIFEST, (self.cover.manifest, self.cover.manifest_bytes), (found, len(data)))
        self.manifest = parse_manifest(data)
        place.lay(self.manifest, ((COVER, len(self.note)), (MANIFEST, len(data))))

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        self._place.close()

    def check(self, item: Item, sink: Callable[[memoryview], object] = len) -> None:
        """Read a file once, each piece given to `sink` before it is known whether the whole is right.

        Raises: BundleBroken, with the digest that was expected and the one that was found.
        """
        digest, size = hashlib.sha256(), 0
        for piece in self._place.pieces(item):
            digest.update(piece)
            sink(piece)
            size += len(piece)
        if digest.hexdigest() != item.sha256 or size != item.size_bytes:
            raise _wrong(item.path, (item.sha256, item.size_bytes), (digest.hexdigest(), size))

    def verify(self, told: Callable[[int], object] = lambda size_bytes: None) -> None:
        """Read everything once. Raises: BundleBroken, for the first file that is wrong."""
        for item in self.manifest.files:
            self.check(item, lambda piece: told(len(piece)))


def open_bundle(path: Path, keys: Sequence[VerifierKey] | None) -> Opened:
    """A folder or a tar as a bundle; its cover signed by one of `keys`, or unbelieved with None.

    Raises: Misused, when there is none; BundleBroken.
    """
    if not path.exists():
        raise Misused(f"nothing at {path}; name a bundle: a folder, or a .tar")
    place: Place = _Folder(path) if path.is_dir() else _Tar(path)
    try:
        return Opened(place, keys)
    except BaseException:
        place.close()
        raise


def read_item(opened: Opened, item: Item) -> bytes:
    """A small file whole, once it is known to be right. Raises: BundleBroken."""
    if item.size_bytes > SMALL_BYTES:
        raise BundleBroken(f"'{item.path}' has {item.size_bytes} bytes; at most {SMALL_BYTES} are read at once")
    data = bytearray()
    opened.check(item, data.extend)
    return bytes(data)


def tar_head(path: str, size_bytes: int) -> bytes:
    """What stands before a file in a tar: nothing in it but name and size, so that equal bundles are equal.

    One block; three where the path is over 100 characters.
    """
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.mtime = size_bytes, 0o644, 0
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def padded(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK) * BLOCK


class _Tar:
    """A tar exactly as `write` writes it: where each file lies follows from the manifest alone.

    Any other tar is refused, so that links, devices, long names and second archives behind the end need no rules.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Misused(f"{path} cannot be read: {error.strerror}") from error
        self._size = os.fstat(self._fd).st_size
        self._next = 0
        self._places: dict[str, int] = {}
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def small(self, path: str, limit_bytes: int) -> bytes:
        size = self._head(path, self._next).size
        if size > limit_bytes:
            raise BundleBroken(f"{path} has {size} bytes, at most {limit_bytes} are due; ask for the bundle again")
        data = self._read(self._next + BLOCK, size, path)
        self._check_head(path, size, self._next)
        self._check_padding(self._next + BLOCK, size, path)
        self._next += BLOCK + padded(size)
        return data

    def lay(self, manifest: Manifest, first: Sequence[tuple[str, int]]) -> None:
        at = self._next
        cut = ""
        for item in manifest.files:
            self._places[item.path] = at
            at += len(tar_head(item.path, item.size_bytes)) + padded(item.size_bytes)
            if at > self._size and not cut:
                cut = item.path
        if cut:
            raise BundleBroken(
                f"{self._path} is cut short: it has {self._size} bytes of {at + len(TAIL)}, and '{cut}' is the "
                "first file that is not whole; copy it again"
            )
        if self._size != at + len(TAIL) or self._read(at, len(TAIL), "the end") != TAIL:
            raise BundleBroken(
                f"{self._path} does not end where its manifest says, at {at + len(TAIL)} bytes, but at "
                f"{self._size}: files were added or it was cut; copy it again"
            )

    def pieces(self, item: Item) -> Iterator[memoryview]:
        at = self._places[item.path]
        at += self._check_head(item.path, item.size_bytes, at)
        left = item.size_bytes
        while left:
            got = self._into(self._buffer[: min(left, PIECE_BYTES)], at, item.path)
            if not got:
                raise BundleBroken(f"{self._path} ends in the middle of '{item.path}'; copy it again")
            yield self._buffer[:got]
            at, left = at + got, left - got
        self._check_padding(at - item.size_bytes, item.size_bytes, item.path)

    def close(self) -> None:
        os.close(self._fd)

    def _check_head(self, path: str, size: int, at: int) -> int:
        due = tar_head(path, size)
        if self._read(at, len(due), path) != due:
            found = self._head(path, at)
            raise self._foreign(f"'{path}' of {size} bytes is due, and there is one of {found.size}")
        return len(due)

    def _check_padding(self, at: int, size: int, path: str) -> None:
        rest = padded(size) - size
        if rest and self._read(at + size, rest, path) != bytes(rest):
            raise self._foreign(f"there is more behind '{path}' than its {size} bytes")

    def _head(self, path: str, at: int) -> tarfile.TarInfo:
        try:
            head = tarfile.TarInfo.frombuf(self._read(at, BLOCK, path), "utf-8", "replace")
        except tarfile.HeaderError as error:
            raise self._foreign(f"where '{path}' is due there is no file") from error
        if head.name != path or head.type != tarfile.REGTYPE:
            what = {tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a link", tarfile.DIRTYPE: "a folder"}
            kind = what.get(head.type, "a file" if head.type == tarfile.REGTYPE else "something else")
            raise self._foreign(f"'{path}' is due, and there is {kind} '{head.name[:120]}'")
        return head

    def _foreign(self, why: str) -> BundleBroken:
        return BundleBroken(
            f"{self._path} is not as selat bundle export writes a tar: {why}. Copy it again; or unpack it "
            "and give the folder"
        )

    def _read(self, at: int, size: int, path: str) -> bytes:
        data = bytearray(size)
        got = 0
        while got < size and (more := self._into(memoryview(data)[got:], at + got, path)):
            got += more
        return bytes(data[:got])

    def _into(self, buffer: memoryview, at: int, path: str) -> int:
        try:
            return os.preadv(self._fd, [buffer], at)
        except OSError as error:
            _unreadable(path, error)


class _Folder:
    """A folder with the files of the manifest and no others; links, devices and pipes are refused unopened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def small(self, path: str, limit_bytes: int) -> bytes:
        fd, size = self._open(path)
        try:
            if size > limit_bytes:
                raise BundleBroken(f"{path} has {size} bytes, at most {limit_bytes} are due; ask for it again")
            return os.read(fd, size + 1) if size < PIECE_BYTES else b"".join(bytes(p) for p in self._all(fd, path))
        except OSError as error:
            _unreadable(path, error)
        finally:
            os.close(fd)

    def lay(self, manifest: Manifest, first: Sequence[tuple[str, int]]) -> None:
        missing = {item.path for item in manifest.files} | {path for path, _ in first}
        for path in self._walk(self._path, ""):
            if path not in missing:
                raise BundleBroken(f"'{path[:200]}' is in the folder and not in the manifest; take it out")
            missing.remove(path)
        if missing:
            raise BundleBroken(f"'{min(missing)}' is in the manifest and not in the folder; copy the bundle again")

    def pieces(self, item: Item) -> Iterator[memoryview]:
        fd, _ = self._open(item.path)
        try:
            yield from self._all(fd, item.path)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Nothing is held open between files."""

    def _all(self, fd: int, path: str) -> Iterator[memoryview]:
        while True:
            try:
                got = os.readv(fd, [self._buffer])
            except OSError as error:
                _unreadable(path, error)
            if not got:
                return
            yield self._buffer[:got]

    def _open(self, path: str) -> tuple[int, int]:
        """A plain file, no part of whose path inside the bundle is a link; its descriptor and size."""
        at = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        *folders, name = path.split("/")
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = inner
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise BundleBroken(f"'{path}' is not a plain file but {_what(found.st_mode)}; a bundle has none")
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at), found.st_size
        except OSError as error:
            if path == COVER:
                raise BundleBroken(f"{self._path} has no {COVER}: this is no bundle of Selat's") from error
            _unreadable(path, error)
        finally:
            os.close(at)

    def _walk(self, folder: Path, inside: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path), f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    raise BundleBroken(f"'{path[:200]}' is {_what(mode)}; a bundle holds plain files alone")


def _what(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _wrong(path: str, expected: tuple[str, int], found: tuple[str, int]) -> BundleBroken:
    return BundleBroken(
        f"'{path}' is wrong: expected {expected[1]} bytes with SHA-256 {expected[0]}, found {found[1]} bytes with "
        f"SHA-256 {found[0]}; copy the bundle again, or ask for it again"
    )


def _unreadable(path: str, error: OSError) -> NoReturn:
    raise BundleBroken(f"'{path}' cannot be read: {error.strerror}; is the medium in order?") from error
