"""Changes the file `engines.toml`: its comments are kept, it is never half written, and always loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tomlkit
from tomlkit.items import AoT, InlineTable

from selat.core.errors import HomeBroken, Misused, NotFound
from selat.durable import replace
from selat.engines.config import KINDS, locked, parse_specs, read_specs
from selat.engines.spec import EngineSpec

_OPENING = (
    "# Engines: what runs models, and where. One [[engine]] each; `selat engine add` writes them too.\n"
    "# A change is seen within a second; a mistake keeps the engines as they were and is told in the log.\n"
)


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
