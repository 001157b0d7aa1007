"""A model as a CycloneDX ML-BOM, in JSON of version 1.6.

Source: CycloneDX 1.6 (ECMA-424), `component` of type machine-learning-model with its `modelCard`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from selat.models.licence import licence
from selat.models.record import SIGNATURE, Lineage, Model, ModelFile

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
KIND = "machine-learning-model"
OURS = "selat:"


@dataclass(frozen=True, slots=True)
class Metric:
    """A score in an exam, as a share of 1; `low` and `high` are its interval where one is stated."""

    exam: str
    score: float
    low: float | None = None
    high: float | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """What stands in a BOM beside the model itself: what it may be used for, what it scored, and plain facts."""

    purposes: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    architecture: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def write_bom(model: Model, described: Described, identity: str, time: str, version: str) -> bytes:
    """The BOM of a model, indented. `identity`: 32 hex digits, its serial number; `version`: of this Selat."""
    tool = {"type": "application", "name": "selat", "version": version}
    document = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(identity)}",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "tools": {"components": [tool]},
            "component": _component(model, described),
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _component(model: Model, described: Described) -> dict[str, Any]:
    owner, _, name = model.name.rpartition("/")
    made: dict[str, Any] = {
        "type": KIND,
        "bom-ref": f"{model.name}@{model.revision}",
        **({"group": owner} if owner else {}),
        "name": name,
        "version": model.revision,
    }
    if model.vendor:
        where = {"address": {"country": model.country}} if model.country else {}
        made["manufacturer"] = {"name": model.vendor, **where}
    if model.licence:
        made["licenses"] = [{"license": _licence(model.licence)}]
    if pedigree := _pedigree(model.lineage):
        made["pedigree"] = pedigree
    if references := list(_references(model)):
        made["externalReferences"] = references
    made["components"] = [_file(model, one) for one in model.files]
    made["modelCard"] = _card(model, described)
    facts = {
        "format": model.format,
        "relation": model.lineage.relation,
        "recipe": model.lineage.recipe,
        "label": model.label,
        "receipt": model.receipt,
        "signer": model.signed.signer,
        **described.facts,
    }
    made["properties"] = [{"name": f"{OURS}{key}", "value": text} for key, text in facts.items() if text]
    return made


def _licence(id_: str) -> dict[str, str]:
    known = licence(id_)
    return {
        **({"id": known.spdx} if known.spdx else {"name": id_}),
        **({"url": known.source} if known.source else {}),
        "acknowledgement": "declared",
    }


def _pedigree(lineage: Lineage) -> dict[str, Any]:
    ancestors = []
    for base in lineage.base:
        name, _, revision = base.partition("@")
        owner, _, short = name.rpartition("/")
        version = {"version": revision} if revision else {}
        ancestors.append({"type": KIND, **({"group": owner} if owner else {}), "name": short, **version})
    notes = " ".join(word for word in (lineage.relation, lineage.recipe) if word)
    return {**({"ancestors": ancestors} if ancestors else {}), **({"notes": notes} if notes else {})}


def _references(model: Model) -> Iterator[dict[str, Any]]:
    scheme, _, place = model.source.partition(":")
    if scheme in ("hub", "https", "http"):
        yield {"type": "distribution", "url": f"{'http' if scheme == 'http' else 'https'}://{place}"}
    for path, kind in (("README.md", "model-card"), (SIGNATURE, "digital-signature")):
        if file := model.file(path):
            yield {"type": kind, "url": path, "hashes": [{"alg": "SHA-256", "content": file.digest}]}


def _file(model: Model, file: ModelFile) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"{model.name}@{model.revision}#{file.path}",
        "name": file.path,
        "hashes": [{"alg": "SHA-256", "content": file.digest}],
        "properties": [{"name": f"{OURS}size_bytes", "value": str(file.size_bytes)}],
    }


def _card(model: Model, described: Described) -> dict[str, Any]:
    parameters: dict[str, Any] = {"task": "text-generation"}
    if described.architecture:
        parameters["modelArchitecture"] = described.architecture
    if model.lineage.datasets:
        parameters["datasets"] = [{"type": "dataset", "name": name} for name in model.lineage.datasets]
    card: dict[str, Any] = {"modelParameters": parameters}
    if described.metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": [_metric(one) for one in described.metrics]}
    if described.purposes:
        card["considerations"] = {"useCases": list(described.purposes)}
    return card


def _metric(one: Metric) -> dict[str, Any]:
    interval = {"lowerBound": f"{one.low:.6f}", "upperBound": f"{one.high:.6f}"} if one.low is not None else {}
    return {
        "type": one.exam,
        "value": f"{one.score:.6f}",
        **({"slice": one.part} if one.part else {}),
        **({"confidenceInterval": interval} if interval else {}),
    }
