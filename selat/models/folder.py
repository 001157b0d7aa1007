"""A folder or a file on this machine as a model: what is taken of it, and what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import BadRequest, Misused, ModelRefused
from selat.models.kinds import kind_of
from selat.models.record import check_path

MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a folder by their path in the model; `left_out` says why others stay where they are."""

    files: dict[str, Path]
    left_out: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def look(path: Path) -> Found:
    """What of `path` can be taken in; hidden files and folders are passed over.

    Raises: Misused, for what cannot be read; ModelRefused, when no weights are left.
    """
    if not path.exists():
        raise Misused(f"{path} is not there; name a folder or a .gguf or .safetensors file")
    files: dict[str, Path] = {}
    left_out: list[str] = []
    for file in [path] if path.is_file() else _walk(path):
        inside = file.name if path.is_file() else file.relative_to(path).as_posix()
        kind = kind_of(inside)
        try:
            if kind.taken:
                files[check_path(inside)] = file
            else:
                left_out.append(kind.reason)
        except BadRequest as error:
            left_out.append(str(error))
    need_weights(files, left_out)
    return Found(dict(sorted(files.items())), tuple(left_out))


def need_weights(paths: Iterable[str], left_out: list[str]) -> None:
    """Raises: ModelRefused, naming what was left out, when no weights are among the paths."""
    if not any(kind_of(path).weights for path in paths):
        why = f" Left out: {'; '.join(left_out[:5])}." if left_out else ""
        raise ModelRefused(
            f"there are no safetensors or GGUF weights here; name a file, folder or repository that has some.{why}"
        )


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in sorted(names) if not name.startswith(".")]
        if len(found) > MAX_FILES:
            raise Misused(f"{folder} has over {MAX_FILES} files; that is no model")
    return found
