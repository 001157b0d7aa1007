"""drill: take away a vendor, a country, hardware or an engine, on paper or live, and show what still answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from selat.core.drill import Drill, Loss, Maker, hung_on
from selat.core.errors import HomeBroken, Misused, NotFound

if TYPE_CHECKING:
    from selat.flows.sovereignty import Served, Standing

LONGEST_MINUTES = 24 * 60
REASON_CHARS = 200

Record = Callable[[str, dict[str, object]], str]
"""Books a change and gives its receipt; raises LedgerUnavailable."""


@dataclass(frozen=True, slots=True)
class Fate:
    """A model under a loss: the engines that are gone, each with its cause, and those that are left."""

    model: str
    gone: Mapping[str, str]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    """Requests of a tenant's purpose to a model that loses engines; without any `left` they would stop."""

    tenant: str
    purpose: str
    model: str
    requests: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a loss would do: to each model that it touches, and to what was asked of those; the stopped first.

    `unplaced` are models left whose maker the catalogue does not know: a vendor's or country's loss may reach
    them too.
    """

    loss: Loss
    fates: tuple[Fate, ...]
    touched: tuple[Touched, ...]
    requests: int
    unplaced: tuple[str, ...] = ()

    @property
    def stopped(self) -> int:
        """Requests, of all `requests`, that nobody could have served."""
        return sum(one.requests for one in self.touched if not one.left)

    def to_json(self) -> dict[str, object]:
        return {
            "without": self.loss.to_json(),
            "models": [{"model": one.model, "gone": dict(one.gone), "left": list(one.left)} for one in self.fates],
            "touched": [
                {
                    "tenant": one.tenant,
                    "purpose": one.purpose,
                    "model": one.model,
                    "requests": one.requests,
                    "left": list(one.left),
                }
                for one in self.touched
            ],
            "requests": self.requests,
            "stopped": self.stopped,
            "unplaced": list(self.unplaced),
        }


class DrillTable(Protocol):
    """Where it is written which drill runs."""

    def read(self) -> Drill | None: ...
    def write(self, drill: Drill) -> None: ...
    def clear(self) -> None: ...
    def locked(self) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Drills:
    """Live drills of a house: begun, ended, and each of both booked. `now` is aware, UTC.

    All methods raise HomeBroken, and those that change anything LedgerUnavailable, before they change it.
    """

    table: DrillTable
    record: Record
    now: Callable[[], datetime]

    def running(self) -> Drill | None:
        drill = self.table.read()
        return drill if drill is not None and self.now() < drill.until else None

    def start(self, loss: Loss, minutes: int, reason: str) -> Drill:
        """Take what `loss` names away for so many minutes. Raises: Misused, also while another drill runs."""
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise Misused(f"--minutes {minutes}: a drill takes 1 to {LONGEST_MINUTES} minutes")
        if not 1 <= len(reason.strip()) <= REASON_CHARS:
            raise Misused(f"--reason: say why, in 1 to {REASON_CHARS} letters without personal data")
        with self.table.locked():
            self._settle()
            if (other := self.table.read()) is not None:
                raise Misused(f"a drill without {other.loss} runs already; end it first: selat drill stop")
            begun = self.now().replace(microsecond=0)
            until = begun + timedelta(minutes=minutes)
            facts: dict[str, object] = {
                "without": loss.to_json(),
                "reason": reason.strip(),
                "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            drill = Drill(self.record("drill.started", facts), loss, reason.strip(), begun, until)
            try:
                self.table.write(drill)
            except HomeBroken:
                self.record("drill.ended", {"drill": drill.id, "how": "failed"})
                raise
            return drill

    def stop(self) -> Drill:
        """End the drill before its time. Raises: NotFound, when none runs."""
        with self.table.locked():
            self._settle()
            drill = self.table.read()
            if drill is None:
                raise NotFound("no drill runs; see: selat drill status")
            self._end(drill, "stopped")
            return drill

    def settle(self) -> None:
        """Book the end of a drill whose time is over: routing has let go of it already, by its own clock."""
        drill = self.table.read()
        if drill is not None and self.now() >= drill.until:
            with self.table.locked():
                self._settle()

    def _settle(self) -> None:
        drill = self.table.read()
        if drill is not None and self.now() >= drill.until:
            self._end(drill, "time")

    def _end(self, drill: Drill, how: str) -> None:
        """Booked first: after a crash in between it is booked twice rather than not at all."""
        self.record("drill.ended", {"drill": drill.id, "how": how})
        self.table.clear()


def maker_of(model: str) -> Maker | None:
    """Who made a model, by the catalogue."""
    from selat.models.catalogue import entry_of  # the catalogue: only where a drill or its plan asks

    known = entry_of(model)
    return None if known is None else Maker(known.vendor, known.country)


def plan(loss: Loss, engines: Sequence[Standing], served: Mapping[str, Iterable[Served]]) -> Plan:
    """What `loss` would do to the engines as they stand and to what was served, by tenant.

    Policy still decides who may go to the engines that are left. Call `check` first.
    """
    gone: dict[str, dict[str, str]] = defaultdict(dict)
    left: dict[str, list[str]] = defaultdict(list)
    for engine in engines:
        for model in engine.models:
            cause = loss.cause(engine.name, engine.site, _maker(engine, model)) if engine.weights else ""
            if cause:
                gone[model][engine.name] = cause
            else:
                left[model].append(engine.name)
    fates = [Fate(model, gone[model], tuple(left[model])) for model in gone]
    wanted: dict[tuple[str, str, str], int] = defaultdict(int)
    for tenant, uses in served.items():
        for use in uses:
            wanted[tenant, use.purpose, use.model] += use.requests
    touched = [Touched(*key, count, tuple(left[key[2]])) for key, count in wanted.items() if key[2] in gone]
    return Plan(
        loss,
        tuple(sorted(fates, key=lambda one: (bool(one.left), one.model))),
        tuple(
            sorted(touched, key=lambda one: (bool(one.left), -one.requests, one.tenant, one.purpose, one.model))
        ),
        sum(wanted.values()),
        tuple(sorted(_unplaced(engines, left))) if loss.vendor or loss.country else (),
    )


def check(loss: Loss, engines: Sequence[Standing]) -> None:
    """Refuse a loss that names nothing, or what no engine hangs on. Raises: Misused, saying what there is."""
    ties = {
        tie
        for engine in engines
        if engine.weights
        for model in engine.models
        for tie in hung_on(engine.name, engine.site, _maker(engine, model))
    }
    if not loss:
        raise Misused("say what is taken away, as in --without-hardware nvidia")
    if unknown := loss.unknown(ties):
        kinds = {text.partition(" ")[0] for text in unknown}
        there = ", ".join(f"{kind} {name}" for kind, name in sorted(ties) if kind in kinds)
        raise Misused(
            f"no engine here hangs on {', '.join(unknown)}; there: {there or 'no engines that run models'}"
        )


def _unplaced(engines: Sequence[Standing], left: Mapping[str, Sequence[str]]) -> set[str]:
    return {
        model
        for engine in engines
        for model in engine.models
        if engine.weights and engine.name in left.get(model, ()) and _maker(engine, model) is None
    }


def _maker(engine: Standing, model: str) -> Maker | None:
    return maker_of(engine.models[model]) or maker_of(model)
