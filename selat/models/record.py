"""The record of a model: its name and revision, its files by digest, and what is known of where it came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from selat.core.errors import BadRequest

READY, QUARANTINED = "ready", "quarantined"
SIGNATURE = "model.sig"
"""The file that signs the others of a model. Source: OpenSSF Model Signing."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
_REVISION = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:]{1,200}")
MAX_PATH = 1000


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its path inside the model, SHA-256 in hex, and size."""

    path: str
    digest: str
    size_bytes: int

    def __post_init__(self) -> None:
        check_path(self.path)
        if not _DIGEST.fullmatch(self.digest) or self.size_bytes < 0:
            raise BadRequest(f"file '{self.path}': a SHA-256 of 64 hex digits and a size from 0 are needed")


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model was made of: `base` models (NAME or NAME@REVISION), by what `relation`, and data sets.

    `relation`: `finetune`, `adapter`, `quantized`, `merge`, `converted`; "" where there is no base or nobody says.
    """

    base: tuple[str, ...] = ()
    relation: str = ""
    datasets: tuple[str, ...] = ()
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature over a model's files that was verified here: by whom, over what, when; empty where none was.

    `signer`: `key:SHA-256` or `certificate:SUBJECT`. `manifest`: SHA-256 over the digests of what was signed.
    `absent`: how many signed files are not kept here.
    """

    signer: str = ""
    manifest: str = ""
    verified: str = ""
    absent: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is kept. What is not known is empty: vendor, country and licence are then as claimed by none.

    `revision`: 40 hex digits, the source's commit or `revision_of` the files. `licence`: as the hub writes it
    (`apache-2.0`), SPDX in lower case where there is one. `country`: of the vendor, ISO 3166-1 alpha-2.
    `receipt`: of the entry that booked its coming. `label`: what it was made from; "" for a model of public texts.
    `state`: `ready`, or `quarantined` until it was scanned and admitted.
    """

    name: str
    revision: str
    files: tuple[ModelFile, ...]
    format: str = ""
    licence: str = ""
    vendor: str = ""
    country: str = ""
    lineage: Lineage = Lineage()
    source: str = ""
    added: str = ""
    receipt: str = ""
    label: str = ""
    state: str = READY
    signed: Signed = Signed()

    def __post_init__(self) -> None:
        check_name(self.name)
        check_revision(self.revision)
        if len({file.path for file in self.files}) != len(self.files):
            raise BadRequest(f"model '{self.name}': two files have one path")
        if self.state not in (READY, QUARANTINED):
            raise BadRequest(f"model '{self.name}': state '{self.state}' is neither {READY} nor {QUARANTINED}")

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def title(self) -> str:
        """Name and revision, short enough to read."""
        return f"{self.name}@{self.revision[:12]}"

    def file(self, path: str) -> ModelFile | None:
        return next((file for file in self.files if file.path == path), None)

    def to_json(self) -> dict[str, object]:
        shown: dict[str, object] = msgspec.to_builtins(self)
        return shown | {"size_bytes": self.size_bytes}


def check_name(name: str) -> str:
    """`NAME` or `OWNER/NAME`, as hubs have them. Raises: BadRequest."""
    parts = name.split("/")
    if len(parts) > 2 or any(not _NAME.fullmatch(part) or "--" in part or ".." in part for part in parts):
        raise BadRequest(
            f"'{name[:100]}' is no model's name: write NAME or OWNER/NAME in letters, digits, '.', '_' and '-'"
        )
    return name


def check_revision(revision: str) -> str:
    """Raises: BadRequest."""
    if not _REVISION.fullmatch(revision):
        raise BadRequest(f"'{revision[:60]}' is no revision: it has 40 hex digits")
    return revision


def check_path(path: str) -> str:
    """A path that stays inside its model, on every system. Raises: BadRequest."""
    parts = path.split("/")
    sound = len(path) <= MAX_PATH and all(
        _PART.fullmatch(part) and part not in (".", "..") and not part.startswith("~") and part == part.strip()
        for part in parts
    )
    if not sound:
        raise BadRequest(f"'{path[:100]}' is no path of a file inside a model")
    return path


def revision_of(files: Iterable[ModelFile]) -> str:
    """The revision of files that come without one: 40 hex digits of a SHA-256 over path, digest and size.

    A signature signs a revision and is no part of it.
    """
    lines = sorted(f"{file.digest} {file.size_bytes} {file.path}\n" for file in files if file.path != SIGNATURE)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:40]


def file_format(files: Iterable[ModelFile]) -> str:
    """`gguf`, `safetensors`, both joined by `+`, or "" where there are no weights."""
    ends = {file.path.rpartition(".")[2].lower() for file in files}
    return "+".join(kind for kind in ("gguf", "safetensors") if kind in ends)
