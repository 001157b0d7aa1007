"""`selat tenant`: tenants with their labels, profiles and registered purposes."""

from __future__ import annotations

from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, show, show_json
from selat.core.label import parse_label
from selat.identity import Purpose, Tenant
from selat.ledger import expire_content

app = typer.Typer(help="Tenants, their labels and their purposes.", no_args_is_help=True)

TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="Its name.")]


@app.command()
def create(
    name: TenantArgument,
    profile: Annotated[str, typer.Option("--profile", help="agency, commercial, financial, ncii or sme.")] = "sme",
    highest: Annotated[
        str, typer.Option("--highest-label", help="What a document without a label is taken to be.")
    ] = "terhad/restricted/personal/MY",
    prompt: Annotated[
        str, typer.Option("--prompt-label", help="What a prompt without a label is taken to be.")
    ] = "terbuka/public/none/MY",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Make a tenant: a body of its own, whose data no other tenant reaches."""
    wish = Tenant(name, parse_label(highest), parse_label(prompt), profile=profile)
    with open_platform(home) as platform:
        platform.changes().create_tenant(wish)
    _show(wish, json_=json_)


@app.command("list")
def list_(home: HomeOption = None, json_: JsonOption = False) -> None:
    """All tenants."""
    with open_platform(home) as platform:
        found = platform.keys.tenants()
    if json_:
        show_json([one.to_json() for one in found])
    for one in found if not json_ else ():
        _show(one, json_=False)


@app.command()
def purpose(
    name: TenantArgument,
    purpose_: Annotated[str, typer.Argument(metavar="PURPOSE", help="A name, as in loan-triage.")],
    ms: Annotated[str, typer.Option("--ms", help="What it is, in Malay.")],
    en: Annotated[str, typer.Option("--en", help="What it is, in English.")],
    needs_passport: Annotated[
        bool, typer.Option("--needs-passport", help="Only models with a verified passport may serve it.")
    ] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Register a purpose, or change one: only registered purposes are served."""
    wish = Purpose(purpose_, ms, en, needs_passport)
    with open_platform(home) as platform:
        changed = platform.changes().register_purpose(name, wish)
    _show(changed, json_=json_)


@app.command()
def profile(
    name: TenantArgument,
    profile_: Annotated[
        str, typer.Argument(metavar="PROFILE", help="agency, commercial, financial, ncii or sme.")
    ],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Say what kind of body a tenant is, and so which rule packs bind it."""
    with open_platform(home) as platform:
        changed = platform.changes().set_profile(name, profile_)
    _show(changed, json_=json_)


@app.command()
def content(
    name: TenantArgument,
    days: Annotated[int, typer.Option("--days", min=0, help="So long; 0 keeps none, and erases what is kept.")],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Have prompts and answers kept, encrypted in the vault, so that `selat subject` finds them by words."""
    with open_platform(home) as platform:
        changed = platform.changes().keep_content(name, days)
        if days == 0:
            expire_content(platform.place, name, 0)
    _show(changed, json_=json_)


def _show(one: Tenant, *, json_: bool) -> None:
    if json_:
        show_json(one.to_json())
        return
    show(f"{one.id} ({one.profile}): documents {one.highest_label}, prompts {one.prompt_label}{_kept(one)}")
    for each in one.purposes:
        show(f"  {each.id}{' [passport]' if each.needs_passport else ''}: {each.name_ms} / {each.name_en}")


def _kept(one: Tenant) -> str:
    return f", words kept {one.content_days} days" if one.content_days else ""
