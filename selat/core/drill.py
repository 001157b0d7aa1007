"""A drill: what is taken away for a while, to see what still answers without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from selat.core.caller import Site

KINDS = ("vendor", "country", "hardware", "engine")


class Maker(NamedTuple):
    """Who made a model: a vendor, and the country (ISO 3166-1 alpha-2) that it is of."""

    vendor: str
    country: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What is gone, each kind by its names; an engine that hangs on any of them is gone with it.

    `vendor` is who made a model or operates an engine, `country` where an engine stands, whose law its operator
    answers to, or where a model was made. Letters' case does not matter, except in an engine's name.
    """

    vendor: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()
    engine: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(self.named())

    def __str__(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self.named())

    def named(self) -> Iterator[tuple[str, str]]:
        """Each thing that is gone, with its kind."""
        for kind in KINDS:
            for name in getattr(self, kind):
                yield kind, name

    def cause(self, engine: str, site: Site, maker: Maker | None) -> str:
        """What takes this engine away from a model of this maker, as in `hardware nvidia`; else empty."""
        ties = {_plain(*tie) for tie in hung_on(engine, site, maker)}
        return next((f"{kind} {name}" for kind, name in self.named() if _plain(kind, name) in ties), "")

    def unknown(self, ties: set[tuple[str, str]]) -> list[str]:
        """What nothing hangs on, of everything in `ties`: a drill that would only seem to be one."""
        known = {_plain(*tie) for tie in ties}
        return [f"{kind} {name}" for kind, name in self.named() if _plain(kind, name) not in known]

    def to_json(self) -> dict[str, object]:
        return {
            kind: list(names)
            for kind in ("vendor", "country", "hardware", "engine")
            if (names := getattr(self, kind))
        }


@dataclass(frozen=True, slots=True)
class Drill:
    """A loss that is rehearsed from `begun` until `until` (aware, UTC). `id` is the receipt of its beginning."""

    id: str
    loss: Loss
    reason: str
    begun: datetime
    until: datetime

    def to_json(self) -> dict[str, object]:
        return {
            "drill": self.id,
            "without": self.loss.to_json(),
            "reason": self.reason,
            "begun": self.begun.isoformat(timespec="seconds"),
            "until": self.until.isoformat(timespec="seconds"),
        }


def hung_on(engine: str, site: Site, maker: Maker | None) -> set[tuple[str, str]]:
    """Everything an engine hangs on where it runs a model of that maker, as (kind, name)."""
    ties = {
        ("engine", engine),
        ("vendor", site.operator),
        ("country", site.jurisdiction),
        ("country", site.operator_jurisdiction),
        ("hardware", site.hardware),
    }
    if maker is not None:
        ties |= {("vendor", maker.vendor), ("country", maker.country)}
    return ties


def _plain(kind: str, name: str) -> tuple[str, str]:
    return kind, name if kind == "engine" else name.casefold()
