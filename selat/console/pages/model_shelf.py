"""Models: what is on the shelf and where it came from, what is on its way, and what else would fit."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from selat.console.pages import model_one, model_pulls
from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.core.errors import Misused
from selat.gateway.admin.route import OPERATOR
from selat.models.catalogue import Need, Suggestion, as_of, read_memory, suggest
from selat.models.licence import licence

LANGUAGES = {"": N_("Apa-apa bahasa"), "ms": "Bahasa Melayu", "en": "English", "zh": "中文", "ta": "தமிழ்"}


async def show(view: View) -> Response:
    """GET /models?memory=…&language=…: the shelf, the pulls, and what the catalogue would suggest."""
    wanted = {name: view.query(name) for name in ("memory", "language")}
    found: list[Any] = []
    wrong = ""
    if wanted["memory"]:
        try:
            need = Need(read_memory(wanted["memory"]), wanted["language"] or "", permissive=True)
            found = await view.thread(suggest, need)
        except Misused as error:
            wrong = str(error)
    return view.show(
        "models.html",
        tab="shelf",
        models=await view.admin("GET", "/models"),
        pulls=await view.thread(model_pulls.rows, view),
        operator=view.may(*OPERATOR),
        licence=licence,
        wanted=wanted,
        wrong=wrong,
        suggestions=found,
        reasons=partial(reasons, language=wanted["language"]),
        as_of=as_of(),
        languages_known=LANGUAGES,
        href=model_one.href,
    )


def reasons(one: Suggestion, language: str) -> list[str]:
    """What speaks for a model and what to know of it, in the person's language, beside its size and licence."""
    entry, country = one.entry, speaking.get().country
    said = []
    if language and language in entry.languages:
        said.append(_("Pembuatnya menamakan bahasa ini antara bahasanya."))
    elif language:
        many = speaking.get().number(entry.many)
        said.append(_("Pembuatnya mendakwa %(n)s bahasa; bahasa ini belum kami lihat dinamakan.", n=many))
    place = country(entry.country)
    if entry.base:
        home = country(entry.base_country)
        said.append(
            _("Dibuat di %(place)s daripada %(base)s (%(home)s).", place=place, base=entry.base, home=home)
        )
    else:
        said.append(_("Dibuat di %(place)s.", place=place))
    if not entry.checked:
        said.append(_("Belum disahkan: baca kadnya dahulu."))
    elif entry.checked != "maker":
        said.append(_("Belum disahkan pada halaman pembuatnya."))
    return said
