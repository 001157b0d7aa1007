"""Presidio's and GLiNER's entities become our kinds; whatever they raise makes the scan fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from selat.core.errors import HomeBroken
from selat.core.finding import Finding
from selat.guard import KINDS, Guard
from selat.guard.adapters import gliner, presidio


@dataclass
class Result:
    """As `presidio_analyzer.RecognizerResult`."""

    entity_type: str
    start: int
    end: int
    score: float


class FakeAnalyzer:
    def __init__(self, *results: Result, error: Exception | None = None) -> None:
        self.results, self.error = results, error

    def analyze(self, text: str, language: str, entities: list[str]) -> list[Result]:
        if self.error:
            raise self.error
        return [result for result in self.results if result.entity_type in entities]


class FakeModel:
    """Finds `Zyx` as a person, as the real one answers."""

    def predict_entities(self, text: str, labels: list[str], threshold: float) -> list[Mapping[str, Any]]:
        return [
            {"start": m.start(), "end": m.end(), "text": m[0], "label": "person", "score": 0.9}
            for m in re.finditer("Zyx", text)
        ]


def with_detector(guard: Guard, detector: Any) -> Guard:
    return Guard(guard._engine, [detector])


def test_every_entity_has_a_kind_of_ours() -> None:
    assert {*presidio.KIND_OF.values(), *gliner.KIND_OF.values()} <= set(KINDS)


def test_what_presidio_finds_is_settled_with_ours(guard: Guard) -> None:
    found = FakeAnalyzer(
        Result("PERSON", 0, 3, 0.85), Result("US_BANK_NUMBER", 8, 22, 0.9), Result("PERSON", 4, 7, 0.1)
    )
    scan = with_detector(guard, presidio.Presidio(found)).scan("Zyx ada 900101-14-5678")
    assert [(f.start, f.end, f.kind) for f in scan.findings] == [(0, 3, "NAME"), (8, 22, "MYKAD")]
    assert scan.ok


@pytest.mark.parametrize(
    "analyzer", [FakeAnalyzer(error=ValueError("x")), FakeAnalyzer(Result("PERSON", 5, 99, 0.9))]
)
def test_a_failure_of_presidio_fails_the_scan(guard: Guard, analyzer: FakeAnalyzer) -> None:
    failing = with_detector(guard, presidio.Presidio(analyzer))
    for _ in range(2):  # and is not remembered as a result
        scan = failing.scan("ic 900101-14-5678")
        assert not scan.ok
        assert [finding.kind for finding in scan.findings] == ["MYKAD"]


def test_gliner_reads_long_texts_in_windows_that_overlap() -> None:
    for shift in range(0, gliner.WINDOW, 97):
        text = " " * (gliner.WINDOW - 200 + shift) + "Zyx" + " " * 3000
        found = set(gliner.Gliner(FakeModel()).find(text))
        assert found == {Finding(gliner.WINDOW - 200 + shift, gliner.WINDOW - 197 + shift, "NAME", 0.9)}


class ShortModel(FakeModel):
    """Reads the first words alone, as the real one does beyond its `max_len`."""

    def predict_entities(self, text: str, labels: list[str], threshold: float) -> list[Mapping[str, Any]]:
        words = list(re.finditer(r"\w+(?:[-_]\w+)*|\S", text))[:384]
        return super().predict_entities(text[: words[-1].end()] if words else "", labels, threshold)


@pytest.mark.parametrize("filler", [".", ". ", "1-", "a ", "\ud800", "字"])
def test_gliner_reads_every_word_of_a_dense_text(filler: str) -> None:
    for size in (300, 383, 384, 700, 1199, 5000):
        text = filler * size + " Zyx " + filler * 40
        found = {(f.start, f.end) for f in gliner.Gliner(ShortModel()).find(text)}
        assert found == {(len(filler) * size + 1, len(filler) * size + 4)}


def test_gliner_finds_names_through_the_guard(guard: Guard) -> None:
    scan = with_detector(guard, gliner.Gliner(FakeModel())).scan("Zyx " * 1000)
    assert len(scan.findings) == 1000


@pytest.mark.parametrize("folder", ["", "/nowhere/at/all"])
def test_gliner_without_a_model_on_this_machine_is_refused(folder: str) -> None:
    with pytest.raises(HomeBroken, match="gliner=FOLDER"):
        gliner.load(folder)


def test_neither_is_imported_before_it_is_used() -> None:
    code = "import sys, selat.app, selat.guard.adapters.presidio, selat.guard.adapters.gliner as g; \
print([m for m in ('presidio_analyzer', 'spacy', 'gliner', 'torch') if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(find_spec("presidio_analyzer") is None, reason="the extra `presidio` is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_real_presidio_finds_what_we_do_not_look_for(guard: Guard) -> None:
    text = "iban GB29NWBK60161331926819 and ic 900101-14-5678"
    assert [f.kind for f in guard.scan(text).findings] == ["MYKAD"]
    scan = with_detector(guard, presidio.load()).scan(text)
    assert [f.kind for f in scan.findings] == ["BANK_ACCOUNT", "MYKAD"]
