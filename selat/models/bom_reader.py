"""Reading the CycloneDX BOM of somebody else, in JSON of version 1.5 to 1.7: what it says of one model.

What the schema allows and is of no use here is passed over; a field of another type than the schema's is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from selat.core.errors import ModelRefused
from selat.models.bom import KIND, OURS, Metric
from selat.models.record import Lineage

READ = ("1.5", "1.6", "1.7")
MAX_BOM_BYTES = 16 << 20
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Said:
    """What a BOM of somebody else says of a model; none of it was verified. `files`: SHA-256 by path.

    `passed_over`: metrics that are no share of 1 or percentage, by name.
    """

    name: str
    vendor: str = ""
    country: str = ""
    licence: str = ""
    lineage: Lineage = Lineage()  # noqa: RUF009 - frozen
    files: dict[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    passed_over: tuple[str, ...] = ()
    date: str = ""
    serial: str = ""


class _Address(msgspec.Struct):
    country: str = ""


class _Organisation(msgspec.Struct):
    name: str = ""
    address: _Address | None = None


class _LicenceName(msgspec.Struct):
    id: str = ""
    name: str = ""


class _LicenceEntry(msgspec.Struct):
    license: _LicenceName | None = None
    expression: str = ""


class _Hash(msgspec.Struct):
    alg: str
    content: str


class _Property(msgspec.Struct):
    name: str
    value: str = ""


class _Dataset(msgspec.Struct):
    name: str = ""
    ref: str = ""


class _Parameters(msgspec.Struct):
    datasets: list[_Dataset] = msgspec.field(default_factory=list)


class _Interval(msgspec.Struct):
    lowerBound: str = ""
    upperBound: str = ""


class _Metric(msgspec.Struct):
    type: str = ""
    value: str = ""
    slice: str = ""
    confidenceInterval: _Interval | None = None


class _Analysis(msgspec.Struct):
    performanceMetrics: list[_Metric] = msgspec.field(default_factory=list)


class _Card(msgspec.Struct):
    modelParameters: _Parameters | None = None
    quantitativeAnalysis: _Analysis | None = None


class _Pedigree(msgspec.Struct):
    ancestors: list[_Component] = msgspec.field(default_factory=list)


class _Component(msgspec.Struct):
    type: str
    name: Annotated[str, Meta(min_length=1, max_length=300)]
    ref: str = msgspec.field(name="bom-ref", default="")
    group: str = ""
    version: str = ""
    manufacturer: _Organisation | None = None
    supplier: _Organisation | None = None
    publisher: str = ""
    licenses: list[_LicenceEntry] = msgspec.field(default_factory=list)
    pedigree: _Pedigree | None = None
    hashes: list[_Hash] = msgspec.field(default_factory=list)
    components: list[_Component] = msgspec.field(default_factory=list)
    modelCard: _Card | None = None
    properties: list[_Property] = msgspec.field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.group}/{self.name}" if self.group else self.name


class _Metadata(msgspec.Struct):
    timestamp: str = ""
    component: _Component | None = None


class _Document(msgspec.Struct):
    bomFormat: str
    specVersion: str
    serialNumber: str = ""
    metadata: _Metadata | None = None
    components: list[_Component] = msgspec.field(default_factory=list)


def read_bom(unverified: bytes, name: str = "") -> Said:
    """What a BOM says of a model: of the one of that name, or of the only one. Raises: ModelRefused."""
    if len(unverified) > MAX_BOM_BYTES:
        raise ModelRefused(f"the BOM has {len(unverified)} bytes, over the limit of {MAX_BOM_BYTES}")
    try:
        found = msgspec.json.decode(unverified, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelRefused(f"this is no CycloneDX BOM in JSON: {error}") from error
    if found.bomFormat != "CycloneDX" or found.specVersion not in READ:
        raise ModelRefused(
            f"this is {found.bomFormat[:20]} of version {found.specVersion[:10]}; "
            f"read is CycloneDX of version {', '.join(READ)}"
        )
    about = found.metadata or _Metadata()
    named = [*([about.component] if about.component else []), *found.components]
    everything = list(_walk(named))
    return _said(_choose(everything, name), everything, about.timestamp, found.serialNumber)


def _walk(components: Iterable[_Component]) -> Iterator[_Component]:
    waiting = list(components)
    while waiting:
        yield (one := waiting.pop(0))
        waiting = [*one.components, *waiting]


def _choose(everything: list[_Component], name: str) -> _Component:
    models = [one for one in everything if one.type == KIND]
    if not models:
        raise ModelRefused(f"the BOM describes no component of type {KIND}")
    wanted = [one for one in models if name.lower() in (one.title.lower(), one.name.lower())]
    if not wanted and len(models) > 1:
        raise ModelRefused(
            f"the BOM describes {len(models)} models, none named '{name}': "
            f"{', '.join(one.title for one in models[:5])}"
        )
    return (wanted or models)[0]


def _said(model: _Component, everything: list[_Component], time: str, serial: str) -> Said:
    maker = model.manufacturer or model.supplier or _Organisation()
    country = (maker.address.country if maker.address else "").strip().upper()
    own = {one.name.removeprefix(OURS): one.value for one in model.properties if one.name.startswith(OURS)}
    metrics, passed_over = _metrics(model.modelCard)
    held = {one.name: _sha256(one) for one in model.components if one.type == "file"}
    if digest := _sha256(model):
        held[model.name] = digest
    return Said(
        name=model.title,
        vendor=(maker.name or model.publisher)[:200],
        country=country if re.fullmatch(r"[A-Z]{2}", country) else "",
        licence=_licence_of(model.licenses),
        lineage=Lineage(
            tuple(_base(one) for one in (model.pedigree.ancestors if model.pedigree else ())),
            own.get("relation", ""),
            _datasets(model.modelCard, {one.ref: one.name for one in everything if one.ref}),
            own.get("recipe", ""),
        ),
        files={path: digest for path, digest in held.items() if digest},
        metrics=metrics,
        passed_over=passed_over,
        date=time[:10],
        serial=serial[:100],
    )


def _base(one: _Component) -> str:
    return f"{one.title}@{one.version}" if re.fullmatch(r"[0-9a-f]{7,40}", one.version) else one.title


def _sha256(one: _Component) -> str:
    return next((hash_.content.lower() for hash_ in one.hashes if hash_.alg == "SHA-256"), "")


def _licence_of(entries: list[_LicenceEntry]) -> str:
    for one in entries:
        named = (one.license.id or one.license.name) if one.license else one.expression
        if named:
            return named.lower()[:100]
    return ""


def _datasets(card: _Card | None, names: dict[str, str]) -> tuple[str, ...]:
    listed = card.modelParameters.datasets if card and card.modelParameters else []
    found = (one.name or names.get(one.ref, one.ref) for one in listed[:50])
    return tuple(name[:200] for name in found if name)


def _metrics(card: _Card | None) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
    listed = card.quantitativeAnalysis.performanceMetrics if card and card.quantitativeAnalysis else []
    taken, passed_over = [], []
    for one in listed[:1000]:
        exam = one.type[:200]
        score = _share(one.value)
        if not exam or score is None:
            passed_over.append(exam or "unnamed")
            continue
        bounds = one.confidenceInterval or _Interval()
        taken.append(Metric(exam, score, _share(bounds.lowerBound), _share(bounds.upperBound), one.slice[:200]))
    return tuple(taken), tuple(passed_over)


def _share(text: str) -> float | None:
    """`0.81` or `81%` as 0.81; None for what is no share."""
    match = _SHARE.fullmatch(text[:40])
    if match is None:
        return None
    value = float(match[1]) / (100 if match[2] else 1)
    return value if value <= 1 else None
