"""sovereignty: how well a house stands on its own, in four scores over what it did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from selat.core.caller import Site
from selat.ledger import Question, usage
from selat.models.catalogue import entry_of

OWN = "self"
Promoted = Callable[[str, str, str], bool]
"""Whether a passport holds for (purpose, model, engine) now."""


@dataclass(frozen=True, slots=True)
class Served:
    """Requests of one kind that went to an engine; `closed` of them have their second entry too."""

    purpose: str
    model: str
    engine: str
    requests: int
    closed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An engine as far as it matters here. `models` maps public names to its own; `weights`: it runs a model."""

    name: str
    site: Site
    models: Mapping[str, str]
    weights: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """`met` of `of` requests; `missing` are those not met, by what they fail for, the most first."""

    name: str
    met: int
    of: int
    missing: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float | None:
        """0 to 1; None where there was nothing to count."""
        return self.met / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Cut:
    """Something that may fail or be taken away, and the requests that nobody else could have served then."""

    kind: str
    name: str
    lost: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """The four scores, and every cut that survivability was drilled with, the worst first."""

    scores: tuple[Score, ...]
    cuts: tuple[Cut, ...]


class _Engine(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def site(self) -> Site: ...

    @property
    def models(self) -> tuple[str, ...]: ...

    def upstream_model(self, model: str) -> str: ...


def standing(engine: _Engine, kind: str) -> Standing:
    """An engine of a kind as `engines.toml` names them; the extractive ones run no model."""
    models = {model: engine.upstream_model(model) for model in engine.models}
    return Standing(engine.name, engine.site, models, kind not in ("extractive", "built-in"))


def served(ledger: Path, tenant: str, since: str = "") -> list[Served]:
    """The requests of a tenant that went to an engine since a moment (RFC 3339). Raises: LedgerBroken."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for use in usage(ledger, ("purpose", "model", "engine", "outcome"), Question(tenant=tenant, since=since)):
        purpose, model, engine, outcome = use.group
        went = use.requests - use.refused
        if went and engine:
            counts = found.setdefault((purpose, model, engine), [0, 0])
            counts[0] += went
            counts[1] += went if outcome else 0
    return [Served(*group, *counts) for group, counts in sorted(found.items())]


def assess(served: Sequence[Served], engines: Sequence[Standing], home: str, promoted: Promoted) -> Assessment:
    """Score what was served against the engines as they stand now; `home` is the jurisdiction of the house.

    Receipts: requests whose both entries are in the log. Passports: requests to model weights that a passport
    covers. Residency: requests that stayed at sites in the home country under its law alone. Survivability:
    requests that would still be served if the worst single engine, operator, foreign country, vendor's country
    or hardware were gone.
    """
    known = {engine.name: engine for engine in engines}
    cuts = drill(served, engines, home)
    total = sum(one.requests for one in served)
    held = {model for engine in engines for model in engine.models}
    unserved = sum(one.requests for one in served if one.model not in held)
    lost = cuts[0].lost if cuts else unserved
    return Assessment(
        (
            _score("receipts", served, lambda one: one.engine, lambda one: one.closed),
            _score(
                "passports",
                [one for one in served if one.engine not in known or known[one.engine].weights],
                lambda one: f"{one.model} · {one.purpose}",
                lambda one: one.requests if promoted(one.purpose, one.model, one.engine) else 0,
            ),
            _score(
                "residency",
                served,
                lambda one: _place(known.get(one.engine), one.engine),
                lambda one: one.requests if _stays(known.get(one.engine), home) else 0,
            ),
            Score("survivability", total - lost, total, tuple((cut.name, cut.lost) for cut in cuts if cut.lost)),
        ),
        cuts,
    )


def drill(served: Sequence[Served], engines: Sequence[Standing], home: str) -> tuple[Cut, ...]:
    """What each single loss would cost, the worst first."""
    wanted: dict[str, int] = defaultdict(int)
    for one in served:
        wanted[one.model] += one.requests
    holders = {model: [engine for engine in engines if model in engine.models] for model in wanted}
    cuts = [
        Cut(*cut, sum(count for model, count in wanted.items() if _gone(holders[model], model, cut, home)))
        for cut in sorted({cut for engine in engines for cut in _ties(engine, home)})
    ]
    return tuple(sorted(cuts, key=lambda cut: (-cut.lost, cut.kind, cut.name)))


def _gone(holders: Iterable[Standing], model: str, cut: tuple[str, str], home: str) -> bool:
    return all(cut in _ties(engine, home, model) for engine in holders)


def _ties(engine: Standing, home: str, model: str = "") -> set[tuple[str, str]]:
    """What an engine hangs on, for one model or for all it has: the cuts that would take it away.

    A model's vendor can end updates and licences but not take back files; its country is still named, since a
    rule may forbid the model from one day to the next.
    """
    site = engine.site
    ties = {("engine", engine.name)} if engine.weights else set()
    if site.operator != OWN:
        ties.add(("operator", site.operator))
    ties |= {("country", place) for place in (site.jurisdiction, site.operator_jurisdiction) if place != home}
    if site.hardware not in ("", "unknown", "cpu"):
        ties.add(("hardware", site.hardware))
    names = [engine.models[model]] if model else engine.models.values()
    for name in names:
        known = entry_of(name)
        if known is not None and known.country != home:
            ties.add(("vendor", known.country))
    return ties


def _stays(engine: Standing | None, home: str) -> bool:
    return engine is not None and {engine.site.jurisdiction, engine.site.operator_jurisdiction} == {home}


def _place(engine: Standing | None, name: str) -> str:
    return f"{engine.name} · {engine.site.jurisdiction}" if engine else name


def _score(
    name: str, served: Sequence[Served], why: Callable[[Served], str], met: Callable[[Served], int]
) -> Score:
    missing: dict[str, int] = defaultdict(int)
    for one in served:
        if left := one.requests - met(one):
            missing[why(one)] += left
    total = sum(one.requests for one in served)
    ranked = sorted(missing.items(), key=lambda item: (-item[1], item[0]))
    return Score(name, total - sum(missing.values()), total, tuple(ranked))
