"""The endpoints that only read: models, receipts, health, readiness, metrics."""

from __future__ import annotations

from selat.core.errors import NotFound
from selat.flows.receipt import last_proof
from selat.gateway.completions import caller_of
from selat.gateway.door import Door
from selat.gateway.http import Request

PROOF = "text/plain; charset=utf-8"


async def models(door: Door, request: Request) -> None:
    """GET /v1/models."""
    caller_of(door, request)
    await request.respond_json(200, {"object": "list", "data": door.models()})


async def model(door: Door, request: Request) -> None:
    """GET /v1/models/{id}."""
    caller_of(door, request)
    wanted = _id(request)
    for card in door.models():
        if card["id"] == wanted:
            return await request.respond_json(200, card)
    raise NotFound("no such model; GET /v1/models lists them")


async def receipt(door: Door, request: Request) -> None:
    """GET /v1/receipts/{id}: JSON with both entries; `accept: text/plain` gives the proof file of the last."""
    caller = caller_of(door, request)
    found = door.receipt(_id(request), caller.tenant)
    if found is None:
        raise NotFound("no such receipt; one is ready about a second after its request ended")
    if "text/plain" in request.header(b"accept"):
        return await request.respond(200, last_proof(found).encode(), PROOF)
    await request.respond_json(200, found)


async def healthz(door: Door, request: Request) -> None:
    """GET /healthz: the process answers."""
    await request.respond_json(200, {"status": "ok"})


async def readyz(door: Door, request: Request) -> None:
    """GET /readyz: 200 when work can be taken, else 503 with what is not in order."""
    wrong = door.ready()
    await request.respond_json(
        503 if wrong else 200, {"status": "not ready" if wrong else "ready", "problems": wrong}
    )


async def metrics(door: Door, request: Request) -> None:
    """GET /metrics: Prometheus text, summed over the workers."""
    await request.respond(200, door.render_metrics(), "text/plain; version=0.0.4; charset=utf-8")


def _id(request: Request) -> str:
    return request.path.split("/", 3)[3]
