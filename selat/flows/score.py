"""A library sits an exam: questions with known documents are searched, and answered where a chat is given."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selat.core.caller import EVERY_GROUP
from selat.core.errors import Misused
from selat.core.label import HIGHEST
from selat.knowledge import RERANK_FALLBACK, Judged, Library, Query, Scores, documents_found
from selat.knowledge.score import score
from selat.named import read_text

DEPTH = 10
EXAMS = "JSONL of questions with their right documents"
EVERY = frozenset({EVERY_GROUP})


@dataclass(frozen=True, slots=True)
class Exam:
    """A question, its right documents (none: nothing answers it), its language and the group it is scored in."""

    id: str
    query: str
    gold: frozenset[str]
    language: str
    collection: str


Asking = Callable[[str, str], Awaitable[tuple[list[str], bool]]]
"""Puts a question to a collection; the ids that the answer cites, and whether it abstained."""


async def sit(
    library: Library, tenant: str, exams: list[Exam], asking: Asking | None, done: Callable[[], None]
) -> dict[str, Scores]:
    """Scores by language and over all; `done` is called after each question."""
    judged = []
    for exam in exams:
        hits, order = documents_found(library, Query(tenant, exam.collection, exam.query, HIGHEST, DEPTH, EVERY))
        citations, abstained = await asking(exam.query, exam.collection) if asking else ([], None)
        fell_back = order == RERANK_FALLBACK
        judged.append(Judged(exam.language, exam.gold, hits, citations, abstained, fell_back))
        done()
    return score(judged)


def read_exams(path: Path, collection: str, split: str = "") -> Iterator[Exam]:
    """Rows `{"id","query","gold":[ids],"language"}`; a row's own `corpus` names its collection when none is given.

    With `split`, only rows of that split. Raises: Misused, naming the line that is not such a row.
    """
    for number, line in enumerate(read_text(path, EXAMS).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            exam = Exam(
                str(row["id"]),
                str(row["query"]),
                frozenset(map(str, row["gold"])),
                str(row.get("language", "?")),
                collection or str(row.get("corpus", "")),
            )
            wanted = not split or row.get("split") == split
        except (ValueError, KeyError, TypeError) as error:
            raise Misused(f'{path.name} line {number}: not an object with "id", "query" and "gold"') from error
        if wanted:
            yield exam
