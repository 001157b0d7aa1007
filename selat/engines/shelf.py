"""The engines at hand: built from `engines.toml`, found by model, renewed when the file changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.errors import HomeBroken, Misused, Unavailable
from selat.engines.config import read_specs
from selat.engines.drill import Drilling
from selat.engines.drill import fingerprint as _fingerprint
from selat.engines.engine import Engine
from selat.engines.extractive import EXTRACTIVE, ExtractiveEngine, Quote
from selat.engines.openai import OpenAIEngine
from selat.engines.spec import EngineSpec
from selat.engines.survey import Surveyed, probe

if TYPE_CHECKING:
    from selat.engines.llama.lease import Leases

_log = logging.getLogger("selat.engines")
_LOOK_EVERY_S = 1.0
LLAMA = "llama"

Maker = Callable[[EngineSpec], Engine]
MAKERS: Mapping[str, Maker] = {"openai": OpenAIEngine}


def makers(quote: Quote, leases: Callable[[], Leases] | None = None) -> Mapping[str, Maker]:
    """A maker for each kind of `engines.toml`: `quote` is what extractive engines answer with, `leases` gives
    by what models that Selat runs itself are called; nothing of those is loaded before one is configured.
    """

    def extractive(spec: EngineSpec) -> Engine:
        return ExtractiveEngine(quote, spec.site, spec.name, spec.models)

    def llama(spec: EngineSpec) -> Engine:
        from selat.engines.llama.engine import LlamaEngine

        assert leases is not None
        return LlamaEngine(spec, leases())

    known = {**MAKERS, EXTRACTIVE: extractive}
    return known if leases is None else {**known, LLAMA: llama}


class Shelf:
    """`lookup` gives the engines of a model, heaviest weight first, built-in ones last.

    The file is looked at no more than once a second. A file with a mistake never replaces a good shelf: it
    is logged once, and the engines stay as they were. Engines whose entry did not change are kept, with
    their connections; those gone take no new calls and finish the ones they have. So it is with engines
    that a drill takes away, but for `engines`, which still names them; Selat's own extractive ones stay.
    """

    def __init__(
        self,
        path: Path,
        makers: Mapping[str, Maker],
        builtin: tuple[Engine, ...] = (),
        drilling: Drilling | None = None,
    ) -> None:
        """Raises: HomeBroken, when the file is wrong at the start."""
        self._path = path
        self._makers = makers
        self._builtin = builtin
        self._drilling = drilling
        self._made: dict[EngineSpec, Engine] = {}
        self._seen = _fingerprint(path)
        self._next_look = time.monotonic() + _LOOK_EVERY_S
        self._closing: set[asyncio.Task[None]] = set()
        if drilling is not None:
            drilling.changed()
        self._renew()

    def lookup(self, model: str) -> tuple[Engine, ...]:
        """Engines that serve `model` by its public name; empty for an unknown one.

        Raises: Unavailable, while a drill takes all of them away.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        found = self._by_model.get(model)
        return self._none(model) if found is None else found

    def models(self) -> tuple[str, ...]:
        """All public names that an engine serves now, sorted."""
        self._look()
        return self._models

    @property
    def engines(self) -> tuple[Engine, ...]:
        self._look()
        return self._engines

    def weight(self, engine: Engine) -> int:
        """The weight its entry gives it; a built-in one is the last resort, 0."""
        return self._weights.get(engine.name, 0)

    def survey(self, ask: bool = True) -> list[Surveyed]:
        """Every engine with its entry and, when asked, its health. Runs an event loop of its own: for the CLI."""
        engines = self.engines
        health = asyncio.run(probe(engines)) if ask else {}
        specs = {spec.name: spec for spec in self._made}
        return [Surveyed(engine, specs.get(engine.name), health.get(engine.name)) for engine in engines]

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY_S
        if self._drilling is not None and self._drilling.changed():
            _log.info("drill: %s", f"without {self._drilling.drill.loss}" if self._drilling.drill else "over")
            self._sort()
        seen = _fingerprint(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        if seen is None:
            _log.warning("%s is gone; its engines stay as they were", self._path)
            return
        try:
            self._renew()
        except HomeBroken as error:
            _log.warning("engines stay as they were: %s", error)

    def _renew(self) -> None:
        made: dict[EngineSpec, Engine] = {}
        for spec in read_specs(self._path, tuple(self._makers)):
            if any(spec.name == engine.name for engine in self._builtin):
                raise HomeBroken(f"{self._path}: engine '{spec.name}' has a built-in one's name; choose another")
            try:
                made[spec] = self._made.get(spec) or self._makers[spec.kind](spec)
            except Misused as error:
                raise HomeBroken(f"{self._path}: engine '{spec.name}': {error}") from error
        gone = [engine for spec, engine in self._made.items() if spec not in made]
        self._made = made
        self._weights = {spec.name: spec.weight for spec in made}
        # A stable sort: entries of one weight keep the file's order.
        configured = sorted(made, key=lambda spec: -spec.weight)
        self._engines: tuple[Engine, ...] = (*(made[spec] for spec in configured), *self._builtin)
        self._sort()
        for engine in gone:
            self._retire(engine)

    def _sort(self) -> None:
        """Put the engines under the models they serve now: a drill is applied here, so no call pays for it."""
        own = {spec.name for spec in self._made if spec.kind == EXTRACTIVE} | {one.name for one in self._builtin}
        found: dict[str, list[Engine]] = {}
        away: set[str] = set()
        for engine in self._engines:
            for model in engine.models:
                if self._drilling is not None and engine.name not in own and self._drilling.takes(engine, model):
                    away.add(model)
                else:
                    found.setdefault(model, []).append(engine)
        self._by_model = {model: tuple(engines) for model, engines in found.items()}
        self._models = tuple(sorted(found))
        self._away = away - found.keys()

    def _none(self, model: str) -> tuple[Engine, ...]:
        if model in self._away and self._drilling is not None and (drill := self._drilling.drill):
            raise Unavailable(
                f"a drill without {drill.loss} runs until {drill.until:%Y-%m-%dT%H:%M:%SZ}, and no other engine"
                " serves this model; end it earlier: selat drill stop"
            )
        return ()

    def _retire(self, engine: Engine) -> None:
        try:
            task = asyncio.get_running_loop().create_task(engine.close())
        except RuntimeError:
            return  # no event loop here, so no connection of it either
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def load_engines(
    path: Path,
    makers: Mapping[str, Maker] = MAKERS,
    builtin: tuple[Engine, ...] = (),
    drilling: Drilling | None = None,
) -> Shelf:
    """The Shelf of a file (none is an empty one), with the engines that are always there.

    Raises: HomeBroken, naming file, entry, field and what is known.
    """
    return Shelf(path, makers, builtin, drilling)
