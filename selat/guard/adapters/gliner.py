"""GLiNER as a further detector: a small model that finds names and addresses where no pattern does.

Extra `gliner`. The model is a folder on this machine, named in the setting as `gliner=FOLDER`: nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from selat.core.errors import HomeBroken
from selat.core.finding import Finding

KIND_OF: Mapping[str, str] = MappingProxyType(
    {
        "person": "NAME",
        "street address": "ADDRESS",
        "date of birth": "DOB",
        "phone number": "PHONE",
        "email address": "EMAIL",
        "passport number": "PASSPORT",
        "bank account number": "BANK_ACCOUNT",
        "vehicle registration number": "PLATE",
    }
)
"""The labels that the model is asked for, in words it knows, by our kinds."""
AT_LEAST = 0.5
WINDOW, OVERLAP = 1200, 200
"""Characters: a long text goes in windows that overlap."""
WORDS = 256
"""Words of a window at most: what comes after a model's `max_len` (384 as a rule) it drops with no more than a warning."""
_WORD = re.compile(r"\w+(?:[-_]\w+)*|\S")
"""What GLiNER counts as a word: a sign is one too. Source: gliner.data_processing.tokenizer.WhitespaceTokenSplitter."""


class Model(Protocol):
    """`gliner.GLiNER`, as far as it is used."""

    def predict_entities(self, text: str, labels: list[str], threshold: float) -> Sequence[Mapping[str, Any]]: ...


class Gliner:
    """A `selat.guard.Detector`. Whatever the model raises is a failed scan, and policy then denies."""

    name = "gliner"

    def __init__(self, model: Model, at_least: float = AT_LEAST) -> None:
        self._model, self._at_least = model, at_least
        reads = getattr(getattr(model, "config", None), "max_len", None)
        self._words = min(WORDS, reads) if isinstance(reads, int) and reads > 0 else WORDS

    def find(self, text: str) -> list[Finding]:
        return [
            Finding(start + e["start"], start + e["end"], KIND_OF[e["label"]], min(float(e["score"]), 1.0))
            for start, part in _windows(text, self._words)
            for e in self._model.predict_entities(part, list(KIND_OF), threshold=self._at_least)
        ]


def _windows(text: str, words: int) -> Iterator[tuple[int, str]]:
    # A tokenizer takes no lone half of a surrogate pair; a sign in its place keeps the offsets.
    text, start = text.encode("utf-8", "replace").decode(), 0
    while True:
        following = next(islice(_WORD.finditer(text, start, start + WINDOW), words, None), None)
        end = following.start() if following else start + WINDOW
        yield start, text[start:end]
        if end >= len(text):
            return
        start = max(end - OVERLAP, (start + end + 1) // 2)


def load(folder: str = "") -> Gliner:
    """What the entry point `gliner` gives. Raises: ImportError without the extra; HomeBroken without a model."""
    if not folder or not Path(folder).is_dir():
        raise HomeBroken("detector gliner: name the folder of a model on this machine: gliner=FOLDER")
    gliner = import_module("gliner")
    return Gliner(gliner.GLiNER.from_pretrained(folder, local_files_only=True))
