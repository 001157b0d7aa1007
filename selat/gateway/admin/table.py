"""Every route of the admin API."""

from __future__ import annotations

from selat.gateway.admin import (
    documents,
    duties,
    engines,
    keys,
    ledger,
    models,
    people,
    policy,
    promotions,
    quotas,
    tasks,
    tenants,
)
from selat.gateway.admin.route import Route

ROUTES: tuple[Route, ...] = (
    *tenants.ROUTES,
    *keys.ROUTES,
    *people.ROUTES,
    *quotas.ROUTES,
    *engines.ROUTES,
    *models.ROUTES,
    *tasks.ROUTES,
    *promotions.ROUTES,
    *policy.ROUTES,
    *duties.ROUTES,
    *documents.ROUTES,
    *ledger.ROUTES,
)
