"""Which models may serve which purposes, how far others are from it, and promoting one that meets every bar."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from selat.console.view import View
from selat.console.words import N_, _
from selat.core.errors import LedgerBroken, NotFound
from selat.evals.bars import Verdict
from selat.evals.passport import Passport
from selat.flows.claims import beside
from selat.flows.promote import Promotion, Registry
from selat.flows.standing import Bench, Standing, bench_at
from selat.gateway.admin.route import OPERATOR
from selat.stamps import fresh_id, now

SCALE = 1_000_000
"""Passports hold shares as whole millionths."""
MET, MISSED, MISSING = "met", "missed", "missing"
VERDICTS = {
    MET: (N_("Lulus"), "ok"),
    MISSED: (N_("Gagal"), "bad"),
    MISSING: (N_("Belum diuji"), "warn"),
}
_BAR = re.compile(r"(?P<what>.*) (?P<sign>>=|<=) (?P<limit>\S+)")


@dataclass(frozen=True, slots=True)
class Leave:
    """A promotion as a page shows it; `why_not` is "" while it holds."""

    promotion: Promotion
    why_not: str


def registry_of(view: View) -> Registry:
    return Registry.of(view.house.platform.home)


def bench_of(view: View) -> AbstractContextManager[Bench]:
    """What standings are made from. Its database belongs to the thread that opens it."""
    platform = view.house.platform
    return bench_at(platform.home, platform.models, lambda: (fresh_id(), now()))


async def show(view: View) -> Response:
    """GET /models/leave?what=MODEL@ENGINE&purpose=…: the promotions, and how far one model is from a purpose."""
    platform = view.house.platform
    purposes = platform.keys.tenant(view.caller.tenant).purposes
    asked = {name: view.query(name) for name in ("what", "purpose")}
    standing = None
    if asked["what"] and asked["purpose"]:
        standing = await view.thread(_standing, view, *_chosen(view, asked["what"], asked["purpose"]))
    return view.show(
        "model-leave.html",
        tab="leave",
        leaves=await view.thread(_leaves, view),
        served=_served(view),
        purposes=[(one.id, one.name_ms if view.tongue.code == "ms" else one.name_en) for one in purposes],
        asked=asked,
        standing=standing,
        verdict=lambda one: VERDICTS[kind_of(one)],
        counts=_counts(standing) if standing else {},
        split=split_bar,
        operator=view.may(*OPERATOR),
    )


def kind_of(one: Verdict) -> str:
    return MET if one.met else MISSING if one.value is None else MISSED


def split_bar(line: str) -> tuple[str, str]:
    """A bar's measure and its limit, as in `tatabahasa lower bound`, `≥ 0.60`."""
    found = _BAR.fullmatch(line)
    return (found["what"], f"{'≥' if found['sign'] == '>=' else '≤'} {found['limit']}") if found else (line, "")


def _counts(standing: Standing) -> dict[str, int]:
    kinds = [kind_of(one) for one in standing.verdicts]
    return {kind: kinds.count(kind) for kind in VERDICTS}


def _served(view: View) -> list[tuple[str, str]]:
    """Every model at every engine that serves it."""
    shelf = view.house.platform.shelf
    return [(model, engine.name) for model in shelf.models() for engine in shelf.lookup(model)]


def _chosen(view: View, what: str, purpose: str) -> tuple[Any, str, str]:
    """The engine, model and purpose that were chosen. Raises: NotFound."""
    model, _at, name = what.rpartition("@")
    engines = [one for one in view.house.platform.shelf.lookup(model) if one.name == name]
    if not engines:
        raise NotFound("no engine of that name serves this model")
    if purpose not in {one.id for one in view.house.platform.keys.tenant(view.caller.tenant).purposes}:
        raise NotFound("no such purpose is registered")
    return engines[0], model, purpose


def _standing(view: View, engine: Any, model: str, purpose: str) -> Standing:
    with bench_of(view) as bench:
        return bench.standing(engine, model, purpose)


def _leaves(view: View) -> list[Leave]:
    platform = view.house.platform
    engines = {engine.name: engine for engine in platform.shelf.engines}
    leaves = []
    for one in registry_of(view).promotions():
        engine = engines.get(one.engine)
        why_not = platform.gate.why_not(one.purpose, one.model, engine) if engine else _("enjinnya tiada lagi")
        leaves.append(Leave(one, why_not))
    return leaves


async def promote(view: View) -> Response:
    """POST /models/promote: its files are weighed again, and the outcome is an entry whatever it is."""
    chosen = _chosen(view, view.field("what"), view.field("purpose"))

    def do() -> bool:
        def record(kind: str, facts: dict[str, object]) -> str:
            return view.house.platform.record(kind, facts, view.caller.tenant, view.caller.key)

        with bench_of(view) as bench:
            return bench.promote(*chosen, record).promoted

    if await view.thread(do):
        return view.go("/models/leave", "model-promoted")
    return await show(view)


async def passport(view: View) -> Response:
    """GET /models/passport/{digest}: what was verified here, and beside it what others claim."""
    digest = view.request.path_params["digest"]
    if len(digest) != 64 or not digest.isalnum():
        raise NotFound("no such passport")
    try:
        found: Passport = await view.thread(registry_of(view).passport, digest)
    except LedgerBroken as error:
        raise NotFound(str(error)) from None
    return view.show("passport.html", one=found, digest=digest, share=share, rows=beside(found))


def share(part: Any) -> float:
    """A whole number of millionths as a share of one."""
    return int(part) / SCALE
