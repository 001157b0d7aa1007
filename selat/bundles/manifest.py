"""The manifest of a bundle: every file with its kind, size and SHA-256; the same contents give the same bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from selat.core.canonical import canonical
from selat.core.errors import BundleBroken, SelatError

MANIFEST = "manifest.json"
FORMAT = "selat-bundle-manifest/v1"
MAX_BYTES = 256 << 20
MAX_PATH = 240
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_KIND = re.compile(r"[a-z]{1,20}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its path in the bundle, what it is, bytes, and SHA-256 in hex."""

    path: str
    kind: str
    size_bytes: int
    sha256: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: tuple[Item, ...]
    format: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a bundle in order of their paths, which is the order in which they lie in a tar."""

    files: tuple[Item, ...]

    def __post_init__(self) -> None:
        _check(self.files)

    @classmethod
    def of(cls, items: Iterable[Item]) -> Manifest:
        """Raises: BundleBroken, for a path that could not be laid down everywhere."""
        return cls(tuple(sorted(items, key=lambda item: item.path)))

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.files)

    def of_kind(self, *kinds: str) -> list[Item]:
        return [item for item in self.files if item.kind in kinds]

    def to_bytes(self) -> bytes:
        """RFC 8785 JSON: no time, no place, nothing but what the files are."""
        rows = [
            {"path": one.path, "kind": one.kind, "size_bytes": one.size_bytes, "sha256": one.sha256}
            for one in self.files
        ]
        return canonical({"files": rows, "format": FORMAT})


def parse_manifest(data: bytes) -> Manifest:
    """The manifest of these bytes, which were signed for. Raises: BundleBroken."""
    try:
        written = msgspec.json.decode(data, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleBroken(f"{MANIFEST} is none that this Selat reads: {error}; a newer one may") from error
    if written.format != FORMAT:
        raise BundleBroken(
            f"{MANIFEST} is of format '{written.format[:60]}', this Selat reads {FORMAT}: upgrade it"
        )
    manifest = Manifest(written.files)
    try:
        same = manifest.to_bytes() == data
    except SelatError:
        same = False
    if not same:
        raise BundleBroken(f"{MANIFEST} is not in its canonical form; export the bundle again")
    return manifest


def item_of(path: str, kind: str, data: bytes) -> Item:
    """The item of a small file."""
    return Item(path, kind, len(data), hashlib.sha256(data).hexdigest())


def check_path(path: str) -> str:
    """A relative path of plain ASCII words that no system takes for another. Raises: BundleBroken."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path) or path.endswith("."):
        raise BundleBroken(
            f"'{path[:120]}' is no path in a bundle: at most {MAX_PATH} characters, parts of letters, digits "
            "and _.+- that begin with a letter, a digit or _"
        )
    return path


def _check(files: tuple[Item, ...]) -> None:
    seen: set[str] = {MANIFEST, "bundle.note"}
    folders: set[str] = set()
    before = ""
    for item in files:
        check_path(item.path)
        if item.size_bytes < 0 or not _DIGEST.fullmatch(item.sha256) or not _KIND.fullmatch(item.kind):
            raise BundleBroken(f"'{item.path}': a kind, a size from 0 and a SHA-256 of 64 hex digits are needed")
        if item.path <= before:
            raise BundleBroken(
                f"'{item.path}' is not in its place: files are listed once, in order of their paths"
            )
        before = item.path
        plain = item.path.lower()
        parts = plain.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        if plain in seen:
            raise BundleBroken(f"'{item.path}' collides with another file where capitals do not count")
        seen.add(plain)
    if clash := sorted(seen & folders):
        raise BundleBroken(f"'{clash[0]}' is both a file and a folder")
