"""The JSONL of questions that `search` and `ask` take with `--queries`, and what they write with `--out`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selat.cli.frame import progress, say
from selat.core.errors import Misused
from selat.named import read_text


def read_queries(path: Path) -> list[tuple[object, str]]:
    """Id and text of each `{"id","query"}` row. Raises: Misused, naming the line that is not one."""
    asked: list[tuple[object, str]] = []
    for number, line in enumerate(read_text(path, 'JSONL of {"id","query"}').splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            asked.append((row["id"], str(row["query"])))
        except (ValueError, KeyError, TypeError) as error:
            raise Misused(f'{path.name} line {number}: not an object with "id" and "query"') from error
    return asked


@contextmanager
def rows_to(out: Path, work: str, total: int) -> Iterator[Callable[[dict[str, object]], None]]:
    """Takes a row for each of `total` questions and writes it as a line, with the progress of the `work` shown."""
    with progress(work, total) as bar, out.open("w", encoding="utf-8") as lines:

        def put(row: dict[str, object]) -> None:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            bar.advance(bar.task_ids[0])

        yield put
    say(f"{total} questions answered in {out}")
