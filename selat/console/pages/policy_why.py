"""Why a request was denied: what counted, the rules in plain words, what would change it; also of one supposed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from starlette.responses import Response

from selat.console import names
from selat.console.pages.ledger import may_read
from selat.console.pages.policy_words import ACTIONS, CHANGES, EXTRAS, FINDINGS, FLAGS
from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.core.errors import NotFound
from selat.core.label import CloudClass, Official, PersonalKind
from selat.flows.receipt import receipt as find_receipt
from selat.flows.why import Case, why
from selat.gateway.admin.route import OVERSEERS
from selat.identity import Purpose
from selat.ledger import Asked, Question
from selat.ledger.query import query
from selat.policy import UNREGISTERED

RECENT = 20
ELSEWHERE = "elsewhere"
AXES = (
    ("official", N_("Kelas rasmi"), Official),
    ("cloud", N_("Kelas awan"), CloudClass),
    ("personal", N_("Data peribadi"), PersonalKind),
)


class Row(NamedTuple):
    """An attribute of a request: its name, its value in words, and whether a deciding rule looked at it."""

    name: str
    value: str
    counted: bool


async def show(view: View) -> Response:
    """GET /policy/why?receipt=…: a decision explained; without a receipt, the latest denials to pick from."""
    asked = view.query("receipt").strip()
    case: Case | None = None
    leaf: dict[str, Any] = {}
    if asked:
        leaf = await view.thread(_leaf, view, asked) or {}
        case = await view.thread(_case, view, leaf) if leaf else None
    purposes = (await view.thread(view.house.platform.keys.tenant, view.caller.tenant)).purposes
    return view.show(
        "policy-why.html",
        purposes=purposes,
        status=404 if asked and case is None else 200,
        tab="why",
        asked=asked,
        case=case,
        leaf=leaf,
        rows=_rows(case, leaf, purposes) if case else [],
        rules=_reasons(view, case) if case else [],
        advice=[(changes(one.changes), one.effect) for one in case.today.advice] if case else [],
        recent=await view.thread(_recent, view),
        mine=not view.may(*OVERSEERS),
    )


def _recent(view: View) -> list[Asked]:
    """The latest denials: the tenant's for overseers, everyone else's own."""
    own = "" if view.may(*OVERSEERS) else view.caller.key
    question = Question(tenant=view.caller.tenant, caller=own, decision="deny", limit=RECENT, newest=True)
    return list(query(view.house.platform.home.ledger, question))


def _leaf(view: View, identity: str) -> dict[str, Any] | None:
    """The opening or refusal under an id; None where there is none, and where it is not the person's to read."""
    found = find_receipt(view.house.platform.book, identity, view.caller.tenant)
    if found is None or not may_read(view, found):
        return None
    for kind in ("opened", "refused"):
        entry = found.get(kind)
        if isinstance(entry, dict):
            leaf: dict[str, Any] = entry["leaf"]
            return leaf
    return None


def _case(view: View, leaf: dict[str, Any]) -> Case:
    return why(leaf, view.house.platform.decider.policies, _roles(view, leaf["caller"]))


def _roles(view: View, key: str) -> frozenset[str]:
    """The roles that a caller has now: policy may look at them, and entries hold none."""
    platform, tenant = view.house.platform, view.caller.tenant
    if key == view.caller.key:
        return view.caller.roles
    try:
        return platform.people.get(tenant, key).roles
    except NotFound:
        return next((one.roles for one in platform.keys.list(tenant) if one.id == key), frozenset())


def _reasons(view: View, case: Case) -> list[tuple[str, str]]:
    """The deciding rules, each by its id and in plain words."""
    known = view.house.platform.decider.policies.policies
    language = view.tongue.code
    return [(rule, known[rule].reason(language)) for rule in case.rules if rule in known]


def changes(done: tuple[str, ...] | list[str]) -> str:
    """Changes that would help when made together, in one line."""
    return "; ".join(_(CHANGES[one]) if one in CHANGES else one for one in done)


def _rows(case: Case, leaf: dict[str, Any], purposes: Iterable[Purpose]) -> list[Row]:
    """What policy was told of the request, in words; never its text, which no entry holds."""
    request, tongue = case.request, speaking.get()
    official, cloud, personal, origins = str(request.label).split("/")
    findings = [
        f"{_(FINDINGS[kind]) if kind in FINDINGS else kind} × {n}" for kind, n in leaf["scan"]["findings"].items()
    ]
    flags = [_(FLAGS[flag]) if flag in FLAGS else flag for flag in sorted(request.scan.flags)]
    listed = [
        (_("Tujuan"), names.registered(purposes, request.purpose), "context.purpose"),
        (_("Perbuatan"), _(ACTIONS[request.action]), "action"),
        (_("Kelas rasmi"), names.axis_level("official", official), "context.official"),
        (_("Kelas awan"), names.axis_level("cloud", cloud), "context.cloud"),
        (_("Data peribadi"), names.axis_level("personal", personal), "context.personal"),
        (
            _("Negara asal"),
            ", ".join(tongue.country(one) for one in origins.split("+") if one != "-"),
            "context.jurisdictions",
        ),
        (_("Ditemui dalam teks"), ", ".join(findings) or _("tiada apa-apa"), "context.findings"),
        (_("Teks ini"), ", ".join(flags) or _("tiada tanda khas"), "context.flags"),
        (_("Imbasan"), _("berjaya") if request.scan.ok else _("gagal"), "context.scan_ok"),
        (_("Enjin"), request.engine, "resource.name"),
        (_("Tempat enjin"), tongue.country(request.site.jurisdiction), "resource.site.jurisdiction"),
        (
            _("Pengendali"),
            f"{names.operator(request.site.operator)}, {tongue.country(request.site.operator_jurisdiction)}",
            "resource.site.operator",
        ),
        (
            _("Peranan sekarang"),
            ", ".join(names.role(one) for one in sorted(request.caller.roles)),
            "principal.roles",
        ),
    ]
    counted = [(name, value, any(one.startswith(path) for one in case.counted)) for name, value, path in listed]
    return sorted((Row(*one) for one in counted if one[1]), key=lambda row: not row.counted)


async def attempt(view: View) -> Response:
    """GET /policy/try?…: a request that is only supposed, decided as it would be; nothing is sent anywhere."""
    platform = view.house.platform
    tenant = await view.thread(platform.keys.tenant, view.caller.tenant)
    answers = await _answers(view) if view.query("purpose") else []
    return view.show(
        "policy-try.html",
        tab="try",
        asked=_fields(view),
        answers=answers,
        purposes=[(one.id, names.purpose(one)) for one in tenant.purposes],
        unregistered=UNREGISTERED,
        axes=[(name, title, [level.name.lower() for level in kind]) for name, title, kind in AXES],
        actions=ACTIONS,
        extras=EXTRAS,
        engines=platform.shelf.engines,
        models=sorted(platform.shelf.models()),
        elsewhere=ELSEWHERE,
    )


def _fields(view: View) -> dict[str, Any]:
    usual = {"purpose": "", "action": "infer", "official": "terbuka", "cloud": "public", "personal": "none"}
    usual |= {"model": "", "engine": "", "jurisdiction": "SG", "operator_jurisdiction": "", "owner": ""}
    held = set(view.request.query_params.getlist("held"))
    return {**{name: view.query(name, value) for name, value in usual.items()}, "held": held}


class Answer(NamedTuple):
    """What would be decided at one place: its name, the explanation, and the rules and changes in words."""

    place: str
    country: str
    effect: str
    rules: list[tuple[str, str]]
    advice: list[tuple[str, str]]


async def _answers(view: View) -> list[Answer]:
    """The decision for each place that was asked about. Raises: BadRequest, naming the field."""
    asked, language = _fields(view), view.tongue.code
    made = []
    for name, site, passport in await view.thread(_places, view, asked):
        found = await view.admin("POST", "/policy/explain", body=_body(view, asked, name, site, passport))
        rules = [(one.id, one.reasons.get(language) or one.reasons.get("en") or one.id) for one in found.rules]
        advice = [(changes(one.changes), one.effect) for one in found.advice]
        country = speaking.get().country(site["jurisdiction"])
        made.append(Answer(name, country, found.effect, rules, advice))
    return made


def _places(view: View, asked: dict[str, Any]) -> list[tuple[str, dict[str, str], bool]]:
    """The engines asked about, with their sites and whether a passport lets the model serve the purpose there."""
    platform = view.house.platform
    if asked["engine"] == ELSEWHERE:
        home = asked["jurisdiction"].strip().upper()
        site = {
            "jurisdiction": home,
            "operator": "-",
            "operator_jurisdiction": asked["operator_jurisdiction"].strip().upper() or home,
        }
        return [(_("Tempat lain"), site, False)]
    engines = platform.shelf.lookup(asked["model"]) if asked["model"] else platform.shelf.engines
    wanted = [one for one in engines if asked["engine"] in ("", one.name)]
    needed = asked["purpose"] in view.caller.passport_purposes
    return [
        (
            one.name,
            {name: str(value) for name, value in one.site.to_json().items()},
            needed and bool(asked["model"]) and platform.gate.permits(asked["purpose"], asked["model"], one),
        )
        for one in wanted
    ]


def _body(view: View, asked: dict[str, Any], name: str, site: dict[str, str], passport: bool) -> dict[str, Any]:
    held = asked["held"]
    purposes = sorted(view.caller.purposes)
    return {
        "caller": {"tenant": view.caller.tenant, "roles": sorted(view.caller.roles), "purposes": purposes},
        "action": asked["action"],
        "engine": name,
        "site": site,
        "purpose": asked["purpose"],
        "label": "/".join([*(asked[axis] for axis, _title, _kind in AXES), "MY"]),
        "scan": {
            "findings": sorted(held & FINDINGS.keys()),
            "flags": sorted(held & FLAGS.keys()),
            "ok": "FAILED" not in held,
        },
        "tenant": "" if asked["owner"] == "" else "-",
        "passport": passport,
        "passport_needed": asked["purpose"] in view.caller.passport_purposes,
    }
