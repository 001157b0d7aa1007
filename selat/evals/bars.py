"""Bars of `promotion.toml`: what a passport must show before its model may serve a purpose."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import HomeBroken
from selat.evals.load import find_pack, shipped
from selat.evals.passport import Result

SHIPPED = Path(__file__).parent / "promotion.toml"
_COUNTS = ("refused", "evaded", "invalid", "truncated")
_MEASURES = ("score", "lower bound", "upper bound", "corrected", "language gap", "asymmetry", *_COUNTS)
_LINE = re.compile(
    r"(?P<pack>[\w.~-]+)(?: (?P<part>\w+)=(?P<name>[^ ]+))? "
    rf"(?P<measure>{'|'.join(_MEASURES)}) (?P<sign>>=|<=) (?P<number>-?\d+(?:\.\d+)?)"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line: `text` as written; the measure of a pack, or of a part of it, and its limit."""

    text: str
    pack: str
    part: tuple[str, str] | None
    measure: str
    at_least: bool
    limit: float


@dataclass(frozen=True, slots=True)
class Bars:
    """What a purpose asks: every bar, by a passport not older than `days`.

    `pins` are the digests that packs must have, by name: the shipped ones', and what the file pins of others.
    """

    days: int
    bars: tuple[Bar, ...]
    pins: Mapping[str, str]

    @property
    def packs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(bar.pack for bar in self.bars))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a bar is met, and why: `value` is None where the passport does not show it."""

    bar: str
    met: bool
    value: float | None
    reason: str

    def to_json(self) -> dict[str, object]:
        value = None if self.value is None else round(self.value, 6)
        return {"bar": self.bar, "met": self.met, "value": value, "reason": self.reason}


def read_bars(path: Path, purpose: str) -> Bars:
    """The bars of a purpose, from the home's file or else the shipped one. Raises: HomeBroken, naming the line."""
    source = path if path.exists() else SHIPPED
    try:
        document = tomllib.loads(source.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeBroken(f"{source.name} is not valid TOML: {error}. Mend it") from error
    sections = document.get("purpose", {})
    section = sections.get(purpose, sections.get("default")) if isinstance(sections, Mapping) else None
    if not isinstance(section, Mapping):
        raise HomeBroken(f"{source.name}: no [purpose.{purpose}] and no [purpose.default]; add one")
    lines, days = section.get("bars"), section.get("days", 180)
    if not isinstance(lines, list) or not lines or not isinstance(days, int) or days < 1:
        raise HomeBroken(f"{source.name}: a purpose has bars = [ … ], not empty, and days = a whole number")
    pins = document.get("packs", {})
    if not isinstance(pins, Mapping) or not all(isinstance(digest, str) for digest in pins.values()):
        raise HomeBroken(f'{source.name}: [packs] holds NAME = "digest", as selat eval list --json shows it')
    own = {name: find_pack(name).digest for name in shipped()}
    return Bars(days, tuple(read_bar(source.name, str(line)) for line in lines), {**own, **pins})


def read_bar(where: str, line: str) -> Bar:
    """Raises: HomeBroken, with the measures that are known."""
    found = _LINE.fullmatch(" ".join(line.split()))
    if found is None:
        raise HomeBroken(
            f"{where}: not a bar: '{line}'; write PACK [PART=NAME] MEASURE >= NUMBER; "
            f"measures: {', '.join(_MEASURES)}"
        )
    part = (found["part"], found["name"]) if found["part"] else None
    return Bar(line, found["pack"], part, found["measure"], found["sign"] == ">=", float(found["number"]))


def judge(bars: Bars, results: Sequence[Result]) -> list[Verdict]:
    """Every bar with its verdict. What the passport does not show is not met."""
    by_pack = {result.pack: result for result in results}
    return [_verdict(bar, by_pack.get(bar.pack), bars.pins.get(bar.pack)) for bar in bars.bars]


def _verdict(bar: Bar, result: Result | None, pin: str | None) -> Verdict:
    if result is None:
        reason = f"not examined as it is now; run: selat eval run --pack {bar.pack}"
        return Verdict(bar.text, False, None, reason)
    if result.digest != pin:
        # A pack is whatever its file says: only one that was agreed on beforehand may open the gate.
        how = "write its digest under [packs] in promotion.toml" if pin is None else "examine with that one"
        return Verdict(bar.text, False, None, f"pack {result.digest[:12]} is not the one that is pinned; {how}")
    if result.missing:
        return Verdict(bar.text, False, None, f"{result.missing} samples have no answer; run: selat eval resume")
    value = measure(bar, result)
    if value is None:
        return Verdict(bar.text, False, None, f"pack {bar.pack} does not show this")
    met = value >= bar.limit if bar.at_least else value <= bar.limit
    return Verdict(bar.text, met, value, f"{value:.3f} {'meets' if met else 'misses'} {bar.limit:g}")


def measure(bar: Bar, result: Result) -> float | None:
    """What a result shows of a bar's measure; None where it does not."""
    if bar.measure in _COUNTS:
        return dict(result.counts).get(bar.measure, 0) / result.n if result.n and bar.part is None else None
    if bar.measure == "language gap":
        return None if result.gap is None else result.gap / 1e6
    if bar.measure == "asymmetry":
        return None if result.asymmetry is None else result.asymmetry / 1e6
    shown = result.score
    if bar.part is not None:
        found = [part for part in result.parts if (part.kind, part.name) == bar.part]
        if not found:
            return None
        shown = found[0].score
    if not result.n:
        return None
    mean, low, high = (value / 1e6 for value in shown)
    if bar.measure == "corrected":
        chance = None if result.chance is None else result.chance / 1e6
        return None if chance is None or chance >= 1 else (mean - chance) / (1 - chance)
    return {"score": mean, "lower bound": low, "upper bound": high}[bar.measure]
