"""`selat key`: make, list, rotate and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json, show_rows
from selat.core.label import parse_label
from selat.identity import KeyRecord, KeyWish, NewKey

app = typer.Typer(help="API keys: create, list, rotate, revoke.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose key it is.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as in key_4Tz0…")]


@app.command()
def create(
    home: HomeOption = None,
    tenant: TenantOption = "default",
    name: Annotated[str, typer.Option("--name", help="What or who it is for.")] = "",
    role: Annotated[
        list[str] | None, typer.Option("--role", help="operator, builder, officer, auditor, member; repeatable.")
    ] = None,
    clearance: Annotated[
        str | None, typer.Option("--clearance", help="Highest label it may see. Else the tenant's highest.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A purpose it may name; repeatable. Else all.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="A group whose documents it may know of; repeatable.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=36_525, help="Days until it expires. Else never.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Make an API key. Its secret is shown once, here, and kept nowhere."""
    with open_platform(home) as platform:
        wish = KeyWish(
            name,
            frozenset(role or ["member"]),
            parse_label(clearance) if clearance else platform.keys.tenant(tenant).highest_label,
            frozenset(scope or ()),
            datetime.now(UTC) + timedelta(days=days) if days else None,
            groups=frozenset(group or ()),
        )
        _show_new(platform.create_key(wish, tenant), json_=json_)


@app.command("list")
def list_(home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False) -> None:
    """The tenant's keys, oldest first, the revoked ones too."""
    with open_platform(home) as platform:
        platform.keys.tenant(tenant)
        records = platform.keys.list(tenant)
    show_rows(records, _line, "no keys yet; make one: selat key create", json_=json_)


@app.command()
def revoke(
    key: KeyArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """End a key now. Every gateway worker refuses it within a second."""
    with open_platform(home) as platform:
        platform.revoke_key(key, tenant)
    if json_:
        show_json({"id": key, "revoked": True})
    else:
        show(f"revoked {key}")


@app.command()
def rotate(
    key: KeyArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """Make a new secret with the rights of an old key, which works until it is revoked."""
    with open_platform(home) as platform:
        _show_new(platform.create_key(platform.keys.successor(tenant, key), tenant), json_=json_)
    say(f"{key} still works; when the new one is in place: selat key revoke {key}")


def _show_new(made: NewKey, *, json_: bool) -> None:
    if json_:
        show_json({"secret": made.secret, **made.record.to_json()})
        return
    say(f"{made.record.id} for tenant {made.record.tenant}; this is shown once:")
    show(made.secret)


def _line(record: KeyRecord) -> str:
    state = f"revoked {record.revoked}" if record.revoked else f"expires {record.expires or 'never'}"
    used = record.last_used or "never"
    roles = ",".join(sorted(record.roles))
    return f"{record.id}  {roles}  {record.clearance}  {state}  last used {used}  {record.name}".rstrip()
