"""Writing a bundle: a folder or a tar, whole under its name in the end or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from selat.bundles.cover import COVER
from selat.bundles.manifest import MANIFEST, Item, Manifest
from selat.bundles.opened import BLOCK, PIECE_BYTES, TAIL, padded, tar_head
from selat.core.errors import BundleBroken, Misused, Unavailable
from selat.durable import settle, sync, told_if_full, write_all

SPARE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that goes into a bundle: what the manifest says of it, and where its bytes are."""

    item: Item
    source: Path | bytes

    def open(self) -> contextlib.AbstractContextManager[BinaryIO]:
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb", buffering=0)


def check_place(out: Path, manifest: Manifest) -> None:
    """Raises: Misused, when something is at `out` or it has no folder; Unavailable, when there is no room."""
    if out.exists() or out.is_symlink():
        raise Misused(f"{out} exists; name a new file or folder, or take that away")
    if not out.parent.is_dir():
        raise Misused(f"{out.parent} is not a folder; make it first")
    need = sum(3 * BLOCK + padded(item.size_bytes) for item in manifest.files)
    need += 2 * len(manifest.to_bytes()) + SPARE_BYTES
    free = shutil.disk_usage(out.parent).free
    if need > free:
        raise Unavailable(
            f"the bundle needs {need:,} bytes, and {out.parent} has {free:,} free; choose another place"
        )


def write_bundle(
    out: Path, signed: tuple[bytes, Manifest], pieces: Mapping[str, Piece], told: Callable[[int], object]
) -> None:
    """Write a bundle of a cover and its manifest, the pieces by their paths; `check_place` was called before.

    Every file is hashed as it goes out: one that changed since it was looked at ends the export.
    Raises: Misused, Unavailable, for the place; BundleBroken.
    """
    note, manifest = signed
    fresh = out.with_name(f".{out.name}.{os.getpid()}.new")
    writer: _Tar | _Folder = _Tar(fresh) if out.suffix == ".tar" else _Folder(fresh)
    try:
        with _told(out.parent):
            with writer as whole:
                whole.put(COVER, note)
                whole.put(MANIFEST, manifest.to_bytes())
                for item in manifest.files:
                    _pour(pieces[item.path], whole, told)
            fresh.rename(out)
            sync([out.parent])
    except BaseException:
        shutil.rmtree(fresh) if fresh.is_dir() else fresh.unlink(missing_ok=True)
        raise


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Tar:
        self._file = self._path.open("xb", buffering=0)
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            if kind is None:
                write_all(self._file.fileno(), TAIL)
                settle(self._file)
        finally:
            self._file.close()

    def put(self, path: str, data: bytes) -> None:
        with self.file(path, len(data)) as file:
            write_all(file.fileno(), data)

    @contextlib.contextmanager
    def file(self, path: str, size_bytes: int) -> Iterator[BinaryIO]:
        write_all(self._file.fileno(), tar_head(path, size_bytes))
        yield self._file
        write_all(self._file.fileno(), bytes(padded(size_bytes) - size_bytes))


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Folder:
        self._path.mkdir(mode=0o755)
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            for folder in sorted({path.parent for path in self._path.rglob("*")} | {self._path}):
                sync([folder])

    def put(self, path: str, data: bytes) -> None:
        with self.file(path, len(data)) as file:
            write_all(file.fileno(), data)

    @contextlib.contextmanager
    def file(self, path: str, size_bytes: int) -> Iterator[BinaryIO]:
        target = self._path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb", buffering=0) as file:
            yield file
            settle(file)


def _pour(piece: Piece, writer: _Tar | _Folder, told: Callable[[int], object]) -> None:
    digest, size = hashlib.sha256(), 0
    with piece.open() as source, writer.file(piece.item.path, piece.item.size_bytes) as file:
        while data := source.read(PIECE_BYTES):
            size += len(data)
            if size > piece.item.size_bytes:
                break
            digest.update(data)
            write_all(file.fileno(), data)
            told(len(data))
        if size != piece.item.size_bytes or digest.hexdigest() != piece.item.sha256:
            raise BundleBroken(
                f"'{piece.item.path}' changed while it was exported; nothing was written, try again"
            )


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        with told_if_full(folder, "make room, or choose another place"):
            yield
    except OSError as error:
        raise Misused(f"{folder}: {error.strerror}; choose another place") from error
