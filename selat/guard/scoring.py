"""Scores a scanner against a corpus: recall, precision and false findings by kind and by language."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from selat.core.errors import Misused
from selat.core.finding import Finding, Scan
from selat.guard.kinds import KINDS
from selat.named import read_text

CORPUS = Path(__file__).parent / "corpus"
"""Our own corpus, CC0, of invented identities: `docs/howto/guard-corpus.md` tells which files were tuned on."""
ENOUGH = 0.5
"""A finding is right when its kind is and at least half of the two spans' union is in both."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A corpus text, what is in it, and whether it is a decoy: a text with nothing personal to find."""

    id: str
    language: str
    text: str
    gold: tuple[Finding, ...]
    decoy: bool


@dataclass(slots=True)
class Tally:
    """Right, false and missed findings, and right ones whose span is exact."""

    right: int = 0
    false: int = 0
    missed: int = 0
    exact: int = 0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right + self.false else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.recall * self.precision / ((self.recall + self.precision) or 1.0)

    def to_json(self) -> dict[str, object]:
        return {
            "right": self.right,
            "false": self.false,
            "missed": self.missed,
            "exact": self.exact,
            "recall": round(self.recall, 4),
            "precision": round(self.precision, 4),
            "f1": round(self.f1, 4),
        }


@dataclass(slots=True)
class Score:
    """What came of scanning a corpus. `false_in_decoys` counts findings in decoys that their gold lacks."""

    texts: int = 0
    decoys: int = 0
    false_in_decoys: int = 0
    kinds: dict[str, Tally] = field(default_factory=dict)
    languages: dict[str, Tally] = field(default_factory=dict)
    faults: list[tuple[str, str, Finding]] = field(default_factory=list)
    """(sample id, `false` or `missed`, finding), in the corpus's order."""

    @property
    def structured(self) -> Tally:
        """All kinds but NAME and ADDRESS, together."""
        total = Tally()
        for kind, tally in self.kinds.items():
            if kind not in ("NAME", "ADDRESS"):
                total.right += tally.right
                total.false += tally.false
                total.missed += tally.missed
                total.exact += tally.exact
        return total

    def to_json(self) -> dict[str, object]:
        return {
            "texts": self.texts,
            "decoys": self.decoys,
            "false_in_decoys": self.false_in_decoys,
            "structured": self.structured.to_json(),
            "kinds": {kind: self.kinds[kind].to_json() for kind in KINDS if kind in self.kinds},
            "languages": {name: tally.to_json() for name, tally in sorted(self.languages.items())},
        }


def read_corpus(path: Path) -> list[Sample]:
    """Lines `{"id","lang","text","gold":[{"kind","start","end"}],"decoy"}`. Raises: Misused, with the line."""
    samples = []
    for number, line in enumerate(read_text(path, "JSONL files, or none for our own").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            gold = tuple(Finding(g["start"], g["end"], g["kind"]) for g in row.get("gold", ()))
            sample = Sample(
                str(row.get("id", number)), row.get("lang", "?"), row["text"], gold, bool(row.get("decoy"))
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Misused(
                f"{path.name} line {number}: not a corpus line; see docs/howto/guard-corpus.md"
            ) from error
        samples.append(sample)
    return samples


def score(scan: Callable[[str], Scan], samples: Iterable[Sample]) -> Score:
    total = Score()
    for sample in samples:
        total.texts += 1
        total.decoys += sample.decoy
        findings = scan(sample.text).findings
        pairs = _pairs(findings, sample.gold)
        for finding in findings:
            gold = pairs.get(finding)
            _count(total, sample, finding.kind, "right" if gold else "false")
            if gold is None:
                total.false_in_decoys += sample.decoy
                total.faults.append((sample.id, "false", finding))
            elif (finding.start, finding.end) == (gold.start, gold.end):
                total.kinds[finding.kind].exact += 1
                total.languages[sample.language].exact += 1
        matched = Counter(pairs.values())
        for gold in sample.gold:
            if not matched[gold]:
                _count(total, sample, gold.kind, "missed")
                total.faults.append((sample.id, "missed", gold))
    return total


def _count(total: Score, sample: Sample, kind: str, outcome: str) -> None:
    for tally in (
        total.kinds.setdefault(kind, Tally()),
        total.languages.setdefault(sample.language, Tally()),
    ):
        setattr(tally, outcome, getattr(tally, outcome) + 1)


def _pairs(findings: Iterable[Finding], gold: Iterable[Finding]) -> dict[Finding, Finding]:
    """Each finding with the one gold span it covers best, each gold span given once."""
    free, pairs = set(gold), {}
    for finding in findings:
        best = max(free, key=lambda g: _share(finding, g), default=None)
        if best is not None and _share(finding, best) >= ENOUGH:
            pairs[finding] = best
            free.discard(best)
    return pairs


def _share(a: Finding, b: Finding) -> float:
    if a.kind != b.kind:
        return 0.0
    both = min(a.end, b.end) - max(a.start, b.start)
    return max(both, 0) / (max(a.end, b.end) - min(a.start, b.start))
