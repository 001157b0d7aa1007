"""Honest statistics: intervals that cover, and clusters that count as one."""

from __future__ import annotations

import math
import statistics as normal
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
_Z = normal.NormalDist().inv_cdf(0.5 + LEVEL / 2)
_RESAMPLES = 2000
_SEED = 20261122
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval. `n` counts values, `clusters` what varies independently of one another."""

    mean: float
    low: float
    high: float
    n: int
    clusters: int

    def to_json(self) -> dict[str, object]:
        return {
            "mean": round(self.mean, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "n": self.n,
            "clusters": self.clusters,
        }


def wilson(mean: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion; `n` may be an effective, fractional number. Source: Wilson 1927."""
    if n <= 0:
        return 0.0, 1.0
    spread = _Z * _Z / n
    centre = (mean + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(max(mean * (1 - mean) / n + spread / (4 * n), 0.0))
    return max(0.0, centre - half), min(1.0, centre + half)


def estimate(values: Sequence[float], clusters: Sequence[str] | None = None) -> Estimate:
    """The mean of values from 0 to 1.

    Right-or-wrong values get Wilson's interval; where clusters hold several, its n is divided by the design
    effect (the cluster-robust variance over the simple one). Other values get a bootstrap over clusters.
    """
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        return Estimate(0.0, 0.0, 1.0, 0, 0)
    groups = _numbered(clusters, len(x))
    count = int(groups.max()) + 1
    mean = float(x.mean())
    if bool(np.isin(x, (0.0, 1.0)).all()):
        low, high = wilson(mean, _effective(x, groups, count))
    else:
        low, high = bootstrap(x, groups)
    return Estimate(mean, min(low, mean), max(high, mean), len(x), count)


def _effective(x: Values, groups: npt.NDArray[np.int64], count: int) -> float:
    """How many independent values these are worth. Source: Kish 1965 (design effect); Miller 2024, section 2.2."""
    if count == len(x):
        return float(len(x))
    mean = x.mean()
    simple = mean * (1 - mean) / len(x)
    if simple == 0:
        return float(count)  # all alike: nothing tells how alike a cluster's members are, so take the worst
    sums = np.bincount(groups, weights=x - mean, minlength=count)
    robust = float((sums**2).sum()) / len(x) ** 2 * (count / max(count - 1, 1))
    # Student's t for few clusters, expressed in n as well.
    inflated = robust * (_t(count - 1) / _Z) ** 2
    return float(min(len(x), len(x) * simple / inflated)) if inflated > 0 else float(count)


def bootstrap(x: Values, groups: npt.NDArray[np.int64], resamples: int = _RESAMPLES) -> tuple[float, float]:
    """The bootstrap-t interval of a mean over clusters: resampled means, studentised. Source: Efron 1982."""
    count = int(groups.max()) + 1
    sums = np.bincount(groups, weights=x, minlength=count)
    sizes = np.bincount(groups, minlength=count).astype(np.float64)
    mean = float(x.mean())
    if count < 3:
        return float(x.min()), float(x.max())
    if float(np.ptp(sums / sizes)) == 0.0:
        return mean, mean
    chance = np.random.default_rng(_SEED)
    ts: list[Values] = []
    for start in range(0, resamples, 500):
        drawn = chance.integers(0, count, size=(min(500, resamples - start), count))
        s, m = sums[drawn].astype(np.float64), sizes[drawn].astype(np.float64)
        means = s.sum(axis=1) / m.sum(axis=1)
        error = _error(s, m, means)
        ts.append(((means - mean) / np.where(error > 0, error, np.inf)).astype(np.float64))
    low, high = np.quantile(np.concatenate(ts), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    own = float(_error(sums[None, :].astype(np.float64), sizes[None, :], np.array([mean]))[0])
    return mean - float(high) * own, mean - float(low) * own


def _error(sums: Values, sizes: Values, means: Values) -> Values:
    """The cluster-robust standard error of each row's mean (a ratio of sums)."""
    count = sums.shape[1]
    left = sums - means[:, None] * sizes
    found = np.sqrt((left**2).sum(axis=1) * count / max(count - 1, 1)) / sizes.sum(axis=1)
    return np.asarray(found, dtype=np.float64)


def corrected(found: Estimate, chance: float) -> Estimate:
    """The score above guessing: 0 is what guessing gets, 1 is everything right; below 0 is worse than guessing."""
    scale = 1 - chance

    def lift(value: float) -> float:
        return (value - chance) / scale

    return Estimate(lift(found.mean), lift(found.low), lift(found.high), found.n, found.clusters)


def mean_difference(differences: Sequence[float], clusters: Sequence[str] | None = None) -> Estimate:
    """The mean of paired differences, from -1 to 1, with a bootstrap interval over clusters."""
    x = np.asarray(differences, dtype=np.float64)
    if not len(x):
        return Estimate(0.0, -1.0, 1.0, 0, 0)
    groups = _numbered(clusters, len(x))
    count = int(groups.max()) + 1
    low, high = bootstrap(x, groups)
    mean = float(x.mean())
    if low == high:
        # Not one pair differed, which few pairs do by luck: as far as the rule of three reaches.
        reach = min(1.0, 3 / count)
        low, high = mean - reach, mean + reach
    return Estimate(mean, max(-1.0, min(low, mean)), min(1.0, max(high, mean)), len(x), count)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test on discordant pairs. Source: McNemar 1947."""
    n = only_first + only_second
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * tail / 2**n))


def cohen_h(first: float, second: float) -> float:
    """Two proportions' distance on the arcsine scale: 0.2 small, 0.5 middling, 0.8 large. Source: Cohen 1988."""
    return 2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second))


def _numbered(clusters: Sequence[str] | None, n: int) -> npt.NDArray[np.int64]:
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    return np.asarray(np.unique(np.asarray(clusters), return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _t(df: int) -> float:
    """Student's 97.5 % quantile, by the Cornish-Fisher expansion. Source: Abramowitz and Stegun 26.7.5."""
    if df < 1:
        return 12.7
    z, v = _Z, float(df)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
