"""JSONL rows as documents: every string of a row becomes text, named by its field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from selat.core.errors import DocumentUnreadable, Misused
from selat.knowledge.parse.parsed import Builder, ParsedText

_TITLE = re.compile(r"^(title|name|tajuk|nama|judul|subject|heading)(_(\w\w))?$", re.IGNORECASE)
_LIMIT_BYTES = 20_000_000


def read_rows(path: Path, id_field: str, faults: list[str]) -> Iterator[tuple[str, ParsedText]]:
    """Id and text of each row; without `id_field`, `id` or else the line's number is the id.

    Fields named like a title (`title`, `title_ms`, …) join into the document's title; the rest become
    paragraphs in the row's order. Strings inside lists and objects count as well.
    A line that is no such row is told of in `faults`, and the rest goes on.
    Raises: Misused, for a row without the named id field; OSError.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if len(line) > _LIMIT_BYTES:
                faults.append(f"line {number}: over {_LIMIT_BYTES:,} bytes")
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                faults.append(f"line {number}: not a JSON object")
                continue
            if id_field and id_field not in row:
                raise Misused(f"{path.name} line {number}: no field {id_field!r}; fields: {', '.join(row)}")
            key = id_field or "id"
            try:
                parsed = _parsed(row, key)
            except DocumentUnreadable as error:
                faults.append(f"line {number}: {error}")
                continue
            yield str(row.get(key, number)), parsed


def _parsed(row: dict[str, object], key: str) -> ParsedText:
    builder = Builder()
    titles = [str(value) for name, value in row.items() if _TITLE.match(name) and isinstance(value, str)]
    builder.facts["title"] = " / ".join(dict.fromkeys(title.strip() for title in titles if title.strip()))
    for name, value in row.items():
        if name != key:
            builder.paragraph(_flat(value))
    if not any(isinstance(value, str) and value.strip() for value in row.values()):
        builder.paragraph(str(row.get(key, "")))
    return builder.finish()


def _flat(value: object) -> str:
    """Strings inside a value, one a line; numbers, booleans and nulls are no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ": ".join(filter(None, map(_flat, value.values())))
    if isinstance(value, list):
        return "\n".join(filter(None, map(_flat, value)))
    return ""
