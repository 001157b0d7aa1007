"""People who use the console: list, add, change, close, reopen, and the link by which one sets a password."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from selat.core.label import Label, parse_label
from selat.gateway.admin.keys import GRANTS, MAKERS
from selat.gateway.admin.route import OVERSEERS, PREFIX, RoleNeeded, Route, Visit
from selat.gateway.admin.words import Asked, Group, LabelText, Role, Text, Told
from selat.identity.people import Person, PersonWish, Rights

Login = Annotated[str, Meta(min_length=2, max_length=100, pattern=r"^[^\s/\x00-\x1f\x7f]*$")]


class PersonCard(Told):
    """An account, without what it is opened with. Times are UTC, ISO 8601."""

    id: str
    tenant: str
    login: str
    name: str
    roles: list[str]
    clearance: str
    created: str
    disabled: str | None
    last_seen: str | None
    groups: list[str]
    has_password: bool
    has_totp: bool


class LinkedPerson(PersonCard):
    """An account with a link by which the person sets a password: it works once, for a day, and is shown once."""

    path: str


class NewPerson(Asked):
    """An account to make. Without `clearance` it has that of the caller."""

    login: Login
    name: Text = ""
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=5)] = ("member",)
    clearance: LabelText | None = None
    groups: Annotated[tuple[Group, ...], Meta(max_length=30)] = ()


class NewRights(Asked):
    """What the person may do and see from now on; their sessions end."""

    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=5)]
    clearance: LabelText
    groups: Annotated[tuple[Group, ...], Meta(max_length=30)] = ()


def show_all(visit: Visit) -> object:
    return [one.to_json() for one in visit.platform.people.list(visit.tenant)]


def add(visit: Visit) -> object:
    body: NewPerson = visit.body
    clearance = parse_label(body.clearance) if body.clearance else visit.caller.clearance
    wish = PersonWish(body.login, body.name, frozenset(body.roles), clearance, frozenset(body.groups))
    _may_give(visit, wish.rights)
    return _linked(visit, visit.changes.add_person(visit.tenant, wish))


def change(visit: Visit) -> object:
    """Both the old rights and the new ones must be the caller's to give."""
    body: NewRights = visit.body
    rights = Rights(frozenset(body.roles), parse_label(body.clearance), frozenset(body.groups))
    _mine(visit)
    _may_give(visit, rights)
    return visit.changes.change_person(visit.tenant, visit.ids["person"], rights).to_json()


def link(visit: Visit) -> object:
    """Whoever opens the link is that person, so only who could have made the account makes one."""
    return _linked(visit, _mine(visit))


def close(visit: Visit) -> object:
    _mine(visit)
    return visit.changes.disable_person(visit.tenant, visit.ids["person"]).to_json()


def reopen(visit: Visit) -> object:
    _mine(visit)
    return visit.changes.enable_person(visit.tenant, visit.ids["person"]).to_json()


def _mine(visit: Visit) -> Person:
    """The person, where the caller could have made the account. Raises: NotFound, RoleNeeded."""
    person = visit.platform.people.get(visit.tenant, visit.ids["person"])
    _may_give(visit, Rights(person.roles, person.clearance, frozenset()))
    return person


def _may_give(visit: Visit, rights: Rights) -> None:
    """Raises: RoleNeeded."""
    may = frozenset().union(*(GRANTS.get(role, frozenset()) for role in visit.caller.roles))
    if not rights.roles <= may:
        raise RoleNeeded(f"you may give and change the roles {', '.join(sorted(may))}, no others")
    _within(visit, rights.clearance)
    if "officer" not in visit.caller.roles and not rights.groups <= visit.caller.groups:
        raise RoleNeeded("groups: only your own, unless you are an officer")


def _within(visit: Visit, clearance: Label) -> None:
    if not clearance.within(visit.caller.clearance):
        raise RoleNeeded(f"clearance: not above your own, which is {visit.caller.clearance}")


def _linked(visit: Visit, person: Person) -> object:
    secret = visit.changes.link_person(visit.tenant, person.id)
    return {**person.to_json(), "path": f"/welcome?link={secret}"}


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PREFIX}/people", OVERSEERS, "The tenant's people.", show_all, list[PersonCard]),
    Route(
        *("POST", f"{PREFIX}/people", MAKERS, "Make an account, with a link to set a password.", add),
        LinkedPerson,
        body=NewPerson,
        status=201,
    ),
    Route(
        *("PUT", f"{PREFIX}/people/{{person}}", MAKERS, "Give an account other rights.", change, PersonCard),
        body=NewRights,
    ),
    Route(
        *("POST", f"{PREFIX}/people/{{person}}/link", MAKERS),
        *("A fresh one-time link to set a password.", link, LinkedPerson),
        status=201,
    ),
    Route(
        *("POST", f"{PREFIX}/people/{{person}}/reopen", MAKERS),
        *("Open a closed account again.", reopen, PersonCard),
    ),
    Route(
        *("DELETE", f"{PREFIX}/people/{{person}}", MAKERS, "Close an account and its sessions.", close, PersonCard)
    ),
)
