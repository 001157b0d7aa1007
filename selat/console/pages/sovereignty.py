"""Sovereignty: four scores over what was served, and what each single loss would cost."""

from __future__ import annotations

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.pages import period
from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.flows.sovereignty import Assessment, Cut, assess, served, standing
from selat.gateway.admin.route import OVERSEERS

SCORES = {
    "receipts": (
        N_("Resit lengkap"),
        N_("Permintaan yang pembukaan dan penutupannya ada dalam lejar."),
        N_("Jawapan yang terbuka: jalankan `selat ledger check` dan lihat lejar."),
    ),
    "passports": (
        N_("Pasport sah"),
        N_("Permintaan kepada model yang telah lulus ujian tempatan untuk tujuan itu."),
        N_("Uji model ini untuk tujuannya: `selat eval run`, kemudian `selat model promote`."),
    ),
    "residency": (
        N_("Kediaman"),
        N_("Permintaan yang kekal di dalam negara, di bawah undang-undangnya sahaja."),
        N_("Pindahkan model ini ke enjin dalam negara, atau rekodkan asas pemindahannya."),
    ),
    "survivability": (
        N_("Daya tahan"),
        N_("Permintaan yang masih boleh dijawab jika satu pihak atau tempat yang paling penting hilang."),
        N_("Tambah enjin daripada pembekal lain yang menyajikan model dengan nama yang sama."),
    ),
}
CUTS = {
    "engine": N_("Enjin %(name)s gagal"),
    "operator": N_("Pengendali %(name)s berhenti"),
    "country": N_("%(name)s memutuskan bekalan"),
    "vendor": N_("Model dari %(name)s dilarang"),
    "hardware": N_("Perkakasan %(name)s tidak boleh diperoleh"),
}


async def show(view: View) -> Response:
    """GET /sovereignty?days=…"""
    days = period.days(view)
    found: Assessment = await view.thread(_assess, view, period.since(days))
    return view.show(
        "sovereignty.html",
        scores=found.scores,
        means={name: [_(text) for text in texts] for name, texts in SCORES.items()},
        cuts=[(cut, _cut(cut)) for cut in found.cuts],
        total=found.scores[0].of,
        periods=period.PERIODS,
        days=days,
        home=speaking.get().country(view.house.platform.settings.site_jurisdiction),
    )


def _assess(view: View, since: str) -> Assessment:
    platform, tenant = view.house.platform, view.caller.tenant
    shelf = platform.shelf
    engines = {engine.name: engine for engine in shelf.engines}

    def promoted(purpose: str, model: str, engine: str) -> bool:
        return engine in engines and platform.gate.permits(purpose, model, engines[engine])

    stand = [standing(one.engine, one.spec.kind if one.spec else "built-in") for one in shelf.survey(ask=False)]
    requests = served(platform.home.ledger, tenant, since)
    return assess(requests, stand, platform.settings.site_jurisdiction, promoted)


def _cut(cut: Cut) -> str:
    name = speaking.get().country(cut.name) if cut.kind in ("country", "vendor") else cut.name
    return _(CUTS[cut.kind], name=name)


PAGE = Page(
    "sovereignty",
    N_("Kedaulatan"),
    (At("GET", "/sovereignty", show),),
    icon="sovereignty",
    group=N_("Bukti"),
    roles=OVERSEERS,
)
