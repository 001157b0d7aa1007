"""Documents are read by any pool, and the library is the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import selat.kits
from selat.core.label import LOWEST
from selat.flows.ingest import Intake, Report, ingest
from selat.jobs import choose_pool
from selat.knowledge import Library, Query

GUIDES = Path(selat.kits.__file__).parent / "guides"
_NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here: make test-ray")


def read(folder: Path, papers: Path, pool: str) -> tuple[Report, str, list[tuple[str, str]]]:
    library = Library(folder)
    report = ingest(library, [papers], Intake("t", "c", LOWEST), lambda document: None, choose_pool(pool))
    digest = library.store.digest()
    hits = [
        (hit.passage.source.document, hit.passage.text)
        for hit in library.search(Query("t", "c", "kebocoran data peribadi 72 jam", LOWEST, 5))
    ]
    library.close()
    return report, digest, hits


@pytest.mark.parametrize("pool", ["processes:2", pytest.param("ray:2", marks=_NO_RAY)])
def test_the_library_is_the_same(tmp_path: Path, pool: str) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for path in sorted(GUIDES.rglob("*.md"))[:8]:
        (papers / path.name).write_bytes(path.read_bytes())
    (papers / "rosak.pdf").write_bytes(b"%PDF-1.4 not one")
    (papers / "baris.jsonl").write_text('{"id":"r1","text":"Notis kebocoran data dalam 72 jam."}\n')
    known, digest, hits = read(tmp_path / "one", papers, "local")
    found, same, also = read(tmp_path / "other", papers, pool)
    assert sorted(found.added) == sorted(known.added) != []
    assert found.failed == known.failed != {}
    assert (same, also) == (digest, hits)
