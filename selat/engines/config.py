"""The file `engines.toml`, read strictly."""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selat.core.errors import HomeBroken
from selat.engines.fields import Reader
from selat.engines.spec import EngineSpec

KINDS = ("openai", "extractive", "llama")


def read_specs(path: Path, kinds: Sequence[str] = KINDS) -> tuple[EngineSpec, ...]:
    """The engines of a file, in its order; none when there is no file.

    Raises: HomeBroken, naming file, entry, field and what is known.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HomeBroken(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise HomeBroken(f"{path}: not UTF-8") from None
    return parse_specs(text, path, kinds)


def parse_specs(text: str, path: Path, kinds: Sequence[str] = KINDS) -> tuple[EngineSpec, ...]:
    """The engines of a file's text; `path` is for messages and for relative paths in it. Raises: HomeBroken."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HomeBroken(f"{path}: not valid TOML: {error}") from None
    for field in document:
        if field != "engine":
            raise HomeBroken(f"{path}: field '{field}': not known; each engine stands under [[engine]]")
    entries = document.get("engine", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise HomeBroken(f"{path}: an engine stands under [[engine]], in double brackets")
    specs: list[EngineSpec] = []
    for number, entry in enumerate(entries, 1):
        reader = Reader(path, number, entry, tuple(kinds))
        spec = reader.read()
        if any(spec.name == other.name for other in specs):
            reader.refuse("name", "an earlier engine has it; names differ")
        specs.append(spec)
    return tuple(specs)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time changes the file at `path`: a lock beside it. Raises: HomeBroken."""
    try:
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeBroken(f"cannot write beside {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
