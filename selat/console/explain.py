"""An error in the person's language: its kind and what it is about; the English sentence of the room is a detail.

Rooms and flows raise errors with a kind (`code`) and parameters (a field, rules, seconds); their sentence is for
the log, the API and the command line. Here kind and parameters become words; what stays English is a detail.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from selat.console import names
from selat.console.words import N_, _, speaking
from selat.core.errors import BadRequest, Forbidden, Misused, SelatError, TooLarge, TooMany

if TYPE_CHECKING:
    from selat.console.view import View

FIELDS = {
    "amount": N_("jumlah"),
    "clearance": N_("paras akses"),
    "collection": N_("koleksi"),
    "folder": N_("folder"),
    "groups": N_("kumpulan"),
    "jurisdiction": N_("negara"),
    "jurisdictions": N_("negara asal"),
    "label": N_("label"),
    "language": N_("bahasa"),
    "login": N_("nama log masuk"),
    "messages": N_("mesej"),
    "model": N_("model"),
    "models": N_("model"),
    "name": N_("nama"),
    "period": N_("tempoh"),
    "profile": N_("jenis organisasi"),
    "purpose": N_("tujuan"),
    "reason": N_("sebab"),
    "roles": N_("peranan"),
    "since": N_("tarikh"),
    "site": N_("tempat"),
    "unit": N_("unit"),
    "url": N_("alamat"),
    "useful": N_("maklum balas"),
}
"""What fields are called; `site.jurisdiction` is looked for whole, then by its last part, then by its first."""


def explained(view: View, error: SelatError) -> str:
    """The error in plain words with the next step, in the person's language."""
    if isinstance(error, Forbidden) and (said := _rules(view, error)):
        return said
    if isinstance(error, TooMany):
        again = datetime.now(UTC) + timedelta(seconds=error.retry_after_s)
        return _(
            "Had penggunaan telah dicapai. Had diset semula pada %(when)s.", when=speaking.get().moment(again)
        )
    if isinstance(error, TooLarge) and error.limit_bytes:
        limit = speaking.get().size(error.limit_bytes)
        return _(
            "Ini melebihi had %(limit)s. Pecahkan kepada bahagian yang lebih kecil, atau minta pengendali"
            " menaikkan hadnya.",
            limit=limit,
        )
    if isinstance(error, BadRequest | Misused) and (field := _field(_param(error))):
        return _(
            "Semak medan “%(field)s”: nilainya tidak boleh diterima. Betulkan dan hantar semula.", field=field
        )
    return names.error(error.code)


def _rules(view: View, error: Forbidden) -> str:
    """The reasons of the policies that denied, as their files say them in the person's language."""
    known = view.house.platform.decider.policies.policies
    reasons = [known[rule].reason(view.tongue.code) for rule in error.rules if rule in known]
    if not reasons:
        return ""
    return _(
        "Dasar tidak membenarkan permintaan ini, jadi tiada apa-apa dihantar: %(why)s.", why="; ".join(reasons)
    )


def _param(error: SelatError) -> str:
    """The field that an error is about: its `param`, or what stands before the colon that messages begin with."""
    said = error.param if isinstance(error, BadRequest) else None
    return said or str(error).partition(":")[0]


def _field(param: str) -> str:
    """What a field is called, "" for one without a name here."""
    param = param.removeprefix("selat-")  # a header of the API is a field of ours
    parts = param.replace("[", ".").split(".")
    found = next((FIELDS[name] for name in (param, parts[-1], parts[0]) if name in FIELDS), "")
    return _(found) if found else ""
