"""Counters of the data plane as Prometheus text, summed over the worker processes; no content, no tenant."""

from __future__ import annotations

import contextlib
import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from selat.core.entry import Closing, Opening

HELP = {
    "selat_requests_total": "Requests decided, by endpoint and effect of the decision.",
    "selat_findings_total": "Personal or secret data found, by kind and direction.",
    "selat_answers_total": "Requests ended, by outcome.",
    "selat_tokens_total": "Tokens, by direction.",
    "selat_answer_seconds": "Time from decision to the end of the answer.",
    "selat_first_byte_seconds": "Time from decision to the first byte of the answer.",
    "selat_engine_breaker_open": "Workers that let an engine rest after failures.",
    "selat_refused_total": "Requests turned away before a decision, by error code.",
}
FOLD_AT = 4096
BUCKETS_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One worker's counters, by sample name with its labels: `selat_answers_total{outcome="complete"}`."""

    def __init__(self) -> None:
        self._samples: dict[str, float] = {}
        self._entries: list[Opening | Closing] = []

    def count(self, entry: Opening | Closing) -> None:
        """Remember an entry; it is added up later, away from the request."""
        self._entries.append(entry)
        if len(self._entries) >= FOLD_AT:
            self.fold()

    def add(self, sample: str, value: float = 1) -> None:
        self._samples[sample] = self._samples.get(sample, 0) + value

    @property
    def samples(self) -> dict[str, float]:
        self.fold()
        return self._samples

    def fold(self) -> None:
        """Add up the entries remembered since the last time: each kind of sample is added to once."""
        entries, self._entries = self._entries, []
        closings = [entry for entry in entries if isinstance(entry, Closing)]
        openings = [entry for entry in entries if isinstance(entry, Opening)]
        for (api, effect), number in Counter((one.api, one.decision.effect) for one in openings).items():
            self.add(f'selat_requests_total{{api="{api}",effect="{effect}"}}', number)
        for outcome, number in Counter(one.outcome for one in closings).items():
            self.add(f'selat_answers_total{{outcome="{outcome}"}}', number)
        if closings:
            self.add('selat_tokens_total{direction="in"}', sum(one.usage.prompt for one in closings))
            self.add('selat_tokens_total{direction="out"}', sum(one.usage.completion for one in closings))
        self._findings(openings, "in")
        self._findings(closings, "out")
        self._observe("selat_answer_seconds", [one.duration_ms for one in closings])
        self._observe("selat_first_byte_seconds", [one.first_ms for one in closings if one.first_ms is not None])

    def _findings(self, entries: Sequence[Opening | Closing], direction: str) -> None:
        found = Counter(finding.kind for entry in entries for finding in entry.scan.findings)
        for kind, number in found.items():
            self.add(f'selat_findings_total{{kind="{kind}",direction="{direction}"}}', number)

    def _observe(self, name: str, milliseconds: list[int]) -> None:
        if not milliseconds:
            return
        milliseconds.sort()
        for bound in BUCKETS_S:
            within = bisect_right(milliseconds, bound * 1000)
            if within:
                self.add(f'{name}_bucket{{le="{bound}"}}', within)
        self.add(f'{name}_bucket{{le="+Inf"}}', len(milliseconds))
        self.add(f"{name}_sum", sum(milliseconds) / 1000)
        self.add(f"{name}_count", len(milliseconds))


def save(samples: Mapping[str, float], path: Path) -> None:
    """Leave samples where the other workers read them; a full disk costs a sample, not a request."""
    with contextlib.suppress(OSError):
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(samples))
        os.replace(temporary, path)


def load(folder: Path, but: Path) -> list[dict[str, float]]:
    """What the other workers left in `folder`."""
    left = []
    for path in folder.glob("*.json"):
        if path != but:
            with contextlib.suppress(OSError, ValueError):
                left.append(json.loads(path.read_text()))
    return left


def render(snapshots: Iterable[Mapping[str, float]]) -> bytes:
    """Prometheus text exposition format 0.0.4, samples summed."""
    total: dict[str, float] = {}
    for snapshot in snapshots:
        for sample, value in snapshot.items():
            total[sample] = total.get(sample, 0) + value
    lines: list[str] = []
    for name, text in HELP.items():
        own = [sample for sample in total if _family(sample) == name]
        if not own:
            continue
        lines.append(f"# HELP {name} {text}")
        lines.append(f"# TYPE {name} {_kind(name)}")
        lines.extend(f"{sample} {total[sample]:g}" for sample in own)
    return ("\n".join(lines) + "\n").encode()


def _kind(name: str) -> str:
    return "histogram" if name.endswith("_seconds") else "counter" if name.endswith("_total") else "gauge"


def _family(sample: str) -> str:
    name = sample.partition("{")[0]
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith("_seconds" + suffix):
            return name.removesuffix(suffix)
    return name
