"""API keys: list, create, rotate, revoke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from selat.core.label import parse_label
from selat.gateway.admin.route import OVERSEERS, PREFIX, RoleNeeded, Route, Visit
from selat.gateway.admin.words import Asked, Group, LabelText, Role, Slug, Text, Told
from selat.identity import KeyWish

MAKERS = frozenset({"operator", "officer"})
GRANTS = {
    "operator": frozenset({"operator", "builder", "member"}),
    "officer": frozenset({"officer", "auditor", "member"}),
}
"""Who may give which role: those who watch the operator are not made by the operator."""


class KeyCard(Told):
    """A key as it is kept; its secret is kept nowhere. Times are UTC, ISO 8601."""

    id: str
    tenant: str
    name: str
    roles: list[str]
    scopes: list[str]
    clearance: str
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None
    rotated_from: str | None
    groups: list[str]


class MadeKey(KeyCard):
    """A key just made, with its secret: shown here once and kept nowhere."""

    secret: str


class NewKey(Asked):
    """A key to make. Without `clearance` it has that of the caller; without `days` it does not expire."""

    name: Text = ""
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=5)] = ("member",)
    clearance: LabelText | None = None
    scopes: Annotated[tuple[Slug, ...], Meta(max_length=100)] = ()
    groups: Annotated[tuple[Group, ...], Meta(max_length=30)] = ()
    days: Annotated[int, Meta(ge=1, le=3650)] | None = None


def show_all(visit: Visit) -> object:
    return [one.to_json() for one in visit.platform.keys.list(visit.tenant)]


def create(visit: Visit) -> object:
    body: NewKey = visit.body
    wish = KeyWish(
        body.name,
        frozenset(body.roles),
        parse_label(body.clearance) if body.clearance else visit.caller.clearance,
        frozenset(body.scopes),
        datetime.now(UTC) + timedelta(days=body.days) if body.days else None,
        groups=frozenset(body.groups),
    )
    return _made(visit, wish)


def rotate(visit: Visit) -> object:
    """The successor's rights are checked as if it were made anew: its secret goes to this caller."""
    return _made(visit, visit.platform.keys.successor(visit.tenant, visit.ids["key"]))


def revoke(visit: Visit) -> object:
    return visit.changes.revoke_key(visit.tenant, visit.ids["key"]).to_json()


def _made(visit: Visit, wish: KeyWish) -> object:
    may = frozenset().union(*(GRANTS.get(role, frozenset()) for role in visit.caller.roles))
    if not wish.roles <= may:
        raise RoleNeeded(f"you may give the roles {', '.join(sorted(may))}, no others")
    if not wish.clearance.within(visit.caller.clearance):
        raise RoleNeeded(f"clearance: not above your own, which is {visit.caller.clearance}")
    if "officer" not in visit.caller.roles and not wish.groups <= visit.caller.groups:
        raise RoleNeeded("groups: only your own, unless you are an officer")
    made = visit.changes.create_key(visit.tenant, wish)
    return {**made.record.to_json(), "secret": made.secret}


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/keys", OVERSEERS, "The tenant's keys, the revoked ones too.", show_all, list[KeyCard]),
    Route(
        *("POST", f"{PREFIX}/keys", MAKERS, "Make a key. Its secret is shown once.", create, MadeKey),
        body=NewKey,
        status=201,
    ),
    Route(
        *("POST", f"{PREFIX}/keys/{{key}}/rotate", MAKERS),
        *("A new secret with the rights of an old key, which works until it is revoked.", rotate, MadeKey),
        status=201,
    ),
    Route("DELETE", f"{PREFIX}/keys/{{key}}", MAKERS, "End a key within a second.", revoke, KeyCard),
)
