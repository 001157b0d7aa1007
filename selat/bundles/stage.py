"""Where the files of a bundle wait until all of it is verified: an interrupted import goes on from here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from selat.bundles.manifest import Item
from selat.bundles.opened import Opened
from selat.core.errors import HomeBusy
from selat.durable import replace, settle, told_if_full

NOTED_BYTES = 1 << 20
"""Files from this size on are made durable and noted one by one, so that they are not read twice; the small ones
are read again."""
_NOTES = "verified"
_AGAIN = "make room and import again; it goes on from here"


class Stage:
    """A folder a bundle, by the digest of its manifest. One import at a time holds it."""

    def __init__(self, folder: Path, manifest: str) -> None:
        self._all = folder
        self.folder = folder / manifest
        self._noted: dict[str, list[int]] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the one import of this home. What is left of another bundle's is dropped. Raises: HomeBusy."""
        self._all.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._all / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeBusy(
                    "another bundle is being imported into this home; wait until that is done"
                ) from None
            for other in self._all.iterdir():
                if other.is_dir() and other != self.folder:
                    shutil.rmtree(other)
            self.folder.mkdir(exist_ok=True, mode=0o700)
            self._noted = dict(self._read())
            yield
        finally:
            os.close(descriptor)

    def drop(self) -> None:
        """Forget all that was staged."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def note(self, name: str, text: str = "") -> str:
        """What was noted under a name; written durably where there is a text to write."""
        path = self.folder / name
        if text:
            replace(path, text.encode(), 0o600)
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            return ""

    def missing(self, wanted: Mapping[str, Path], items: Mapping[str, Item]) -> int:
        """Bytes that are still to be written; what lies there half done, and would be written anew, is removed."""
        need = 0
        for digest, path in wanted.items():
            if not self._is_staged(digest, path):
                path.unlink(missing_ok=True)
                _half(path).unlink(missing_ok=True)
                need += items[digest].size_bytes
        return need

    def take(self, opened: Opened, wanted: Mapping[str, Path], told: Callable[[int], object]) -> None:
        """Read the whole bundle once; write the files whose digest is in `wanted` to the paths given there.

        What an interrupted run verified is passed over. `told` hears of bytes read or passed over.
        Raises: BundleBroken; Unavailable, when the disk is full: what is whole stays for the next run.
        """
        written: set[str] = set()
        for item in opened.manifest.files:
            path = wanted.get(item.sha256)
            if item.sha256 in self._noted and (path is None or self._is_staged(item.sha256, path)):
                told(item.size_bytes)
            elif path is None or item.sha256 in written:
                opened.check(item, lambda piece: told(len(piece)))
            else:
                with told_if_full(self.folder, _AGAIN):
                    self._write(opened, item, path, told)
                written.add(item.sha256)
            if item.size_bytes >= NOTED_BYTES and item.sha256 not in self._noted:
                self._note_down(item.sha256, path)

    def _write(self, opened: Opened, item: Item, path: Path, told: Callable[[int], object]) -> None:
        fresh = _half(path)
        with fresh.open("wb", buffering=0) as file:

            def sink(piece: memoryview) -> None:
                told(len(piece))
                while piece:
                    piece = piece[file.write(piece) or 0 :]

            opened.check(item, sink)
            if item.size_bytes >= NOTED_BYTES:
                settle(file)
        fresh.chmod(0o600)
        fresh.rename(path)

    def _is_staged(self, digest: str, path: Path) -> bool:
        """Whether it lies there untouched since it was noted as verified."""
        return digest in self._noted and self._noted[digest] == _seen(path)

    def _note_down(self, digest: str, path: Path | None) -> None:
        seen = _seen(path) if path else []
        self._noted[digest] = seen
        with (self.folder / _NOTES).open("a", encoding="ascii") as file:
            file.write(" ".join([digest, *map(str, seen), "."]) + "\n")
            settle(file)

    def _read(self) -> Iterator[tuple[str, list[int]]]:
        """A line that a crash cut off lacks its full stop and counts for nothing."""
        for line in self.note(_NOTES).splitlines():
            digest, *seen = line.split(" ")
            if seen and seen[-1] == "." and len(digest) == 64 and all(word.isdecimal() for word in seen[:-1]):
                yield digest, [int(word) for word in seen[:-1]]


def _half(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _seen(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return [-1]
    return [stat.st_ctime_ns, stat.st_ino, stat.st_size]
