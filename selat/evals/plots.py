"""Plots: forests of scores with their intervals in HTML, a radar over packs as inline SVG; no script, no font."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from selat.evals.stats import Estimate

_QUOTE = {'"': "&quot;"}
_GRID = "".join(f'<i class="grid" style="left:{place}%"></i>' for place in (0, 25, 50, 75, 100))


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a forest: a mean with its interval, and a mark (chance), None for no mark."""

    label: str
    shown: Estimate
    mark: float | None = None


def forest(bars: Sequence[Bar], title: str, low: float = 0.0, high: float = 1.0) -> str:
    """Means as dots on lines as long as their intervals, a mark at what guessing gets; as wide as the page is."""

    def at(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low) * 100

    parts = [f'<div class="forest" role="img" aria-label="{escape(title, _QUOTE)}">']
    for bar in bars:
        one, left, right = bar.shown, at(bar.shown.low), at(bar.shown.high)
        mark = "" if bar.mark is None else f'<i class="chance" style="left:{at(bar.mark):.1f}%"></i>'
        words = f"{one.mean * 100:.1f} <small>[{one.low * 100:.1f}, {one.high * 100:.1f}]</small>"
        parts.append(
            f'<div class="row"><span class="name">{escape(bar.label)}</span><span class="track">{_GRID}{mark}'
            f'<i class="interval" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'
            f'<i class="mean" style="left:{at(one.mean):.1f}%"></i></span><span class="value">{words}</span></div>'
        )
    steps = (low + (high - low) * step / 4 for step in range(5))
    ticks = "".join(f'<i style="left:{at(value):.1f}%">{value * 100:.0f}</i>' for value in steps)
    return "".join([*parts, f'<div class="row ticks"><span class="track">{ticks}</span></div></div>'])


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
