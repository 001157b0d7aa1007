"""Reading the JSONL of questions that `search` and `ask` take with `--queries`."""

from __future__ import annotations

import json
from pathlib import Path

from selat.core.errors import Misused


def read_queries(path: Path) -> list[tuple[object, str]]:
    """Id and text of each `{"id","query"}` row. Raises: Misused, naming the line that is not one."""
    if not path.is_file():
        raise Misused(f'no file {path}; give JSONL of {{"id","query"}}')
    asked: list[tuple[object, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            asked.append((row["id"], str(row["query"])))
        except (ValueError, KeyError, TypeError) as error:
            raise Misused(f'{path.name} line {number}: not an object with "id" and "query"') from error
    return asked
