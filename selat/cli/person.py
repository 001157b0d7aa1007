"""`selat person`: who may sign in to the console: add, list, make a sign-in link, change rights, close, reopen."""

from __future__ import annotations

from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json, show_rows
from selat.core.errors import Misused
from selat.core.label import parse_label
from selat.identity.people import Person, PersonWish, Rights, by_login

app = typer.Typer(help="People at the console: add, list, link, change, close, reopen.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose person it is.")]
PersonArgument = Annotated[str, typer.Argument(metavar="PERSON", help="The login, or the id as in per_4f…")]
RoleOption = Annotated[
    list[str] | None, typer.Option("--role", help="operator, builder, officer, auditor, member; repeatable.")
]
ClearanceOption = Annotated[
    str | None, typer.Option("--clearance", help="Highest label they may see. Else the tenant's highest.")
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", help="A group whose documents they may know of; repeatable.")
]


@app.command()
def add(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="An e-mail address or a short name.")],
    home: HomeOption = None,
    tenant: TenantOption = "default",
    name: Annotated[str, typer.Option("--name", help="What to call the person.")] = "",
    role: RoleOption = None,
    clearance: ClearanceOption = None,
    group: GroupOption = None,
    json_: JsonOption = False,
) -> None:
    """Make an account, and a link by which the person sets a password within a day."""
    with open_platform(home) as platform:
        highest = platform.keys.tenant(tenant).highest_label
        wish = PersonWish(
            login,
            name,
            frozenset(role or ["member"]),
            parse_label(clearance) if clearance else highest,
            frozenset(group or ()),
        )
        made = platform.changes().add_person(tenant, wish)
        _show_link(platform, made, json_=json_)


@app.command()
def link(
    person: PersonArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """A fresh one-time link to set a password, for someone who has none or has forgotten it."""
    with open_platform(home) as platform:
        _show_link(platform, _find(platform, tenant, person), json_=json_)


@app.command()
def first(home: HomeOption = None, json_: JsonOption = False) -> None:
    """A one-time link for the very first person; whoever opens it gets every role. Only while there is nobody."""
    with open_platform(home) as platform:
        if platform.people.any():
            raise Misused("there are people already; add another: selat person add LOGIN")
        path = f"/welcome?link={platform.people.link(DEFAULT_TENANT)}"
        if json_:
            show_json({"path": path})
        else:
            show(_address(platform) + path)


@app.command("list")
def list_(home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False) -> None:
    """The tenant's people, the closed accounts too."""
    with open_platform(home) as platform:
        platform.keys.tenant(tenant)
        found = platform.people.list(tenant)
    show_rows(found, _line, "nobody yet; add someone: selat person add LOGIN", json_=json_)


@app.command()
def change(
    person: PersonArgument,
    home: HomeOption = None,
    tenant: TenantOption = "default",
    role: RoleOption = None,
    clearance: ClearanceOption = None,
    group: GroupOption = None,
    json_: JsonOption = False,
) -> None:
    """Give someone other roles or another clearance; they sign in again."""
    with open_platform(home) as platform:
        found = _find(platform, tenant, person)
        roles = frozenset(role) if role else found.roles
        label = parse_label(clearance) if clearance else found.clearance
        groups = frozenset(group) if group else found.groups
        rights = Rights(roles, label, groups)
        _show(platform.changes().change_person(tenant, found.id, rights), json_=json_)


@app.command()
def close(
    person: PersonArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """Close an account and end its sessions now; what it did stays in the ledger."""
    with open_platform(home) as platform:
        found = _find(platform, tenant, person)
        _show(platform.changes().disable_person(tenant, found.id), json_=json_)


@app.command()
def reopen(
    person: PersonArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """Open a closed account again, with the rights and the password it had."""
    with open_platform(home) as platform:
        found = _find(platform, tenant, person)
        _show(platform.changes().enable_person(tenant, found.id), json_=json_)


def _find(platform: Platform, tenant: str, person: str) -> Person:
    platform.keys.tenant(tenant)
    return by_login(platform.people.list(tenant), person)


def _show_link(platform: Platform, person: Person, *, json_: bool) -> None:
    secret = platform.changes().link_person(person.tenant, person.id)
    path = f"/welcome?link={secret}"
    if json_:
        show_json({**person.to_json(), "path": path})
        return
    say(f"{person.id} signs in as {person.signs_in_as}; this link works once, for a day:")
    show(_address(platform) + path)


def _address(platform: Platform) -> str:
    """Where people find the console: as the setting says, else where Selat was started last."""
    said, last = platform.settings, platform.home.address
    if said.console_url:
        return said.console_url.rstrip("/")
    return last.read_text() if last.exists() else f"http://{said.host}:{said.port}"


def _show(person: Person, *, json_: bool) -> None:
    if json_:
        show_json(person.to_json())
    else:
        show(_line(person))


def _line(person: Person) -> str:
    state = f"closed {person.disabled}" if person.disabled else f"last seen {person.last_seen or 'never'}"
    roles = ",".join(sorted(person.roles))
    return f"{person.id}  {person.signs_in_as}  {roles}  {person.clearance}  {state}  {person.name}".rstrip()
