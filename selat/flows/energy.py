"""energy: what answering is estimated to have drawn, by what is known of each engine; reckoned, never booked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selat.core.errors import HomeBroken
from selat.ledger import Use

FILE = "energy.toml"
JOULES_PER_KWH = 3_600_000
_DRAW = frozenset({"watts", "at_once", "joules_per_token", "joules_per_prompt_token", "source"})
_WHOLE = frozenset({"rm_per_kwh", "tariff_source", "engine"})


@dataclass(frozen=True, slots=True)
class Draw:
    """What an engine draws, as `source` says: `watts` while it serves `at_once` requests, or joules a token."""

    watts: float = 0.0
    at_once: float = 1.0
    joules_per_token: float = 0.0
    joules_per_prompt_token: float = 0.0
    source: str = ""

    def kwh(self, use: Use) -> float:
        """Kilowatt-hours that these requests are estimated to have drawn."""
        busy = self.watts / self.at_once * use.busy_ms / 1000
        read = self.joules_per_prompt_token * use.prompt_tokens
        return (busy + read + self.joules_per_token * use.completion_tokens) / JOULES_PER_KWH


@dataclass(frozen=True, slots=True)
class Energy:
    """What engines draw, by name, and what a kilowatt-hour costs in ringgit; 0 where no tariff was given."""

    draws: Mapping[str, Draw] = field(default_factory=dict)
    rm_per_kwh: float = 0.0
    tariff_source: str = ""

    def kwh(self, engine: str, use: Use) -> float | None:
        """The estimate for requests to an engine; None where nothing is known of it, which is not 0."""
        draw = self.draws.get(engine)
        return draw.kwh(use) if draw else None


def read_energy(path: Path) -> Energy:
    """What `energy.toml` says; nothing where it is missing. Raises: HomeBroken, naming the engine and the field.

    rm_per_kwh = 0.4443
    tariff_source = "..."
    [engine.garuda]
    watts = 320
    at_once = 4
    source = "meter at the plug, mean of a day"
    """
    if not path.exists():
        return Energy()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HomeBroken(f"{path.name} cannot be read as TOML: {error}. Mend or remove it") from error
    if unknown := set(table) - _WHOLE:
        raise HomeBroken(f"{path.name}: unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(_WHOLE))}")
    engines = table.get("engine", {})
    if not isinstance(engines, dict):
        raise HomeBroken(f"{path.name}: engines stand in tables of their own, as [engine.NAME]")
    tariff = _number(path.name, table, "rm_per_kwh", 0.0)
    draws = {name: _draw(f"{path.name}: engine '{name}'", row) for name, row in engines.items()}
    return Energy(draws, tariff, str(table.get("tariff_source", "")))


def _draw(where: str, row: object) -> Draw:
    if not isinstance(row, dict) or set(row) - _DRAW:
        raise HomeBroken(f"{where}: known are {', '.join(sorted(_DRAW))}")
    said = {
        name: _number(where, row, name, 0.0) for name in ("watts", "joules_per_token", "joules_per_prompt_token")
    }
    at_once = _number(where, row, "at_once", 1.0)
    if bool(said["watts"]) == bool(said["joules_per_token"] or said["joules_per_prompt_token"]):
        raise HomeBroken(f"{where}: give watts, or joules a token; one of the two")
    if at_once < 1:
        raise HomeBroken(f"{where}: at_once: 1 or more requests that share the watts")
    source = row.get("source")
    if not isinstance(source, str) or not source.strip():
        raise HomeBroken(
            f"{where}: source: say where the figure comes from, since it is shown beside every estimate"
        )
    return Draw(said["watts"], at_once, said["joules_per_token"], said["joules_per_prompt_token"], source)


def _number(where: str, row: Mapping[str, Any], name: str, default: float) -> float:
    value = row.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise HomeBroken(f"{where}: {name}: a number, 0 or more")
    return float(value)
