"""Small bundles for tests: signed, of files that are given."""

from __future__ import annotations

import hashlib
from pathlib import Path

from selat.bundles import Cover, Manifest, Opened, Piece, item_of, open_bundle, sign_cover, write_bundle
from selat.core.signer import Signer

SIGNER = Signer("selat.local/0011223344556677/bundle", seed=b"\x2d" * 32)
FILES = {"documents/a": b"satu", "models.json": b"{}", "models/b": b"dua" * 1000, "wheels/c": b""}


def cover_of(manifest: bytes, files: int = 0, size_bytes: int = 0) -> Cover:
    return Cover(
        home="selat.local/0011223344556677",
        by="local",
        made="2026-11-22T03:00:00.125Z",
        key=str(SIGNER.key),
        manifest=hashlib.sha256(manifest).hexdigest(),
        manifest_bytes=len(manifest),
        files=files,
        size_bytes=size_bytes,
        selat="0.1.0",
    )


def make(out: Path, files: dict[str, bytes] | None = None, kind: str = "document") -> Manifest:
    """Write a bundle of these files."""
    pieces = {path: Piece(item_of(path, kind, data), data) for path, data in (files or FILES).items()}
    manifest = Manifest.of(piece.item for piece in pieces.values())
    note = sign_cover(cover_of(manifest.to_bytes(), len(pieces), manifest.size_bytes), SIGNER)
    write_bundle(out, (note, manifest), pieces, lambda size: None)
    return manifest


def opened(path: Path) -> Opened:
    return open_bundle(path, [SIGNER.key])
