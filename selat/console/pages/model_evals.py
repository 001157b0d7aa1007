"""Evals as plots: what each model scored in each pack, with its interval; and two models compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.core.errors import Misused, NotFound
from selat.evals.compare import Comparison, compare
from selat.evals.results import results_of
from selat.evals.run import COMPLETE, Run
from selat.evals.stats import Estimate
from selat.evals.store import Store

VERDICTS = {
    "first is better": (N_("%(first)s lebih baik"), "ok"),
    "second is better": (N_("%(second)s lebih baik"), "ok"),
    "no difference that matters": (N_("Tiada beza yang penting"), "info"),
    "not enough items to tell": (N_("Soalan belum cukup untuk menentukan"), "warn"),
}
MOST_RUNS = 200
"""The latest so many runs are looked at: a page is not an archive."""


class Shown(NamedTuple):
    """What one run showed of one pack."""

    pack: str
    title: tuple[str, str]
    score: Estimate
    chance: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A model's latest score in a pack, as the plot draws it."""

    who: str
    run: str
    day: str
    score: Estimate


@dataclass
class Plot:
    """A pack with its lines, the best first."""

    pack: str
    title: str
    chance: float | None
    lines: list[Line]


@lru_cache(maxsize=512)
def _shown(path: Path, run: str, ended: str) -> tuple[Shown, ...]:
    """What a complete run showed: summed up once, since a run that ended so stays as it is."""
    store = Store(path)
    try:
        return tuple(
            Shown(pack.name, pack.title, summary.score, summary.chance)
            for pack, summary in results_of(store, store.run(run))
        )
    finally:
        store.close()


def who_of(run: Run) -> str:
    return f"{run.subject.model}@{run.subject.engine}"


async def show(view: View) -> Response:
    """GET /models/evals?first=MODEL@ENGINE&second=MODEL@ENGINE."""
    asked = {name: view.query(name) for name in ("first", "second")}
    plots = await view.thread(_plots, view)
    compared: list[Comparison] = []
    wrong = ""
    if asked["first"] and asked["second"]:
        try:
            compared = await view.thread(_compared, view, asked["first"], asked["second"])
        except (Misused, NotFound):
            wrong = _("Dua model ini belum menduduki ujian yang sama. Uji kedua-duanya dengan pek yang sama.")
    return view.show(
        "model-evals.html",
        tab="evals",
        plots=plots,
        who=sorted({line.who for plot in plots for line in plot.lines}),
        asked=asked,
        compared=compared,
        wrong=wrong,
        verdicts=VERDICTS,
        half=lambda value: (value + 1) / 2,
    )


def _path(view: View) -> Path:
    found: Path = view.house.platform.home.exams
    return found


def _latest(view: View) -> dict[tuple[str, str], Run]:
    """The latest complete run of each model in each pack."""
    if not _path(view).exists():
        return {}
    store = Store(_path(view))
    try:
        runs = [run for run in store.runs()[:MOST_RUNS] if run.state == COMPLETE]
    finally:
        store.close()
    found: dict[tuple[str, str], Run] = {}
    for run in runs:
        for exam in run.packs:
            found.setdefault((who_of(run), exam.name), run)
    return found


def _plots(view: View) -> list[Plot]:
    plots: dict[str, Plot] = {}
    for (who, pack), run in _latest(view).items():
        for one in _shown(_path(view), run.id, run.ended):
            if one.pack == pack:
                plot = plots.setdefault(pack, Plot(pack, one.title[speaking.get().code != "ms"], one.chance, []))
                plot.lines.append(Line(who, run.id, run.started, one.score))
    for plot in plots.values():
        plot.lines.sort(key=lambda line: (-line.score.mean, line.who))
    return [plots[name] for name in sorted(plots)]


def _compared(view: View, first: str, second: str) -> list[Comparison]:
    """Each pack that both sat, paired by its items. Raises: NotFound, where there is none."""
    latest = _latest(view)
    packs = [name for who, name in latest if who == first and (second, name) in latest]
    if not packs or first == second:
        raise NotFound("these two sat no pack in common")
    store = Store(_path(view))
    try:
        found = []
        for pack in sorted(packs):
            sat = [store.scored(latest[who, pack].id) for who in (first, second)]
            found.append(compare(pack, *([one for one in some if one.pack == pack] for some in sat)))
        return found
    finally:
        store.close()
