"""Fits the weights of `selat/knowledge/evidence.py`: when is a passage an answer, and not only near the subject?

    python bench/evidence.py [--corpus docs_bilingual.jsonl]

Rows are the best passages for the questions of bench/knowledge that may be tuned on (`dev`, `dev2`, `near`,
`edge`): of the answerable ones; of the hopeless ones; and of the answerable ones again with the family of their
right documents (`births`, `births_annual`, …) left out, which makes near-subject questions without an answer.
Logistic regression with a small ridge; what it would do on folds left out is printed for several thresholds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import selat.kits
from selat.core.label import LOWEST
from selat.flows.ingest import Intake, ingest
from selat.knowledge import Library
from selat.knowledge.evidence import Signs, read_signs
from selat.knowledge.question import understand
from selat.knowledge.rank import Found, look, rank, weight
from selat.knowledge.scope import Scope
from selat.knowledge.terms import shared

QUESTIONS = Path(__file__).parent / "knowledge" / "questions.jsonl"
SHARED = Path(os.environ.get("SELAT_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
GUIDES = Path(selat.kits.__file__).parent / "guides"
TUNED = ("dev", "dev2", "near", "edge")
WORTH = {"answerable": 1.0, "hopeless": 2.0, "without": 0.6}  # many of the last are answered in part by another
RIDGE, FOLDS = 3.0, 10
Floats = NDArray[np.float64]


class Row(NamedTuple):
    kind: str
    question: int
    signs: Signs


def family(document: str) -> str:
    """What documents of one subject share: the first word of their id, or the guide in both languages."""
    name = document.rsplit("/", 1)[-1]
    return name if name.endswith(".md") else name.split("_")[0]


def signs_of(library: Library, row: dict[str, Any], left_out: frozenset[str]) -> Signs | None:
    """The signs of the best passage for a question, documents of some families left out."""
    index = library._live()
    question = understand(row["query"], shared(), index)
    scope = Scope("t", row["corpus"], LOWEST)
    found = dict(index.search(question.clauses, scope, 200))
    wholes = dict(index.documents(question.clauses, scope, 200))
    stored = library.store.passages(found)
    kept = [
        (stored[one], score)
        for one, score in found.items()
        if family(stored[one].passage.source.document) not in left_out
    ]
    texts = library.store.stems({one.doc for one, _ in kept}, question.stems)
    ranked = rank(question, Found(kept[:60], wholes, texts), index)
    if not ranked:
        return None
    weights = [weight(concept, index) for concept in question.concepts]
    return read_signs(question, look(ranked[0], ranked), weights, index)


def rows(library: Library) -> Iterator[Row]:
    listed = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(one for one in listed if one["split"] in TUNED):
        asked = [("answerable" if row["gold"] else "hopeless", frozenset[str]())]
        if row["gold"]:
            asked.append(("without", frozenset(map(family, row["gold"]))))
        for kind, left_out in asked:
            signs = signs_of(library, row, left_out)
            if signs:
                yield Row(kind, number, signs)


def fitted(signs: Floats, right: Floats, worth: Floats) -> Floats:
    """Weights and bias of a logistic regression, by Newton's method."""
    inside = np.c_[signs, np.ones(len(signs))]
    ridge = np.r_[np.full(signs.shape[1], RIDGE), 1e-6]
    found = np.zeros(inside.shape[1])
    for _ in range(60):
        chance = 1 / (1 + np.exp(-inside @ found))
        slope = inside.T @ (worth * (chance - right)) + ridge * found
        curve = (inside.T * (worth * chance * (1 - chance))) @ inside + np.diag(ridge)
        found -= np.linalg.solve(curve, slope)
    return found


def main(corpus: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        ingest(library, [corpus], Intake("t", "datagovmy", LOWEST, id_field="id"), lambda document: None)
        ingest(library, [GUIDES], Intake("t", "guides", LOWEST), lambda document: None)
        listed = list(rows(library))
    signs = np.array([one.signs for one in listed], float)
    mean, spread = signs.mean(axis=0), signs.std(axis=0) + 1e-9
    signs = (signs - mean) / spread
    kinds = np.array([one.kind for one in listed])
    right = (kinds == "answerable").astype(float)
    worth = np.array([WORTH[kind] for kind in kinds])
    fold = np.array([one.question % FOLDS for one in listed])
    told = np.zeros(len(listed))
    for one in range(FOLDS):
        inside = fold != one
        weights = fitted(signs[inside], right[inside], worth[inside])
        told[~inside] = np.c_[signs[~inside], np.ones((~inside).sum())] @ weights
    weights = fitted(signs, right, worth)
    raw = weights[:-1] / spread
    print({name: round(float(value), 2) for name, value in zip(Signs._fields, raw, strict=True)})
    print("bias", round(float(weights[-1] - (raw * mean).sum()), 2))
    chances = 1 / (1 + np.exp(-told))
    for threshold in (0.15, 0.175, 0.2, 0.225, 0.25, 0.3):
        below = {kind: (chances[kinds == kind] < threshold).mean() for kind in WORTH}
        print(threshold, "abstained:", ", ".join(f"{kind} {share:.2f}" for kind, share in below.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=SHARED / "datagovmy-meta" / "docs_bilingual.jsonl")
    main(parser.parse_args().corpus)
