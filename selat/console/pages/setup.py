"""Setup: from nothing to the first cited answer in five short steps, each of which may be done again later."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from selat.app import DEFAULT_TENANT
from selat.console.page import At, Page
from selat.console.pages.ask import EXAMPLES
from selat.console.pages.documents import WORDS as UPLOAD_WORDS
from selat.console.pages.documents import library_of
from selat.console.view import View
from selat.console.words import N_, _
from selat.core.errors import CallerError
from selat.flows.listing import readable
from selat.house import detect_engines
from selat.knowledge import SUFFIXES

STEPS = (
    ("language", N_("Bahasa")),
    ("organisation", N_("Organisasi")),
    ("engine", N_("Enjin")),
    ("document", N_("Dokumen pertama")),
    ("question", N_("Soalan pertama")),
)
PROFILES = {
    "sme": (N_("Perniagaan kecil"), N_("Kedai, klinik, firma: kewajipan asas data peribadi.")),
    "commercial": (N_("Syarikat"), N_("Pengawal data komersial, dengan pegawai perlindungan data.")),
    "agency": (N_("Agensi kerajaan"), N_("Maklumat rasmi berlabel, perkongsian data antara agensi.")),
    "financial": (N_("Institusi kewangan"), N_("Peraturan BNM tentang penyumberan luar, awan dan risiko.")),
    "ncii": (N_("Infrastruktur kritikal"), N_("Kewajipan keselamatan siber: 6 jam dan 14 hari.")),
}
SETTERS = frozenset({"operator", "officer"})


async def show(view: View) -> Response:
    """GET /setup?step=…."""
    return await _step(view, view.query("step") or "language")


async def _step(view: View, step: str, status: int = 200, **values: object) -> Response:
    names = [name for name, _title in STEPS]
    step = step if step in names else names[0]
    platform, caller = view.house.platform, view.caller
    tenant = await view.thread(platform.keys.tenant, caller.tenant)
    ready, _collections = await view.thread(readable, library_of(view), caller)
    at = names.index(step)
    filled: dict[str, object] = {"wrong": "", "detail": "", **values}
    return view.show(
        "setup.html",
        status,
        steps=STEPS,
        step=step,
        at=at,
        following=names[at + 1] if at + 1 < len(names) else "",
        earlier=names[at - 1] if at else "",
        tenant=tenant,
        profiles=PROFILES,
        packs=_packs(view),
        ready=ready,
        examples=EXAMPLES,
        suffixes=SUFFIXES,
        words={name: _(text) for name, text in UPLOAD_WORDS.items()},
        data={"suffixes": list(SUFFIXES), "steps": {"ready": True, "failed": True}},
        house=caller.tenant == DEFAULT_TENANT and view.may("operator"),
        **(await _engines(view) if step == "engine" else {"engines": [], "found": []}),
        **filled,
    )


def _packs(view: View) -> dict[str, list[str]]:
    """The names of the rule packs that each profile switches on, in the person's language."""
    shelf = view.house.platform.rule_packs
    return {
        profile: [shelf.packs[name].said(view.tongue.code) for name in shelf.profiles[profile]]
        for profile in PROFILES
        if profile in shelf.profiles
    }


async def _engines(view: View) -> dict[str, Any]:
    """The engines there are, and the servers of this machine that could be some."""
    if view.caller.tenant != DEFAULT_TENANT or not view.may("operator"):
        return {"engines": [], "found": []}
    engines = await view.admin("GET", "/engines", {"probe": True})
    known = {one.url.rstrip("/") for one in engines}
    mine = urlsplit(view.origin).port
    servers = await view.thread(detect_engines)
    found = [one for one in servers if one.url not in known and urlsplit(one.url).port != mine]
    return {"engines": engines, "found": found}


async def profile(view: View) -> Response:
    """POST /setup/organisation."""
    await view.admin("PUT", "/tenant/profile", body={"profile": view.field("profile")})
    return view.go("/setup?step=engine")


async def engine(view: View) -> Response:
    """POST /setup/engine: one that was found, or one by its address."""
    models = [one.strip() for one in view.field("models").split(",") if one.strip()]
    body = {
        "name": _name(view.field("name") or view.field("software") or "model"),
        "url": view.field("url").strip(),
        "models": {name: name for name in models},
        "site": {"jurisdiction": (view.field("jurisdiction") or "MY").strip().upper()},
    }
    try:
        await view.admin("POST", "/engines", body=body)
    except CallerError as error:
        said = _("Enjin ini tidak dapat ditambah. Semak alamat, nama model dan negara.")
        return await _step(view, "engine", error.status, wrong=said, detail=str(error))
    return view.go("/setup?step=engine", "engine-added")


def _name(text: str) -> str:
    """A name that an engine may have, from what a person or a server calls it."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip("-.")[:60] or "model"


PAGE = Page(
    "setup",
    N_("Persediaan"),
    (
        At("GET", "/setup", show),
        At("POST", "/setup/organisation", profile),
        At("POST", "/setup/engine", engine),
    ),
    icon="setup",
    group=N_("Rumah"),
    roles=SETTERS,
)
