"""The traffic between two looks at a gateway's samples: rates, latencies by phase, engines, tenants, ledger."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from selat.gateway.metrics import PHASES

STATES = ("closed", "half_open", "open")
"""Of a circuit breaker, best first; over several workers the worst is told."""

GOOD = ("complete", "cancelled")
"""Outcomes of an answer that are no failure of ours or an engine's."""

_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Phase:
    """How long a phase took; 0.0 where there was none."""

    name: str
    per_s: float
    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """An engine as all workers see it. `state` is its breaker's worst; `failed_per_s` are calls it failed."""

    name: str
    state: str
    in_flight: int
    waiting: int
    calls_per_s: float
    failed_per_s: float


@dataclass(frozen=True, slots=True)
class TenantLoad:
    name: str
    requests_per_s: float
    tokens_per_s: float
    requests: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """All that `selat top` shows. `cpu` is in cores; `tenants` are told only at the machine itself."""

    seconds: float
    workers: int
    requests_per_s: float
    refused_per_s: float
    failed_per_s: float
    answers_open: int
    tokens_in_per_s: float
    tokens_out_per_s: float
    phases: tuple[Phase, ...]
    engines: tuple[EngineLoad, ...]
    tenants: tuple[TenantLoad, ...]
    queue: int
    ledger_waiting: int
    ledger_lag_s: float
    cpu: float
    memory_bytes: int
    open_files: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class Window:
    """What changed between two looks, `seconds` apart, and what stands at the later one."""

    def __init__(self, before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> None:
        self._after = _read(after)
        # A counter that shrank began anew: all it shows is new.
        fresh = {
            name: value - (before.get(name, 0) if value >= before.get(name, 0) else 0)
            for name, value in after.items()
        }
        self._fresh = _read(fresh)
        self.seconds = max(seconds, 1e-3)

    def rate(self, family: str, **labels: str) -> float:
        """Per second, summed over the samples that bear `labels`."""
        return _sum(self._fresh, family, labels) / self.seconds

    def now(self, family: str, **labels: str) -> float:
        return _sum(self._after, family, labels)

    def values(self, family: str, label: str) -> list[str]:
        """The values that a label of a family takes, sorted."""
        return sorted({held[label] for held, _ in self._after.get(family, ()) if label in held})

    def refused(self) -> float:
        """Errors a second that are the caller's to mend, or ours; engines' are told as failures."""
        errors = self._fresh.get("selat_refused_total", ())
        return sum(value for held, value in errors if not held["code"].startswith("engine_")) / self.seconds

    def phase(self, name: str) -> Phase:
        buckets = [
            (float(held["le"]), value)
            for held, value in self._fresh.get("selat_phase_seconds_bucket", ())
            if held.get("phase") == name
        ]
        buckets.sort()
        return Phase(
            name,
            self.rate("selat_phase_seconds_count", phase=name),
            quantile(buckets, 0.5),
            quantile(buckets, 0.99),
        )


def traffic(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> Traffic:
    """What went on between two looks at a gateway's samples."""
    window = Window(before, after, seconds)
    rate, now = window.rate, window.now
    good = sum(rate("selat_answers_total", outcome=outcome) for outcome in GOOD)
    return Traffic(
        seconds=window.seconds,
        workers=int(now("selat_workers")),
        requests_per_s=rate("selat_requests_total"),
        refused_per_s=window.refused(),
        failed_per_s=rate("selat_answers_total") - good,
        answers_open=int(now("selat_answers_open")),
        tokens_in_per_s=rate("selat_tokens_total", direction="in"),
        tokens_out_per_s=rate("selat_tokens_total", direction="out"),
        phases=tuple(window.phase(name) for name in PHASES),
        engines=tuple(_engine(window, name) for name in window.values("selat_engine_in_flight", "engine")),
        tenants=_tenants(window),
        queue=int(now("selat_engine_waiting")),
        ledger_waiting=int(now("selat_ledger_waiting")),
        ledger_lag_s=now("selat_ledger_lag_seconds"),
        cpu=rate("process_cpu_seconds_total"),
        memory_bytes=int(now("process_resident_memory_bytes")),
        open_files=int(now("process_open_fds")),
    )


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """The value that `share` of all are within, read from cumulative buckets (bound, count) as Prometheus does:
    evenly spread inside a bucket, and the last finite bound beyond it. 0.0 when there is nothing."""
    if not buckets or not buckets[-1][1]:
        return 0.0
    rank = share * buckets[-1][1]
    low, under = 0.0, 0.0
    for bound, within in buckets:
        if within >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - under) / (within - under)
        low, under = bound, within
    return low


def parse(text: str) -> dict[str, float]:
    """The samples in Prometheus text as our own gateways write it."""
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def _engine(window: Window, name: str) -> EngineLoad:
    held = [state for state in STATES if window.now("selat_engine_breaker_state", engine=name, state=state)]
    calls = window.rate("selat_engine_calls_total", engine=name)
    return EngineLoad(
        name,
        held[-1] if held else STATES[0],
        int(window.now("selat_engine_in_flight", engine=name)),
        int(window.now("selat_engine_waiting", engine=name)),
        calls,
        calls - sum(window.rate("selat_engine_calls_total", engine=name, outcome=outcome) for outcome in GOOD),
    )


def _tenants(window: Window) -> tuple[TenantLoad, ...]:
    requests, tokens = "selat_tenant_requests_total", "selat_tenant_tokens_total"
    found = [
        TenantLoad(
            name,
            window.rate(requests, tenant=name),
            window.rate(tokens, tenant=name),
            int(window.now(requests, tenant=name)),
        )
        for name in window.values(requests, "tenant")
    ]
    return tuple(sorted(found, key=lambda one: (-one.requests_per_s, -one.requests, one.name)))


Family = list[tuple[dict[str, str], float]]


def _read(samples: Mapping[str, float]) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for sample, value in samples.items():
        name, _, labels = sample.partition("{")
        families.setdefault(name, []).append((dict(_LABEL.findall(labels)), value))
    return families


def _sum(families: Mapping[str, Family], family: str, labels: Mapping[str, str]) -> float:
    return sum(value for held, value in families.get(family, ()) if labels.items() <= held.items())
