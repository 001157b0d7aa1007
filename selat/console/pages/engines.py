"""Engines: where each stands, what it serves, whether it answers, and how busy it is."""

from __future__ import annotations

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.view import View
from selat.console.words import N_
from selat.gateway.admin.route import OPERATOR, READERS
from selat.gateway.metrics import load_fresh, total
from selat.gateway.traffic import EngineLoad, traffic

STATES = {
    "closed": (N_("Dihubungi seperti biasa"), "ok"),
    "half_open": (N_("Sedang dicuba semula"), "warn"),
    "open": (N_("Direhatkan selepas gagal"), "bad"),
}


async def show(view: View) -> Response:
    """GET /engines: each is asked at the same time whether it answers."""
    engines = await view.admin("GET", "/engines", {"probe": True})
    loads = {one.name: one for one in await view.thread(_loads, view)}
    idle = EngineLoad("", "closed", 0, 0, 0.0, 0.0)
    return view.show(
        "engines.html",
        engines=[(one, loads.get(one.name, idle)) for one in engines],
        states=STATES,
        drill=await view.thread(view.house.platform.drills.running),
        home=view.house.platform.settings.site_jurisdiction,
        operator=view.may(*OPERATOR),
        asked=view.query("remove"),
    )


def _loads(view: View) -> tuple[EngineLoad, ...]:
    """As the workers of this gateway see their engines, added up."""
    samples = load_fresh(view.house.platform.home.metrics)
    return traffic({}, total(samples), 1.0).engines if samples else ()


async def remove(view: View) -> Response:
    """POST /engines/remove: it takes no new calls from now on."""
    await view.admin("DELETE", f"/engines/{view.field('engine')}")
    return view.go("/engines", "engine-removed")


PAGE = Page(
    "engines",
    N_("Enjin model"),
    (
        At("GET", "/engines", show),
        At("POST", "/engines/remove", remove, roles=OPERATOR),
    ),
    icon="engines",
    group=N_("Rumah"),
    roles=READERS,
)
