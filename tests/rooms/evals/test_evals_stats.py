"""The statistics keep their promises: intervals cover, clusters count as one, and doubt is said."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import Misused
from selat.evals.compare import NOT_ENOUGH, compare
from selat.evals.item import Score, Scored
from selat.evals.stats import Estimate, cohen_h, corrected, estimate, mcnemar, mean_difference, wilson

RUNS = 1000
Chance = np.random.Generator
Draw = Callable[[Chance], tuple[list[float], list[str] | None]]


def single(p: float, n: int) -> Draw:
    def draw(chance: Chance) -> tuple[list[float], list[str] | None]:
        return list((chance.random(n) < p).astype(float)), None

    return draw


def parallel(p: float, groups: int, each: int, alike: float) -> Draw:
    """Items in `each` versions; with probability `alike` a version shares its group's fate."""

    def draw(chance: Chance) -> tuple[list[float], list[str] | None]:
        fate = chance.random(groups) < p
        own = chance.random((groups, each)) < p
        shared = chance.random((groups, each)) < alike
        right = np.where(shared, fate[:, None], own)
        return list(right.reshape(-1).astype(float)), [str(n // each) for n in range(groups * each)]

    return draw


def partial(groups: int, each: int) -> Draw:
    """Scores between 0 and 1, as chrF gives: Beta(6, 4) a group, with noise of its own a value. Mean 0.6."""

    def draw(chance: Chance) -> tuple[list[float], list[str] | None]:
        centre = chance.beta(6, 4, groups)
        values = np.clip(centre[:, None] + chance.uniform(-0.05, 0.05, (groups, each)), 0.001, 0.999)
        return list(values.reshape(-1)), [str(n // each) for n in range(groups * each)]

    return draw


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        pytest.param(single(0.7, 200), 0.7, id="200 items, 70 %"),
        pytest.param(single(0.9, 150), 0.9, id="150 items, 90 %"),
        pytest.param(single(0.25, 400), 0.25, id="400 items at chance"),
        pytest.param(parallel(0.7, 120, 3, 0.7), 0.7, id="120 pairs of languages, alike"),
        pytest.param(parallel(0.5, 60, 4, 0.9), 0.5, id="60 groups of four, very alike"),
        pytest.param(partial(80, 2), 0.6, id="chrF-like scores"),
    ],
)
def test_interval_covers_the_known_accuracy_in_93_to_97_of_100_runs(draw: Draw, truth: float) -> None:
    chance = np.random.default_rng(20261122)
    covered = 0
    for _ in range(RUNS):
        found = estimate(*draw(chance))
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / RUNS <= 0.97, covered / RUNS


def test_interval_that_ignores_clusters_would_not_cover() -> None:
    """The reason for the clusters: the same draws, taken as independent, fail."""
    chance = np.random.default_rng(1)
    draw = parallel(0.5, 60, 4, 0.9)
    covered = 0
    for _ in range(RUNS):
        values, _clusters = draw(chance)
        found = estimate(values)
        covered += found.low <= 0.5 <= found.high
    assert covered / RUNS < 0.85


def test_paired_difference_covers_in_93_to_97_of_100_runs() -> None:
    chance = np.random.default_rng(5)
    covered = 0
    for _ in range(RUNS):
        hard = chance.random(100)
        first = (hard < 0.75).astype(float)
        second = ((hard < 0.6) ^ (chance.random(100) < 0.1)).astype(float)
        truth = 0.75 - (0.6 * 0.9 + 0.4 * 0.1)
        found = mean_difference(list(first - second))
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / RUNS <= 0.97, covered / RUNS


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # By the closed form, worked by hand; 8 of 10 is Brown, Cai and DasGupta's example.
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0)],
)
def test_wilson_gives_the_published_limits(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k / n, n) == pytest.approx((low, high), abs=5e-4)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60), st.integers(1, 5))
def test_interval_holds_its_mean_and_stays_a_share(values: list[float], each: int) -> None:
    found = estimate(values, [str(n // each) for n in range(len(values))])
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.n, found.clusters) == (len(values), math.ceil(len(values) / each))


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_symmetric_and_a_probability(a: int, b: int) -> None:
    assert 0 < mcnemar(a, b) <= 1
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(1, 9) == pytest.approx(2 * 11 / 1024)
    assert mcnemar(4, 4) == 1.0


def test_no_values_tell_nothing() -> None:
    assert estimate([]) == Estimate(0.0, 0.0, 1.0, 0, 0)


def test_chance_corrected_is_nought_at_chance_and_one_at_best() -> None:
    assert corrected(estimate([1.0] * 20), 0.25).mean == 1
    at_chance = corrected(estimate([1.0] * 10 + [0.0] * 30), 0.25)
    assert at_chance.mean == 0
    assert at_chance.low < 0 < at_chance.high


def test_effect_size_is_cohens() -> None:
    assert cohen_h(0.5, 0.5) == 0
    assert cohen_h(0.7, 0.5) == pytest.approx(0.4115, abs=1e-4)


def scored(rights: list[int], template: str = "biasa") -> list[Scored]:
    return [Scored("p", str(n), template, "ms", str(n), Score(float(right))) for n, right in enumerate(rights)]


def test_few_items_do_not_tell_and_say_how_many_would() -> None:
    found = compare("p", scored([1] * 12 + [0] * 8), scored([1] * 10 + [0] * 10))
    assert found.verdict == NOT_ENOUGH
    assert found.needed is not None
    assert found.needed > 20
    assert found.p == 0.5


def test_many_items_tell() -> None:
    found = compare("p", scored([1] * 160 + [0] * 40), scored([1] * 110 + [0] * 90))
    assert found.verdict == "first is better"
    assert (found.only_first, found.only_second) == (50, 0)
    assert found.p is not None
    assert found.p < 1e-9
    assert compare("p", scored([0] * 40 + [1] * 60), scored([1] * 100)).verdict == "second is better"


def test_equal_runs_over_many_items_differ_in_nothing_that_matters() -> None:
    rights = [1, 0] * 400
    assert compare("p", scored(rights), scored(rights)).verdict == "no difference that matters"
    few = compare("p", scored(rights[:20]), scored(rights[:20]))
    assert few.verdict == NOT_ENOUGH


def test_only_the_same_questions_in_the_same_form_are_compared() -> None:
    with pytest.raises(Misused, match="share no sample"):
        compare("p", scored([1]), scored([1], "kurungan"))
