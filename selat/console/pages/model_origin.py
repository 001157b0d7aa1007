"""Where models come from and where engines stand, by country: on a map, and as a list that says the same."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response

from selat.console.view import View
from selat.models.catalogue import entry_of

WORLD = Path(__file__).parent.parent / "world.json"


@dataclass
class Land:
    """A country with what comes from it and what stands in it. `x` and `y` are None for one that is on no map."""

    code: str
    models: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    x: int | None = None
    y: int | None = None

    @property
    def kind(self) -> str:
        """How the map shows it: `both`, `stands`, `origin` or `base`."""
        comes = bool(self.models)
        if self.engines or self.operators:
            return "both" if comes else "stands"
        return "origin" if comes else "base"

    @property
    def weight(self) -> int:
        return len(self.models) + len(self.engines)


@cache
def _world() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WORLD.read_text("utf-8"))
    return found


async def show(view: View) -> Response:
    """GET /models/origin."""
    models = await view.admin("GET", "/models")
    engines = await view.admin("GET", "/engines")
    lands: dict[str, Land] = defaultdict(lambda: Land(""))
    unknown = []
    for one in models:
        if one.country:
            lands[one.country].models.append(one.name)
        else:
            unknown.append(one.name)
        for base in one.base:
            known = entry_of(base.partition("@")[0])
            if known and known.country and known.country != one.country:
                lands[known.country].bases.append(f"{base} ({one.name})")
    for one in engines:
        lands[one.site.jurisdiction].engines.append(one.name)
        if one.site.operator_jurisdiction != one.site.jurisdiction:
            lands[one.site.operator_jurisdiction].operators.append(f"{one.site.operator} ({one.name})")
    world = _world()
    for code, land in lands.items():
        land.code = code
        land.x, land.y = world["places"].get(code, (None, None))
    return view.show(
        "model-origin.html",
        tab="origin",
        lands=sorted(lands.values(), key=lambda land: (-land.weight, land.code)),
        unknown=unknown,
        wide=world["wide"],
        high=world["high"],
        home=view.house.platform.settings.site_jurisdiction,
    )
