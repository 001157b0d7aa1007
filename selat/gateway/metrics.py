"""Counters and histograms of the data plane as Prometheus text, summed over the worker processes; no content."""

from __future__ import annotations

import contextlib
import json
import os
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import add
from pathlib import Path
from typing import Final

from selat.core.entry import Closing, Opening
from selat.core.finding import Scan
from selat.core.timing import Timing

HELP = {
    "selat_requests_total": "Requests decided, by endpoint and effect of the decision.",
    "selat_findings_total": "Personal or secret data found, by kind and direction.",
    "selat_answers_total": "Requests ended, by outcome.",
    "selat_answers_open": "Requests let through whose answer has not ended.",
    "selat_tokens_total": "Tokens, by direction.",
    "selat_phase_seconds": "Time by phase of a request: see docs/howto/watch.md.",
    "selat_refused_total": "Requests that ended in an error, by its code.",
    "selat_engine_calls_total": "Calls to engines by outcome; `left`: another one was asked before a first byte.",
    "selat_engine_in_flight": "Calls to an engine that have not ended.",
    "selat_engine_waiting": "Calls that wait for a free connection to an engine.",
    "selat_engine_breaker_open": "Workers that let an engine rest after failures.",
    "selat_engine_breaker_state": "Workers by the state of their circuit breaker for an engine.",
    "selat_engine_breaker_trips_total": "Times that a breaker opened for an engine.",
    "selat_ledger_waiting": "Entries that wait to be made durable, or for room.",
    "selat_ledger_lag_seconds": "Age of the oldest entry looked at that no checkpoint covers yet.",
    "selat_workers": "Gateway processes that report.",
    "process_cpu_seconds_total": "User and system time of the gateway processes.",
    "process_resident_memory_bytes": "Memory of the gateway processes.",
    "process_open_fds": "Open file descriptors of the gateway processes.",
}
LOCAL = frozenset({"selat_tenant_requests_total", "selat_tenant_tokens_total"})
"""Families that stay in the home, for `selat top`: /metrics asks for no key, and shows no tenant."""

LARGEST = frozenset({"selat_ledger_lag_seconds"})
"""Gauges of which the workers' largest is told, where others are summed."""

PHASES = ("read", "scan", "decide", "book", "queue", "connect", "first_token", "between_tokens", "total")
BUCKETS_S = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS_S), "+Inf")
STALE_S = 10.0
FOLD_AT: Final = 512
"""Small, so that adding up never holds the loop for longer than about a millisecond."""
GAPS_FOLD_AT = 4096

_FAMILY = "selat_phase_seconds"
_LASTING = ("_total", "_bucket", "_sum", "_count")


class Metrics:
    """One worker's counters, by sample name with its labels: `selat_answers_total{outcome="complete"}`.

    `earlier` are the samples that a worker of this name left when it ended: its counters go on from there, since
    a sum that shrinks would look like a restart of all of them.
    """

    def __init__(self, earlier: Mapping[str, float] | None = None) -> None:
        self._samples = {name: value for name, value in (earlier or {}).items() if _lasts(name)}
        self._entries: list[Opening | Closing] = []
        self.count: Callable[[Opening | Closing], None] = self._entries.append
        """Remember an entry; it is added up later, away from the request, with the `timed` of some request."""
        self._timings: list[Timing] = []
        self._gaps: list[float] = []
        self._phases: dict[str, tuple[list[int], float]] = {}  # how many are within each bound, and their sum
        self._open = 0
        self.last_id = ""

    def timed(self, timing: Timing, opening: Opening, closing: Closing | None) -> None:
        """Remember how long the parts of a request took, once it has ended."""
        self._timings.append(timing)
        if len(self._timings) >= FOLD_AT:
            self.fold()

    def gaps(self, seconds: Sequence[float]) -> None:
        """Remember the times between pieces of a stream."""
        self._gaps += seconds
        if len(self._gaps) >= GAPS_FOLD_AT:
            self._fold_gaps()

    def add(self, sample: str, value: float = 1) -> None:
        self._samples[sample] = self._samples.get(sample, 0) + value

    @property
    def samples(self) -> dict[str, float]:
        """All there is to tell now, gauges included."""
        self.fold()
        told = self._samples.copy()
        for sample, value in self._histograms().items():
            told[sample] = told.get(sample, 0) + value  # what an earlier worker left is among them
        return {**told, "selat_answers_open": float(self._open)}

    @property
    def lasting(self) -> dict[str, float]:
        """What was counted, without what only stands now."""
        return {name: value for name, value in self.samples.items() if _lasts(name)}

    def fold(self) -> None:
        """Add up what was remembered since the last time: each kind of sample is added to once."""
        entries = self._entries[:]
        del self._entries[: len(entries)]  # the list stays the one that `count` adds to
        closings = [entry for entry in entries if isinstance(entry, Closing)]
        openings = [entry for entry in entries if isinstance(entry, Opening)]
        decided = Counter([(one.about.api, one.about.decision.effect) for one in openings])
        for (api, effect), number in decided.items():
            self.add(f'selat_requests_total{{api="{api}",effect="{effect}"}}', number)
        for outcome, number in Counter([one.outcome for one in closings]).items():
            self.add(f'selat_answers_total{{outcome="{outcome}"}}', number)
        refused = sum(number for (_, effect), number in decided.items() if effect == "deny")
        self._open += len(openings) - refused - len(closings)
        self._tokens(closings)
        self._findings([one.about.scan for one in openings], "in")
        self._findings([one.scan for one in closings], "out")
        for tenant, number in Counter([one.about.tenant for one in openings]).items():
            self.add(f'selat_tenant_requests_total{{tenant="{tenant}"}}', number)
        if openings:
            self.last_id = openings[-1].id
        self._fold_timings()

    def _tokens(self, closings: Sequence[Closing]) -> None:
        taken = given = 0
        spent: dict[str, int] = {}
        for one in closings:
            usage, tenant = one.usage, one.tenant
            taken += usage.prompt
            given += usage.completion
            spent[tenant] = spent.get(tenant, 0) + usage.prompt + usage.completion
        if closings:
            self.add('selat_tokens_total{direction="in"}', taken)
            self.add('selat_tokens_total{direction="out"}', given)
        for tenant, tokens in spent.items():
            self.add(f'selat_tenant_tokens_total{{tenant="{tenant}"}}', tokens)

    def _findings(self, scans: Sequence[Scan], direction: str) -> None:
        found = Counter([finding.kind for scan in scans for finding in scan.findings])
        for kind, number in found.items():
            self.add(f'selat_findings_total{{kind="{kind}",direction="{direction}"}}', number)

    def _fold_timings(self) -> None:
        timings, self._timings = self._timings, []
        self._observe("read", [one.read - one.arrived for one in timings if one.arrived and one.read])
        self._observe("scan", [one.scanned - one.begun for one in timings if one.begun and one.scanned])
        self._observe("decide", [one.decided - one.scanned for one in timings if one.scanned and one.decided])
        self._observe("book", [one.booked - one.decided for one in timings if one.decided and one.booked])
        self._observe("queue", [one.queued_s for one in timings if one.queued_s])
        self._observe("connect", [one.connect_s for one in timings if one.connect_s])
        self._observe("first_token", [one.first - one.booked for one in timings if one.booked and one.first])
        self._observe("total", [one.ended - (one.arrived or one.begun) for one in timings if one.ended])
        for engine, number in Counter([engine for one in timings for engine in one.left]).items():
            self.add(f'selat_engine_calls_total{{engine="{engine}",outcome="left"}}', number)
        for (engine, outcome), number in Counter([(one.engine, one.outcome) for one in timings]).items():
            if engine:
                self.add(f'selat_engine_calls_total{{engine="{engine}",outcome="{outcome}"}}', number)
        self._fold_gaps()

    def _fold_gaps(self) -> None:
        gaps, self._gaps = self._gaps, []
        self._observe("between_tokens", gaps)

    def _observe(self, phase: str, seconds: list[float]) -> None:
        if not seconds:
            return
        seconds.sort()
        within = [*map(bisect_right, repeat(seconds), BUCKETS_S), len(seconds)]
        before, sum_s = self._phases.get(phase) or ([0] * len(within), 0.0)
        self._phases[phase] = [*map(add, before, within)], sum_s + sum(seconds)

    def _histograms(self) -> dict[str, float]:
        """The samples of all phases, bounds that hold nothing yet too: what comes and goes cannot be summed."""
        told: dict[str, float] = {}
        for phase, (within, sum_s) in self._phases.items():
            names = [f'{_FAMILY}_bucket{{phase="{phase}",le="{le}"}}' for le in _BOUNDS]
            names += [f'{_FAMILY}_sum{{phase="{phase}"}}', f'{_FAMILY}_count{{phase="{phase}"}}']
            told.update(zip(names, (*within, sum_s, within[-1]), strict=True))
        return told


def of_process() -> dict[str, float]:
    """What this process uses of the machine; empty where /proc does not say."""
    used = os.times()
    found = {"process_cpu_seconds_total": used.user + used.system, "selat_workers": 1.0}
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        found["process_resident_memory_bytes"] = float(pages * os.sysconf("SC_PAGE_SIZE"))
        found["process_open_fds"] = float(len(os.listdir("/proc/self/fd")))
    return found


def save(samples: Mapping[str, float], path: Path) -> None:
    """Leave samples where the other workers read them; a full disk costs a sample, not a request."""
    with contextlib.suppress(OSError):
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(samples))
        os.replace(temporary, path)


def load(path: Path) -> dict[str, float]:
    """What a worker left; empty when it left nothing that can be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def load_fresh(folder: Path) -> list[dict[str, float]]:
    """What the workers of a home left in the last seconds; one that is older is of a worker that ended."""
    found = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # its worker ended in this moment
            if path.stat().st_mtime > time.time() - STALE_S:
                found.append(load(path))
    return found


def load_others(folder: Path, but: Path) -> list[dict[str, float]]:
    """What the other workers left in `folder`."""
    return [load(path) for path in folder.glob("*.json") if path != but]


def total(snapshots: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Samples of several workers as those of one."""
    summed: dict[str, float] = {}
    for snapshot in snapshots:
        for sample, value in snapshot.items():
            before = summed.get(sample, 0)
            summed[sample] = max(before, value) if sample in LARGEST else before + value
    return summed


def render(samples: Mapping[str, float]) -> bytes:
    """Prometheus text exposition format 0.0.4, without the families that stay in the home."""
    by_family: dict[str, list[str]] = {}
    for sample in samples:
        by_family.setdefault(_family(sample), []).append(sample)
    lines: list[str] = []
    for name, text in HELP.items():
        if own := by_family.get(name):
            lines.append(f"# HELP {name} {text}")
            lines.append(f"# TYPE {name} {_kind(name)}")
            lines.extend(f"{sample} {samples[sample]:.10g}" for sample in own)
    return ("\n".join(lines) + "\n").encode()


def _kind(name: str) -> str:
    return "histogram" if name == _FAMILY else "counter" if name.endswith("_total") else "gauge"


def _family(sample: str) -> str:
    name = sample.partition("{")[0]
    return _FAMILY if name.startswith(_FAMILY) else name


def _lasts(sample: str) -> bool:
    name = sample.partition("{")[0]
    return name.endswith(_LASTING) and not name.startswith("process_")
