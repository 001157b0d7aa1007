"""How the engines on a shelf are: each asked at the same time whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selat.engines.engine import Engine, Health
from selat.engines.route import Router
from selat.engines.spec import EngineSpec

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """An engine with what its file says of it (None for a built-in one) and how it is (None: not asked)."""

    engine: Engine
    spec: EngineSpec | None
    health: Health | None

    def to_json(self) -> dict[str, object]:
        engine, spec, health = self.engine, self.spec, self.health
        return {
            "name": engine.name,
            "kind": spec.kind if spec else BUILT_IN,
            "url": spec.url if spec else "",
            "models": {public: engine.upstream_model(public) for public in engine.models},
            "site": engine.site.to_json(),
            "weight": spec.weight if spec else 0,
            "health": None
            if health is None
            else {
                "ok": health.ok,
                "detail": health.detail,
                "latency_ms": round(health.latency_ms, 1),
                "models": list(health.models),
            },
        }

    @property
    def missing(self) -> tuple[str, ...]:
        """Names the engine was configured to serve that its own list of models does not hold."""
        if self.spec is None or self.health is None or not self.health.models:
            return ()
        # Ollama lists `name:latest` and serves it as `name` too.
        listed = {name for given in self.health.models for name in (given, given.removesuffix(":latest"))}
        return tuple(upstream for _, upstream in self.spec.models if upstream not in listed)


async def watch(engines: Callable[[], Sequence[Engine]], router: Router, every_s: float = 2.0) -> None:
    """Probe the engines whose breaker is open, until cancelled; one that is well again gets a call sooner.

    Engines that work are not probed: their calls say more than a probe could.
    """
    while True:
        await asyncio.sleep(every_s)
        failing = router.failing()
        asked = [engine for engine in engines() if engine.name in failing]
        for name, health in (await probe(asked)).items() if asked else ():
            if health.ok:
                router.heal(name)


async def probe(engines: Sequence[Engine]) -> dict[str, Health]:
    """The health of each, by name; as slow as the slowest (5 s at most for one by URL)."""
    found = await asyncio.gather(*(engine.health() for engine in engines))
    return {engine.name: health for engine, health in zip(engines, found, strict=True)}
