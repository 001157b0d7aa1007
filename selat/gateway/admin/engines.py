"""Engines: list, add, remove."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from selat.core.errors import NotFound
from selat.gateway.admin.route import OPERATOR, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Country, Done, Text, Title, Told


class EngineSite(Told):
    """Where an engine runs, under whose law, on whose hardware."""

    jurisdiction: str
    operator: str
    operator_jurisdiction: str
    hardware: str


class EngineHealth(Told):
    """Whether it answered just now."""

    ok: bool
    detail: str
    latency_ms: float
    models: list[str]


class EngineCard(Told):
    """An engine. `models` maps public names to its own."""

    name: str
    kind: str
    url: str
    models: dict[str, str]
    site: EngineSite
    weight: int
    health: EngineHealth | None


class EngineQuery(Asked):
    """`probe` asks each engine whether it answers."""

    probe: bool = False


class NewSite(Asked):
    """Where the engine will run: policy decides by it."""

    jurisdiction: Country
    operator: Title = "self"
    operator_jurisdiction: Country | None = None
    hardware: Title = "unknown"


class NewEngine(Asked):
    """An engine to add, by URL.

    Its key is named by an environment variable of the gateway that ends in _API_KEY: no other variable and no
    file of the machine can be sent anywhere from here. Headers and certificate files are for `selat engine add`.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    url: Annotated[str, Meta(max_length=500, pattern=r"^https?://[!-~]+$")]
    models: Annotated[dict[Title, Title], Meta(min_length=1, max_length=200)]
    site: NewSite
    key_env: Annotated[str, Meta(max_length=100, pattern=r"^[A-Z][A-Z0-9_]*_API_KEY$")] | None = None
    weight: Annotated[int, Meta(ge=0, le=1000)] | None = None
    max_connections: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class AddedEngine(Told):
    """An engine as it was written; running gateways take it up within a second."""

    name: Text
    models: dict[str, str]
    site: EngineSite


def survey(visit: Visit) -> object:
    query: EngineQuery = visit.query
    return [one.to_json() for one in visit.platform.shelf.survey(query.probe)]


def add(visit: Visit) -> object:
    body: NewEngine = visit.body
    site = {
        "jurisdiction": body.site.jurisdiction,
        "operator": body.site.operator,
        "operator_jurisdiction": body.site.operator_jurisdiction,
        "hardware": body.site.hardware,
    }
    wanted: dict[str, object] = {
        "name": body.name,
        "kind": "openai",
        "url": body.url,
        "models": body.models,
        "site": {field: value for field, value in site.items() if value is not None},
        "key_env": body.key_env,
        "weight": body.weight,
        "max_connections": body.max_connections,
    }
    fields = {field: value for field, value in wanted.items() if value is not None}
    spec = visit.changes.add_engine(visit.tenant, fields)
    return {"name": spec.name, "models": dict(spec.models), "site": spec.site.to_json()}


def remove(visit: Visit) -> object:
    try:
        visit.changes.remove_engine(visit.tenant, visit.ids["engine"])
    except NotFound:
        raise NotFound("no such engine; see: GET /admin/v1/engines") from None
    return {"done": True}


ROUTES: tuple[Route, ...] = (
    Route(
        *("GET", f"{PREFIX}/engines", READERS, "The engines, the heaviest first.", survey, list[EngineCard]),
        query=EngineQuery,
        house=True,
    ),
    Route(
        *("POST", f"{PREFIX}/engines", OPERATOR, "Add an engine by URL.", add, AddedEngine),
        body=NewEngine,
        status=201,
        house=True,
    ),
    Route(
        *("DELETE", f"{PREFIX}/engines/{{engine}}", OPERATOR),
        *("Take an engine out; calls under way go on to their end.", remove, Done),
        house=True,
    ),
)
