"""The file `engines.toml`: read strictly, rewritten with its comments kept, never half written."""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import tomlkit
from tomlkit.items import AoT, InlineTable

from selat.core.errors import HomeBroken, Misused, NotFound
from selat.durable import replace
from selat.engines.fields import Reader
from selat.engines.spec import EngineSpec

KINDS = ("openai", "extractive", "llama")
_OPENING = (
    "# Engines: what runs models, and where. One [[engine]] each; `selat engine add` writes them too.\n"
    "# A change is seen within a second; a mistake keeps the engines as they were and is told in the log.\n"
)


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


class EngineFile:
    """Adds to and takes from `engines.toml`. Two at once take turns; what would not load is not written."""

    def __init__(self, path: Path, kinds: Sequence[str] = KINDS) -> None:
        self.path = path
        self._kinds = tuple(kinds)

    def read(self) -> tuple[EngineSpec, ...]:
        return read_specs(self.path, self._kinds)

    def add(self, fields: Mapping[str, object]) -> EngineSpec:
        """Append an engine; `fields` as in the file, tables as mappings.

        Raises: Misused, when a field is wrong or the name is taken; HomeBroken, when the file already was.
        """
        with locked(self.path):
            name = str(fields.get("name", ""))
            if any(spec.name == name for spec in self.read()):
                raise Misused(
                    f"there is an engine '{name}' already; choose another name, or: selat engine remove {name}"
                )
            document = self._document()
            entries = document.setdefault("engine", tomlkit.aot())
            table = tomlkit.table()
            for field, value in fields.items():
                table.add(field, _inline(value) if isinstance(value, Mapping) else value)
            entries.append(table)
            text = tomlkit.dumps(document)
            try:
                specs = parse_specs(text, self.path, self._kinds)
            except HomeBroken as error:
                raise Misused(str(error)) from error
            self._write(text)
        return specs[-1]

    def remove(self, name: str) -> None:
        """Take an engine out. Raises: NotFound, naming those there are; HomeBroken."""
        with locked(self.path):
            names = [spec.name for spec in self.read()]
            if name not in names:
                raise NotFound(f"no engine of that name in {self.path}; there: {', '.join(names) or 'none'}")
            document = self._document()
            entries = document["engine"]
            if isinstance(entries, AoT) and len(entries) > 1:
                del entries[names.index(name)]
            else:
                del document["engine"]
            text = tomlkit.dumps(document)
            parse_specs(text, self.path, self._kinds)
            self._write(text)

    def _document(self) -> tomlkit.TOMLDocument:
        try:
            return tomlkit.parse(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return tomlkit.parse(_OPENING)

    def _write(self, text: str) -> None:
        """Replace the file in one step: a crash leaves the old one or the new one, whole."""
        try:
            replace(self.path, text.encode(), 0o600)
        except OSError as error:
            raise HomeBroken(f"cannot write {self.path}: {error.strerror}") from error


def _inline(value: Mapping[str, object]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(value)
    return table
