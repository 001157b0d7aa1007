"""bom: a model leaves with its description as a CycloneDX ML-BOM, and others' descriptions are noted as claims."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from selat.core.errors import Misused, ModelRefused
from selat.evals import shipped
from selat.evals.passport import ClaimedScore
from selat.flows.claims import Claims
from selat.flows.promote import Registry
from selat.flows.shelve import Shelving
from selat.models import Model, ModelStore
from selat.models.bom import Described, Metric
from selat.models.bom_reader import Said, read_bom

_FACTS = ("vendor", "country", "licence")
_LINEAGE = ("base", "relation", "datasets", "recipe")


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of a BOM: the fields of the record that it filled, those that say something else and stay so.

    `held`: how many of our files it states the digest of.
    """

    model: Model
    said: Said
    filled: tuple[str, ...]
    kept: tuple[str, ...]
    scores: int
    held: int

    def to_json(self) -> dict[str, object]:
        return {
            "model": self.model.name,
            "revision": self.model.revision,
            "filled": list(self.filled),
            "kept": list(self.kept),
            "scores": self.scores,
            "files_held_against": self.held,
            "passed_over": list(self.said.passed_over),
        }


def describe(store: ModelStore, model: Model, registry: Registry) -> Described:
    """What was verified here of a model: the purposes that it was promoted to, its latest results, one a pack."""
    weights = {file.digest for file in model.files}
    promoted = [one for one in registry.promotions() if one.weights.digest in weights]
    passports = sorted((registry.passport(one.passport) for one in promoted), key=lambda one: one.time)
    results = {result.pack: result for passport in passports for result in passport.results}
    metrics = [Metric(pack, *_shares(result.score)) for pack, result in results.items()]
    facts = {f"eval:{pack}": f"pack {one.digest}, run {one.run}, n {one.n}" for pack, one in results.items()}
    facts |= {f"purpose:{one.purpose}": f"until {one.until}, passport {one.passport}" for one in promoted}
    purposes = tuple(sorted({one.purpose for one in promoted}))
    return Described(purposes, tuple(metrics), _architecture(store, model), facts)


def note_bom(shelving: Shelving, model: Model, claims: Claims, content: bytes) -> Noted:
    """Take what a vendor's BOM says of a model as claims: the record's empty fields, and published scores.

    Nothing of it counts as verified. Raises: ModelRefused, for what is no BOM or is of other files; Misused, where
    it says nothing new; LedgerUnavailable.
    """
    said = read_bom(content, model.name)
    held = _hold(model, said)
    filled, kept = _beside(model, said)
    digest = hashlib.sha256(content).hexdigest()
    scores = [_score(one, said, digest) for one in said.metrics]
    if not filled and not scores:
        raise Misused(f"the BOM says nothing new of {model.title}; it would fill: {', '.join(_FACTS + _LINEAGE)}")
    facts: dict[str, object] = {"model": model.name, "revision": model.revision, "vendor": said.vendor}
    shelving.record("model.claimed", facts | {"bom": digest, "filled": sorted(filled), "scores": len(scores)})
    for one in scores:
        claims.add(model.name, one)
    with shelving.store.taking():
        lineage = replace(model.lineage, **{name: filled[name] for name in _LINEAGE if name in filled})
        known = {name: filled[name] for name in _FACTS if name in filled}
        model = shelving.store.put(replace(model, lineage=lineage, **known), current=False)
    return Noted(model, said, tuple(sorted(filled)), kept, len(scores), held)


def _hold(model: Model, said: Said) -> int:
    """How many of our files it states the digest of. Raises: ModelRefused, where it speaks of others."""
    for file in model.files:
        if said.files.get(file.path, file.digest) != file.digest:
            raise ModelRefused(f"the BOM is of other files: it states another SHA-256 of '{file.path}'")
    stated = set(said.files.values())
    held = sum(file.digest in stated for file in model.files)
    if stated and not held:
        raise ModelRefused(f"the BOM is of other files: none whose digest it states is in {model.title}")
    return held


def _beside(model: Model, said: Said) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The empty fields of the record that it fills, and the others that it would have otherwise."""
    ours = {name: getattr(model, name) for name in _FACTS}
    ours |= {name: getattr(model.lineage, name) for name in _LINEAGE}
    theirs = {name: getattr(said, name) for name in _FACTS}
    theirs |= {name: getattr(said.lineage, name) for name in _LINEAGE}
    filled: dict[str, Any] = {name: value for name, value in theirs.items() if value and not ours[name]}
    kept = tuple(name for name, value in theirs.items() if value and ours[name] and value != ours[name])
    return filled, kept


def _score(one: Metric, said: Said, digest: str) -> ClaimedScore:
    exam = f"{one.exam}, {one.part}" if one.part else one.exam
    pack = one.exam if one.exam in shipped() and not one.part else ""
    source = said.serial or f"BOM sha256:{digest[:16]}"
    return ClaimedScore(exam, round(one.score * 1_000_000), said.vendor or "BOM", source, said.date, pack)


def _shares(score: tuple[int, int, int]) -> tuple[float, float, float]:
    return score[0] / 1e6, score[1] / 1e6, score[2] / 1e6


def _architecture(store: ModelStore, model: Model) -> str:
    """The class that config.json names; "" where there is none."""
    file = model.file("config.json")
    if file is None:
        return ""
    try:
        config = json.loads(store.blobs.read(file.digest))
        return str((config.get("architectures") or [""])[0])[:200]
    except (ValueError, AttributeError, TypeError, IndexError, KeyError):
        return ""
