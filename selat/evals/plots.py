"""Plots as inline SVG: forests of scores with their intervals, and a radar over packs; no script, no font."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from selat.evals.stats import Estimate

_LABEL, _WIDTH, _ROW, _VALUE = 250, 330, 26, 150


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a forest: a mean with its interval, and a mark (chance), None for no mark."""

    label: str
    shown: Estimate
    mark: float | None = None


def forest(bars: Sequence[Bar], title: str, low: float = 0.0, high: float = 1.0) -> str:
    """Means as dots on lines as long as their intervals; a mark at what guessing gets."""
    tall = _ROW * len(bars) + 30
    wide = _LABEL + _WIDTH + _VALUE
    parts = [
        f'<svg class="plot" role="img" viewBox="0 0 {wide} {tall}" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(title)}</title>",
    ]

    def x(value: float) -> float:
        return _LABEL + (min(max(value, low), high) - low) / (high - low) * _WIDTH

    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(f'<line class="grid" x1="{x(value):.1f}" y1="4" x2="{x(value):.1f}" y2="{tall - 22}"/>')
        parts.append(f'<text class="tick" x="{x(value):.1f}" y="{tall - 6}">{value * 100:.0f}</text>')
    for place, bar in enumerate(bars):
        y, one = 18 + place * _ROW, bar.shown
        parts.append(f'<text class="name" x="{_LABEL - 10}" y="{y + 4}">{escape(_short(bar.label))}</text>')
        parts.append(f'<line class="interval" x1="{x(one.low):.1f}" y1="{y}" x2="{x(one.high):.1f}" y2="{y}"/>')
        if bar.mark is not None:
            parts.append(f'<path class="chance" d="M{x(bar.mark):.1f} {y - 8}v16"/>')
        parts.append(f'<circle class="mean" cx="{x(one.mean):.1f}" cy="{y}" r="5"/>')
        words = f"{one.mean * 100:.1f} [{one.low * 100:.1f}, {one.high * 100:.1f}]"
        parts.append(f'<text class="value" x="{_LABEL + _WIDTH + 12}" y="{y + 4}">{words}</text>')
    return "".join([*parts, "</svg>"])


def radar(bars: Sequence[Bar], title: str) -> str:
    """Packs around a circle, the mean as a line and the interval as a band; "" for fewer than three."""
    count = len(bars)
    if count < 3:
        return ""
    wide, tall, reach = 560, 380, 140
    parts = [
        f'<svg class="radar" role="img" viewBox="0 0 {wide} {tall}" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(title)}</title>",
    ]

    def at(place: int, value: float) -> tuple[float, float]:
        angle = 2 * math.pi * place / count - math.pi / 2
        far = reach * min(max(value, 0.0), 1.0)
        return wide / 2 + far * math.cos(angle), tall / 2 + far * math.sin(angle)

    def ring(values: Sequence[float]) -> str:
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in map(at, range(count), values)) + "Z"

    parts += [f'<path class="grid" d="{ring([step / 4] * count)}"/>' for step in range(1, 5)]
    highs, lows = ring([bar.shown.high for bar in bars]), ring([bar.shown.low for bar in bars])
    parts.append(f'<path class="band" fill-rule="evenodd" d="{highs}{lows}"/>')
    parts.append(f'<path class="line" d="{ring([bar.shown.mean for bar in bars])}"/>')
    for place, bar in enumerate(bars):
        x, y = at(place, 1.0)
        side = "start" if x > wide / 2 + 5 else "end" if x < wide / 2 - 5 else "middle"
        dx, dy = (x - wide / 2) * 0.08, (y - tall / 2) * 0.12 + 4
        parts.append(f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{side}">{escape(bar.label)}</text>')
    return "".join([*parts, "</svg>"])


def _short(label: str, most: int = 34) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
