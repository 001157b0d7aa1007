"""Promotions: which models may serve which purposes, and promoting one whose passport meets every bar."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from selat.core.errors import NotFound
from selat.gateway.admin.route import OPERATOR, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Slug, Title, Told
from selat.stamps import fresh_id, now


class PromotionCard(Told):
    """Leave for a model at an engine to serve a purpose; `why_not` is "" while it holds."""

    purpose: str
    model: str
    engine: str
    passport: str
    time: str
    until: str
    receipt: str
    why_not: str


class PromotionWish(Asked):
    """Which model, as which engine serves it, for which purpose of the tenant's."""

    model: Title
    engine: Annotated[str, Meta(min_length=1, max_length=64)]
    purpose: Slug


class VerdictCard(Told):
    """Whether a bar is met, and why; `value` is null where no eval shows it."""

    bar: str
    met: bool
    value: float | None
    reason: str


class JudgedCard(Told):
    """What became of it; both outcomes are entries."""

    promoted: bool
    purpose: str
    model: str
    engine: str
    subject: str
    passport: str
    verdicts: list[VerdictCard]
    receipt: str


def show_all(visit: Visit) -> object:
    from selat.flows.promote import Registry  # brings numpy: only where somebody asks

    platform = visit.platform
    engines = {engine.name: engine for engine in platform.shelf.engines}
    rows = []
    for one in Registry.of(platform.home).promotions():
        engine = engines.get(one.engine)
        why_not = platform.gate.why_not(one.purpose, one.model, engine) if engine else "its engine is gone"
        fields = ("purpose", "model", "engine", "passport", "time", "until", "receipt")
        rows.append({name: getattr(one, name) for name in fields} | {"why_not": why_not})
    return rows


def promote(visit: Visit) -> object:
    from selat.flows.standing import bench_at  # brings numpy

    asked: PromotionWish = visit.body
    platform = visit.platform
    engines = [one for one in platform.shelf.engines if one.name == asked.engine and asked.model in one.models]
    if not engines:
        raise NotFound("no engine of that name serves this model; see: GET /admin/v1/engines")
    if asked.purpose not in {one.id for one in platform.keys.tenant(visit.tenant).purposes}:
        raise NotFound("no such purpose is registered; see: GET /admin/v1/tenant")

    def record(kind: str, facts: dict[str, object]) -> str:
        return visit.record(kind, facts, visit.tenant)

    with bench_at(platform.home, platform.models, lambda: (fresh_id(), now())) as bench:
        return bench.promote(engines[0], asked.model, asked.purpose, record).to_json()


ROUTES: tuple[Route, ...] = (
    Route(
        *(
            "GET",
            f"{PREFIX}/promotions",
            READERS,
            "Which models may serve which purposes, and what holds.",
        ),
        *(show_all, list[PromotionCard]),
        house=True,
    ),
    Route(
        *(
            "POST",
            f"{PREFIX}/promotions",
            OPERATOR,
            "Promote a model, if its passport meets every bar.",
        ),
        *(promote, JudgedCard),
        body=PromotionWish,
        house=True,
    ),
)
