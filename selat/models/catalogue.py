"""The catalogue of open-weight models as dated data, and which of them fit a machine, a language and a licence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from selat.core.errors import Misused
from selat.models.licence import Licence, licence

BITS = {"f16": 16.0, "q8_0": 8.5, "q6_k": 6.56, "q5_k_m": 5.7, "q4_k_m": 4.89, "mxfp4": 4.25}
"""Bits a weight takes. Source: llama.cpp's table of quantisations of an 8B model; MXFP4 by its specification."""
WORKING, FIXED_GB = 1.1, 1.0
"""Memory is weights x 1.1 + 1 GB: a context of some 8,000 tokens and what the engine itself takes."""
ORDER = ("f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "mxfp4")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(GB|GiB|G|TB|T|MB|M)?", re.IGNORECASE)
_UNITS = {"G": 1.0, "GB": 1.0, "GIB": 1.073741824, "T": 1000.0, "TB": 1000.0, "M": 0.001, "MB": 0.001}


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue; the file says what each field means."""

    name: str
    family: str
    vendor: str
    country: str
    licence: str
    parameters: float
    context: int
    languages: tuple[str, ...]
    source: str
    checked: str
    active: float = 0.0
    base: str = ""
    base_country: str = ""
    many: int = 0
    memory: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def memory_gb(self, quantisation: str) -> float:
        """Gigabytes that it takes to run, as its source states or by the formula above."""
        if quantisation in self.memory:
            return self.memory[quantisation]
        return round(self.parameters * BITS[quantisation] / 8 * WORKING + FIXED_GB, 1)

    def quantisations(self) -> tuple[str, ...]:
        """Those that it is given in, the finest first: MXFP4 only where its maker trained it so."""
        return ("mxfp4",) if "mxfp4" in self.memory else ORDER[:-1]

    def to_json(self) -> dict[str, object]:
        known = licence(self.licence)
        return {
            "name": self.name,
            "family": self.family,
            "vendor": self.vendor,
            "country": self.country,
            "base": self.base,
            "base_country": self.base_country,
            "licence": known.to_json(),
            "parameters": self.parameters,
            "active": self.active,
            "context": self.context,
            "languages": list(self.languages),
            "many": self.many,
            "memory_gb": {name: self.memory_gb(name) for name in self.quantisations()},
            "source": self.source,
            "checked": self.checked,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Need:
    """What a model is sought for: gigabytes at hand, a language (ISO 639-1), countries it must not come from."""

    memory_gb: float
    language: str = ""
    permissive: bool = False
    not_from: frozenset[str] = frozenset()
    most: int = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model that fits, at the finest quantisation that does, with the reasons in English and Malay."""

    entry: Entry
    quantisation: str
    memory_gb: float
    reasons: tuple[str, ...]
    reasons_ms: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return {
            **self.entry.to_json(),
            "quantisation": self.quantisation,
            "needs_gb": self.memory_gb,
            "reasons": list(self.reasons),
            "reasons_ms": list(self.reasons_ms),
        }


@cache
def catalogue() -> tuple[Entry, ...]:
    """All entries, as of `as_of()`."""
    rows = _table()["model"]
    return tuple(Entry(**{**row, "languages": tuple(row["languages"])}) for row in rows)


def as_of() -> str:
    """The day that the facts were gathered."""
    return str(_table()["as_of"])


def languages() -> list[str]:
    """The languages that makers name among those of their models (ISO 639-1), in order."""
    return sorted({language for one in catalogue() for language in one.languages})


def entry_of(name: str) -> Entry | None:
    """The entry of that model, whatever its letters' case; None for one that the catalogue has not."""
    return next((one for one in catalogue() if one.name.lower() == name.lower()), None)


def read_memory(text: str) -> float:
    """Gigabytes of `16GB`, `16GiB`, `512MB` or `16`. Raises: Misused."""
    match = _MEMORY.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise Misused(f"memory '{text[:20]}': write it as 16GB")
    return float(match[1]) * _UNITS[(match[2] or "GB").upper()]


def suggest(need: Need, entries: Iterable[Entry] = ()) -> list[Suggestion]:
    """The best that fit, from several vendors: first the best of each vendor, then the next best of each.

    Better is: the language named by the maker, then not verified last, then more parameters.
    """
    fits = [found for one in entries or catalogue() if (found := _fit(one, need))]
    fits.sort(key=lambda one: _rank(one, need), reverse=True)
    turns: dict[str, int] = {}
    placed = []
    for one in fits:
        turn = turns[one.entry.vendor] = turns.get(one.entry.vendor, 0) + 1
        placed.append((turn, one))
    placed.sort(key=lambda pair: pair[0])
    return [one for _, one in placed[: need.most]]


def _rank(one: Suggestion, need: Need) -> tuple[bool, bool, float]:
    return need.language in one.entry.languages, one.entry.checked != "", one.entry.parameters


def _fit(one: Entry, need: Need) -> Suggestion | None:
    known = licence(one.licence)
    away = {one.country, one.base_country} & need.not_from
    speaks = not need.language or need.language in one.languages or one.many > 0
    if away or not speaks or (need.permissive and not known.permissive):
        return None
    for name in one.quantisations():
        if (takes := one.memory_gb(name)) <= need.memory_gb:
            return Suggestion(one, name, takes, *_reasons(one, need, known, (name, takes)))
    return None


def _reasons(
    one: Entry, need: Need, known: Licence, size: tuple[str, float]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    (name, takes), english, malay = size, [], []
    english.append(f"takes about {takes:g} GB at {name}, of {need.memory_gb:g}")
    malay.append(f"memerlukan kira-kira {takes:g} GB pada {name}, daripada {need.memory_gb:g}")
    if need.language in one.languages:
        english.append(f"its maker names '{need.language}' among its languages")
        malay.append(f"pembuatnya menamakan '{need.language}' antara bahasanya")
    elif need.language:
        english.append(f"its maker claims {one.many} languages, without our having seen '{need.language}' named")
        malay.append(f"pembuatnya mendakwa {one.many} bahasa; '{need.language}' belum kami lihat dinamakan")
    english.append(f"licence {known.title}" + (f": forbids {known.forbids}" if known.forbids else ""))
    title = (
        known.title
        if known.source
        else f"'{known.id}', tiada dalam jadual kami"
        if known.id
        else "tidak dinyatakan"
    )
    malay.append(f"lesen {title}" + (f": melarang {known.forbids_ms}" if known.forbids_ms else ""))
    if one.base:
        english.append(f"made in {one.country} from {one.base} ({one.base_country})")
        malay.append(f"dibuat di {one.country} daripada {one.base} ({one.base_country})")
    else:
        english.append(f"made in {one.country}")
        malay.append(f"dibuat di {one.country}")
    if one.checked != "maker":
        english.append("not verified on its maker's page" if one.checked else "not verified: read its card first")
        malay.append(
            "belum disahkan pada halaman pembuatnya" if one.checked else "belum disahkan: baca kadnya dahulu"
        )
    return tuple(english), tuple(malay)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("selat.models").joinpath("catalogue.toml").read_text("utf-8"))
