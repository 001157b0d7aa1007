"""Models: what is on the shelf and where it came from, what it passed, and what else would fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.view import View
from selat.console.words import N_, speaking
from selat.core.errors import LedgerBroken, Misused, NotFound
from selat.evals.passport import Passport
from selat.flows.promote import Promotion, Registry
from selat.gateway.admin.route import READERS
from selat.models import Model
from selat.models.catalogue import Need, as_of, read_memory, suggest
from selat.models.licence import licence

LANGUAGES = {"": N_("Apa-apa bahasa"), "ms": "Bahasa Melayu", "en": "English", "zh": "中文", "ta": "தமிழ்"}
SCALE = 1_000_000
"""Passports hold shares as whole millionths."""


@dataclass(frozen=True, slots=True)
class Leave:
    """A promotion as a page shows it; `why_not` is "" while it holds."""

    promotion: Promotion
    why_not: str


async def show(view: View) -> Response:
    """GET /models?memory=…&language=…: the shelf, the passports, and what the catalogue would suggest."""
    wanted = {name: view.query(name) for name in ("memory", "language")}
    models, leaves = await view.thread(_shelf, view)
    found, wrong = [], ""
    if wanted["memory"]:
        try:
            need = Need(read_memory(wanted["memory"]), wanted["language"] or "", permissive=True)
            found = await view.thread(suggest, need)
        except Misused as error:
            wrong = str(error)
    return view.show(
        "models.html",
        models=models,
        size=lambda model: sum(file.size_bytes for file in model.files),
        licence=licence,
        leaves=leaves,
        wanted=wanted,
        wrong=wrong,
        suggestions=found,
        reasons="reasons_ms" if speaking.get().code == "ms" else "reasons",
        as_of=as_of(),
        languages_known=LANGUAGES,
    )


def _shelf(view: View) -> tuple[list[Model], list[Leave]]:
    platform = view.house.platform
    engines = {engine.name: engine for engine in platform.shelf.engines}
    leaves = []
    for one in _registry(view).promotions():
        engine = engines.get(one.engine)
        why_not = platform.gate.why_not(one.purpose, one.model, engine) if engine else "its engine is gone"
        leaves.append(Leave(one, why_not))
    return platform.models.models(), leaves


def _registry(view: View) -> Registry:
    home = view.house.platform.home
    return Registry(home.path / "passports", home.keys / "passport.key")


async def passport(view: View) -> Response:
    """GET /models/passport/{digest}: what was verified here, and apart from it what others claim."""
    digest = view.request.path_params["digest"]
    if len(digest) != 64 or not digest.isalnum():
        raise NotFound("no such passport")
    try:
        found: Passport = await view.thread(_registry(view).passport, digest)
    except LedgerBroken as error:
        raise NotFound(str(error)) from None
    return view.show("passport.html", one=found, digest=digest, share=_share)


def _share(part: Any) -> float:
    """A whole number of millionths as a share of one."""
    return int(part) / SCALE


PAGE = Page(
    "models",
    N_("Rak model"),
    (
        At("GET", "/models", show),
        At("GET", "/models/passport/{digest}", passport),
    ),
    icon="models",
    group=N_("Rumah"),
    roles=READERS,
)
