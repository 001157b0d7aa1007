"""How well a library answers a set of questions whose right documents are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its right documents (`gold`; none: nothing answers it) and what the library did.

    `hits` are document ids, best first; `citations` those that the answer cites; `abstained` None when no
    answer was asked for; `fell_back` when a model was to order the hits and gave no order.
    """

    language: str
    gold: frozenset[str]
    hits: Sequence[str]
    citations: Sequence[str] = ()
    abstained: bool | None = None
    fell_back: bool = False


@dataclass(slots=True)
class Scores:
    """Means over the questions: `recall` by k is the share with a right document among the first k hits.

    `fell_back` counts the questions whose hits a model was to order and did not.
    """

    questions: int = 0
    unanswerable: int = 0
    recall: dict[int, float] = field(default_factory=dict)
    mrr: float = 0.0
    ndcg10: float = 0.0
    cited: float = 0.0
    citation_precision: float = 0.0
    abstained_rightly: float = 0.0
    abstained_wrongly: float = 0.0
    fell_back: int = 0


DEPTHS = (1, 3, 5, 10)


def score(judged: Iterable[Judged]) -> dict[str, Scores]:
    """Scores of each language and of `all`."""
    groups: dict[str, list[Judged]] = {"all": []}
    for one in judged:
        groups["all"].append(one)
        groups.setdefault(one.language, []).append(one)
    return {language: _scores(group) for language, group in groups.items()}


def _scores(group: Sequence[Judged]) -> Scores:
    answerable = [one for one in group if one.gold]
    hopeless = [one for one in group if not one.gold]
    cited = [one for one in answerable if one.citations]
    return Scores(
        questions=len(group),
        unanswerable=len(hopeless),
        recall={k: _mean(bool(one.gold.intersection(one.hits[:k])) for one in answerable) for k in DEPTHS},
        mrr=_mean(_reciprocal(one) for one in answerable),
        ndcg10=_mean(_ndcg(one) for one in answerable),
        cited=_mean(bool(one.gold.intersection(one.citations)) for one in answerable),
        citation_precision=_mean(
            len(one.gold.intersection(one.citations)) / len(frozenset(one.citations)) for one in cited
        ),
        abstained_rightly=_mean(bool(one.abstained) for one in hopeless),
        abstained_wrongly=_mean(bool(one.abstained) for one in answerable),
        fell_back=sum(one.fell_back for one in group),
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _reciprocal(one: Judged) -> float:
    return next((1 / rank for rank, hit in enumerate(one.hits, 1) if hit in one.gold), 0.0)


def _ndcg(one: Judged) -> float:
    """Source: Järvelin and Kekäläinen 2002, gains 0 and 1, over the first ten hits."""
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(one.hits[:10], 1) if hit in one.gold)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, len(one.gold)) + 1))
    return gain / ideal if ideal else 0.0
