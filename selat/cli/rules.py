"""`selat rules`: the duties of law and guides as dated data, and which clocks are running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, LanguageOption, read_day, say, show, show_json
from selat.core.errors import Misused
from selat.policy.instruments import Instrument
from selat.policy.packs import STATUSES, load_packs

app = typer.Typer(help="Duties of law and guides, and their clocks.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose.")]


@app.command("list")
def list_(
    profile: Annotated[
        str | None, typer.Option("--profile", help="agency, commercial, financial, ncii or sme. Else all packs.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="in_force, guidance, draft or unconfirmed.")
    ] = None,
    lang: LanguageOption = "en",
    json_: JsonOption = False,
) -> None:
    """The rules of all packs, or of those that a profile switches on."""
    if status not in (None, *STATUSES):
        raise Misused(f"--status '{status}': write {', '.join(STATUSES)}")
    rules = [one for one in load_packs().rules(profile) if status in (None, one.status)]
    if json_:
        show_json([one.to_json() for one in rules])
        return
    for one in rules:
        clock = f" [{one.clock.limit}]" if one.clock else ""
        show(f"{one.id} ({one.status}, {one.section}){clock}: {one.ms if lang == 'ms' else one.en}")


@app.command("show")
def show_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, as in pdpa-breach-commissioner.")],
    json_: JsonOption = False,
) -> None:
    """One rule: section, status, sources, control, evidence and clock."""
    found = load_packs().rule(rule)
    if json_:
        show_json(found.to_json())
        return
    for name, value in found.to_json().items():
        if value not in (None, "", []):
            show(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    if found.status == "unconfirmed":
        say("unconfirmed: nobody here read the original; do not rely on it before someone does")


@app.command()
def due(
    home: HomeOption = None,
    tenant: TenantOption = "default",
    lang: LanguageOption = "en",
    json_: JsonOption = False,
) -> None:
    """Which clocks and expiries are running, soonest first. Exit code 1 if one is late."""
    with open_platform(home) as platform:
        found = platform.duties.due(tenant, datetime.now(UTC))
    if json_:
        show_json([one.to_json() for one in found])
    for one in found if not json_ else ():
        when = one.when.strftime("%Y-%m-%d %H:%MZ") if one.when else "-"
        show(f"{one.state:8} {when}  {one.about}  {one.what}: {one.ms if lang == 'ms' else one.en}")
    if not found:
        say("nothing is due")
    if any(one.state == "late" for one in found):
        raise typer.Exit(1)


@app.command()
def record(
    name: Annotated[str, typer.Argument(metavar="ID", help="A name for it, as in TIA-2026-01.")],
    kind: Annotated[
        str, typer.Option("--kind", help="tia, dpia, risk-assessment, audit, contract, consent or approval.")
    ],
    title: Annotated[str, typer.Option("--title", help="What it is about, without personal data.")],
    starts: Annotated[str, typer.Option("--starts", help="First day, as in 2026-11-22.")],
    ends: Annotated[
        str | None, typer.Option("--ends", help="First day without it. Else what the rules say.")
    ] = None,
    ground: Annotated[str, typer.Option("--ground", help="A ground of transfer that it carries, as in 1B.")] = "",
    to: Annotated[list[str] | None, typer.Option("--to", help="Destination of that ground; repeatable.")] = None,
    sha256: Annotated[str, typer.Option("--sha256", help="Hex digest of the document.")] = "",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Record an assessment, contract or consent; its clock then runs, and a ground rests on it."""
    until = read_day(ends) if ends else None
    wish = Instrument(tenant, name, kind, title, read_day(starts), until, sha256, ground, frozenset(to or ()))
    with open_platform(home) as platform:
        kept = platform.duties.keep(wish)
    if json_:
        show_json(kept.to_json())
    else:
        show(f"{kept.id}: {kept.kind} from {kept.starts} until {kept.ends or 'withdrawn'}")


@app.command()
def withdraw(
    name: Annotated[str, typer.Argument(metavar="ID", help="The instrument's name.")],
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """End an instrument now; a ground that rests on it ends with it."""
    with open_platform(home) as platform:
        ended = platform.duties.withdraw(tenant, name, datetime.now(UTC))
    if json_:
        show_json(ended.to_json())
    else:
        show(f"withdrawn {ended.id}")
