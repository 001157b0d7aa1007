"""What a run says, pack by pack: the score with its interval, what stood beside it, gaps and asymmetries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from selat.evals.item import Pack, Scored
from selat.evals.stats import Estimate, corrected, estimate, mean_difference

STATUSES = ("refused", "evaded", "invalid", "denied")
_HOME = "ms"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two languages or two sides on the same questions: the first's mean less the second's."""

    first: str
    second: str
    difference: Estimate

    def to_json(self) -> dict[str, object]:
        return {"first": self.first, "second": self.second, **self.difference.to_json()}


@dataclass(frozen=True, slots=True)
class Summary:
    """A pack's result. `counts` holds statuses, `truncated`, `masked`; `denied` samples are not in the score.

    `at_chance` says that the interval holds what guessing scores. `missing` samples were not answered.
    """

    pack: str
    digest: str
    title: tuple[str, str]
    score: Estimate
    chance: float | None
    corrected: Estimate | None
    counts: tuple[tuple[str, int], ...]
    missing: int
    parts: tuple[tuple[str, tuple[tuple[str, Estimate], ...]], ...]
    gaps: tuple[Contrast, ...]
    asymmetries: tuple[Contrast, ...]
    forms: tuple[Contrast, ...] = ()

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """Every paired difference that was found: of languages, of sides, of forms."""
        return (*self.gaps, *self.asymmetries, *self.forms)

    @property
    def widest_form(self) -> Contrast | None:
        """The two forms whose scores differ most; of equal ones, the two that are known least well."""
        return max(
            self.forms,
            key=lambda one: (abs(one.difference.mean), one.difference.high - one.difference.low),
            default=None,
        )

    @property
    def at_chance(self) -> bool:
        return self.chance is not None and self.score.low <= self.chance <= self.score.high

    @property
    def gap(self) -> Estimate | None:
        """How far Malay falls behind the language it falls furthest behind; None without parallel items.

        The sign is turned: a gap above 0 means that Malay is worse.
        """
        if not self.gaps:
            return None
        worst = min(self.gaps, key=lambda contrast: contrast.difference.mean).difference
        return Estimate(-worst.mean, -worst.high, -worst.low, worst.n, worst.clusters)

    def part(self, kind: str, name: str) -> Estimate | None:
        """The score of a part: `("expect", "refuse")`, `("language", "zh")`, `("side", …)`, …"""
        return dict(dict(self.parts).get(kind, ())).get(name)

    def to_json(self) -> dict[str, object]:
        return {
            "pack": self.pack,
            "digest": self.digest,
            "score": self.score.to_json(),
            "chance": self.chance,
            "corrected": self.corrected.to_json() if self.corrected else None,
            "at_chance": self.at_chance,
            "counts": dict(self.counts),
            "missing": self.missing,
            "parts": {kind: {name: one.to_json() for name, one in parts} for kind, parts in self.parts},
            "gaps": [gap.to_json() for gap in self.gaps],
            "asymmetries": [one.to_json() for one in self.asymmetries],
            "forms": [one.to_json() for one in self.forms],
        }


def summarise(
    pack: Pack, scored: Sequence[Scored], expected: int = 0, corpus: tuple[tuple[str, Estimate], ...] = ()
) -> Summary:
    """The result of one pack. `expected` is how many samples there should be; `corpus` the chrF of directions."""
    mine = [one for one in scored if one.pack == pack.name]
    counted = [one for one in mine if one.score.status != "denied"]
    found = _estimate(counted)
    tally = Counter(one.score.status for one in mine)
    counts = [(status, tally[status]) for status in STATUSES]
    counts.append(("truncated", sum(one.score.truncated for one in mine)))
    counts.append(("masked", sum(one.score.masked for one in mine)))
    keys: tuple[tuple[str, Callable[[Scored], str]], ...] = (
        ("language", lambda one: one.language),
        ("template", lambda one: one.template),
        ("expect", lambda one: one.expect),
        ("side", lambda one: one.side),
        ("topic", lambda one: one.topic),
    )
    # A bar may name the form of a run that used only one.
    parts = tuple(
        (kind, split) for kind, key in keys if len(split := _split(counted, key)) > 1 or kind == "template"
    )
    if corpus:
        parts = (("chrf", corpus), *parts)
    return Summary(
        pack=pack.name,
        digest=pack.digest,
        title=pack.title,
        score=found,
        chance=pack.chance,
        corrected=None if pack.chance is None else corrected(found, pack.chance),
        counts=tuple(counts),
        missing=max(0, expected - len(mine)),
        parts=parts,
        gaps=_contrasts(counted, lambda one: one.language, lambda one: (one.cluster, one.side, one.template)),
        asymmetries=_contrasts(
            counted, lambda one: one.side, lambda one: (one.cluster, one.language, one.template)
        ),
        forms=_contrasts(counted, lambda one: one.template, lambda one: (one.item,)),
    )


def _estimate(scored: Sequence[Scored]) -> Estimate:
    return estimate([one.score.value for one in scored], [one.cluster for one in scored])


def _split(scored: Sequence[Scored], key: Callable[[Scored], str]) -> tuple[tuple[str, Estimate], ...]:
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        groups.setdefault(key(one), []).append(one)
    return tuple((name, _estimate(some)) for name, some in sorted(groups.items()) if name)


def _contrasts(
    scored: Sequence[Scored], name: Callable[[Scored], str], key: Callable[[Scored], tuple[str, ...]]
) -> tuple[Contrast, ...]:
    """Each two names that meet under the same key often enough, Malay first."""
    table: dict[tuple[str, ...], dict[str, Scored]] = {}
    for one in scored:
        if name(one):
            table.setdefault(key(one), {})[name(one)] = one
    names = sorted({name(one) for one in scored if name(one)}, key=lambda text: (text != _HOME, text))
    found: list[Contrast] = []
    for first, second in combinations(names, 2):
        pairs = [row for row in table.values() if first in row and second in row]
        if len(pairs) >= 5 and (first == _HOME or _HOME not in names):
            differences = [row[first].score.value - row[second].score.value for row in pairs]
            clusters = [row[first].cluster for row in pairs]
            found.append(Contrast(first, second, mean_difference(differences, clusters)))
    return tuple(found)
