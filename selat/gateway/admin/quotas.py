"""Limits of requests, tokens and ringgit."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from selat.core.errors import NotFound
from selat.gateway.admin.route import OPERATOR, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Count, Done, Told
from selat.policy.quota import Limit

Scope = Annotated[str, Meta(pattern=r"^(tenant|key:[A-Za-z0-9_-]{1,64}|purpose:[a-z0-9-]{1,63})$")]
Period = Literal["minute", "hour", "day", "month"]
Unit = Literal["requests", "tokens", "microringgit"]


class QuotaPlace(Asked):
    """Which limit. A microringgit is a millionth of a ringgit."""

    period: Period
    unit: Unit
    scope: Scope = "tenant"


class QuotaWish(Asked):
    """At most `amount` of `unit` in each period; 0 stops all."""

    period: Period
    unit: Unit
    amount: Count
    scope: Scope = "tenant"


class QuotaCard(Told):
    """A limit."""

    tenant: str
    scope: str
    period: str
    unit: str
    amount: int


class QuotaUse(QuotaCard):
    """A limit, what is used of it now, and when it begins anew."""

    used: int
    resets_at: str


def usage(visit: Visit) -> object:
    return [one.to_json() for one in visit.platform.quota.usage(visit.tenant)]


def set_limit(visit: Visit) -> object:
    body: QuotaWish = visit.body
    return visit.changes.set_limit(Limit(visit.tenant, body.scope, body.period, body.unit, body.amount)).to_json()


def clear(visit: Visit) -> object:
    place: QuotaPlace = visit.query
    if not visit.changes.clear_limit(Limit(visit.tenant, place.scope, place.period, place.unit, 0)):
        raise NotFound("no such limit; see: GET /admin/v1/quotas")
    return {"done": True}


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/quotas", READERS, "The tenant's limits and what is used.", usage, list[QuotaUse]),
    Route("PUT", f"{PREFIX}/quotas", OPERATOR, "Set a limit.", set_limit, QuotaCard, body=QuotaWish),
    Route("DELETE", f"{PREFIX}/quotas", OPERATOR, "Remove a limit.", clear, Done, query=QuotaPlace),
)
