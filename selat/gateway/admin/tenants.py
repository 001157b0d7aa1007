"""Tenants with their purposes, and who the caller is."""

from __future__ import annotations

from typing import Literal

from selat.core.label import parse_label
from selat.gateway.admin.route import ANYONE, OPERATOR, OVERSEERS, PREFIX, Route, Visit
from selat.gateway.admin.words import Asked, LabelText, Slug, Title, Told
from selat.identity import Purpose, Tenant

Profile = Literal["agency", "commercial", "financial", "ncii", "sme"]


class NewProfile(Asked):
    """What kind of body the tenant is."""

    profile: Profile


class Me(Told):
    """The caller, as Selat knows it."""

    tenant: str
    key: str
    roles: list[str]
    clearance: str
    purposes: list[str]
    groups: list[str]


class TenantPurpose(Told):
    """A registered purpose."""

    id: str
    ms: str
    en: str
    needs_passport: bool


class TenantCard(Told):
    """A tenant. Prompts and answers are kept for `content_days`; 0 keeps none."""

    id: str
    profile: str
    content_days: int
    highest_label: str
    prompt_label: str
    purposes: list[TenantPurpose]


class NewTenant(Asked):
    """A tenant to make."""

    name: Slug
    profile: Profile = "sme"
    highest_label: LabelText = "terhad/restricted/personal/MY"
    prompt_label: LabelText = "terbuka/public/none/MY"


class NewPurpose(Asked):
    """What a purpose is, in both languages."""

    ms: Title
    en: Title
    needs_passport: bool = False


def me(visit: Visit) -> object:
    caller = visit.caller
    return {
        "tenant": caller.tenant,
        "key": caller.key,
        "roles": sorted(caller.roles),
        "clearance": str(caller.clearance),
        "purposes": sorted(caller.purposes),
        "groups": sorted(caller.groups),
    }


def show(visit: Visit) -> object:
    return visit.platform.keys.tenant(visit.tenant).to_json()


def register(visit: Visit) -> object:
    body: NewPurpose = visit.body
    wish = Purpose(visit.ids["purpose"], body.ms, body.en, body.needs_passport)
    return visit.changes.register_purpose(visit.tenant, wish).to_json()


def set_profile(visit: Visit) -> object:
    body: NewProfile = visit.body
    return visit.changes.set_profile(visit.tenant, body.profile).to_json()


def show_all(visit: Visit) -> object:
    return [one.to_json() for one in visit.platform.keys.tenants()]


def create(visit: Visit) -> object:
    body: NewTenant = visit.body
    wish = Tenant(body.name, parse_label(body.highest_label), parse_label(body.prompt_label), profile=body.profile)
    return visit.changes.create_tenant(wish).to_json()


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/me", ANYONE, "Who the caller is.", me, Me),
    Route("GET", f"{PREFIX}/tenant", ANYONE, "The caller's tenant and its purposes.", show, TenantCard),
    Route(
        *("PUT", f"{PREFIX}/tenant/purposes/{{purpose}}", OPERATOR | {"officer"}),
        *("Register a purpose, or change one: only registered purposes are served.", register, TenantCard),
        body=NewPurpose,
    ),
    Route(
        *("PUT", f"{PREFIX}/tenant/profile", OPERATOR | {"officer"}),
        *("Say what kind of body the tenant is: it switches rule packs on.", set_profile, TenantCard),
        body=NewProfile,
    ),
    Route("GET", f"{PREFIX}/tenants", OVERSEERS, "All tenants.", show_all, list[TenantCard], house=True),
    Route(
        *("POST", f"{PREFIX}/tenants", OPERATOR, "Make a tenant.", create, TenantCard),
        body=NewTenant,
        status=201,
        house=True,
    ),
)
