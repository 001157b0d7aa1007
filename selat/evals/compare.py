"""Compares two runs on the same items: what differs, by how much, and whether there are items enough to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selat.core.errors import Misused
from selat.evals.item import Scored
from selat.evals.stats import Estimate, cohen_h, mcnemar, mean_difference

NOT_ENOUGH = "not enough items to tell"
_ALIKE = 0.03
"""Two scores whose difference surely lies within this are as good as equal."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first run less the second, on `n` shared samples.

    `verdict`: `first is better`, `second is better`, `no difference that matters` or `not enough items to tell`.
    `effect` is Cohen's h; `p` McNemar's exact p, None where scores are not right-or-wrong. `needed` is how many
    items would tell a difference of the size seen (power 80 %), None where none was seen.
    """

    pack: str
    n: int
    first: float
    second: float
    difference: Estimate
    only_first: int
    only_second: int
    p: float | None
    effect: float
    verdict: str
    needed: int | None

    def to_json(self) -> dict[str, object]:
        return {
            "pack": self.pack,
            "n": self.n,
            "first": round(self.first, 6),
            "second": round(self.second, 6),
            "difference": self.difference.to_json(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": None if self.p is None else round(self.p, 6),
            "effect": round(self.effect, 4),
            "verdict": self.verdict,
            "needed": self.needed,
        }


def compare(pack: str, first: Sequence[Scored], second: Sequence[Scored]) -> Comparison:
    """Pair two runs' scores by item and template. Raises: Misused, when they share no sample."""
    others = {(one.item, one.template): one for one in second}
    pairs = [(one, others[one.item, one.template]) for one in first if (one.item, one.template) in others]
    pairs = [pair for pair in pairs if "denied" not in (pair[0].score.status, pair[1].score.status)]
    if not pairs:
        raise Misused(f"the runs share no sample of pack '{pack}'; run both with the same pack and template")
    a = np.array([one.score.value for one, _ in pairs])
    b = np.array([other.score.value for _, other in pairs])
    difference = mean_difference(list(a - b), [one.cluster for one, _ in pairs])
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())
    only_first, only_second = int((a > b).sum()), int((a < b).sum())
    return Comparison(
        pack,
        len(pairs),
        float(a.mean()),
        float(b.mean()),
        difference,
        only_first,
        only_second,
        mcnemar(only_first, only_second) if binary else None,
        cohen_h(float(a.mean()), float(b.mean())),
        _verdict(difference),
        _needed(a - b),
    )


def _verdict(difference: Estimate) -> str:
    if difference.low > 0:
        return "first is better"
    if difference.high < 0:
        return "second is better"
    if difference.low > -_ALIKE and difference.high < _ALIKE:
        return "no difference that matters"
    return NOT_ENOUGH


def _needed(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int | None:
    """(1.96 + 0.84)^2 times the variance of a pair's difference, over the squared mean difference."""
    mean = float(differences.mean())
    if mean == 0 or len(differences) < 2:
        return None
    return math.ceil(2.8**2 * float(differences.var(ddof=1)) / mean**2)
