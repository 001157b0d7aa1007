"""`selat incident`: what went wrong, the clocks that run from it, and the notices it asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json, show_rows, spoken
from selat.cli.place import open_for
from selat.core.errors import Misused
from selat.policy.incidents import Duty, Incident, Step, stamp
from selat.stamps import fresh_id

app = typer.Typer(help="Incidents, their clocks and their notices.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose.")]
IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id.")]
RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="The duty, as in pdpa-breach-commissioner.")]


@app.command("open")
def open_(
    title: Annotated[str, typer.Argument(help="A few words, without personal data.")],
    kind: Annotated[list[str], typer.Option("--kind", help="personal, harm (significant) or cyber; repeatable.")],
    noticed: Annotated[
        str | None, typer.Option("--noticed", help="When, as 2026-11-22T09:30+08:00. Else now.")
    ] = None,
    affected: Annotated[
        int | None, typer.Option("--affected", min=0, max=10_000_000_000, help="People concerned, when known.")
    ] = None,
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Open an incident: the clocks of the tenant's rules run from when it was noticed."""
    moment = _instant(noticed) if noticed else datetime.now(UTC)
    wish = Incident(f"inc_{fresh_id()}", tenant, title, frozenset(kind), moment, affected)
    with open_platform(home) as platform:
        incident = platform.duties.open_incident(wish)
        _show(incident, platform.duties.incidents.duties(incident), json_=json_)


@app.command("list")
def list_(home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False) -> None:
    """The tenant's incidents, oldest first."""
    with open_for(home, tenant) as platform:
        found = platform.duties.incidents.all(tenant)
    show_rows(found, _line, "no incidents", json_=json_)


@app.command("show")
def show_incident(
    name: IncidentArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """One incident with its duties and their times."""
    with open_platform(home) as platform:
        incident = platform.duties.incidents.get(tenant, name)
        _show(incident, platform.duties.incidents.duties(incident), json_=json_)


@app.command()
def done(
    name: IncidentArgument,
    rule: RuleArgument,
    at: Annotated[str | None, typer.Option("--at", help="When, as 2026-11-22T09:30+08:00. Else now.")] = None,
    reference: Annotated[str, typer.Option("--reference", help="The authority's reference.")] = "",
    late_reason: Annotated[str, typer.Option("--late-reason", help="Why it was late, if it was.")] = "",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Note that a duty was done."""
    step = Step(rule, _instant(at) if at else datetime.now(UTC), reference, late_reason)
    with open_platform(home) as platform:
        incident = platform.duties.step(tenant, name, step)
        _show(incident, platform.duties.incidents.duties(incident), json_=json_)


@app.command()
def notice(
    name: IncidentArgument,
    rule: RuleArgument,
    lang: Annotated[str, typer.Option("--lang", help="ms or en. Else both.", callback=spoken)] = "",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Draft the notice that a duty asks for, with what the ledger holds of the week before."""
    with open_platform(home) as platform:
        made = platform.duties.notice(tenant, name, rule, platform.book)
    if json_:
        show_json({"ms": made.ms, "en": made.en})
        return
    show("\n".join(text for code, text in (("ms", made.ms), ("en", made.en)) if lang in ("", code)))
    say("a draft: check every line, complete what is in brackets, then send it yourself")


@app.command()
def close(
    name: IncidentArgument, home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False
) -> None:
    """Close an incident whose duties are done."""
    with open_platform(home) as platform:
        incident = platform.duties.close_incident(tenant, name)
    if json_:
        show_json(incident.to_json())
    else:
        show(f"closed {incident.id}")


def _show(incident: Incident, duties: list[Duty], *, json_: bool) -> None:
    now = datetime.now(UTC)
    if json_:
        show_json({**incident.to_json(), "duties": [duty.to_json(now) for duty in duties]})
        return
    show(f"{incident.id}  noticed {stamp(incident.noticed)}  {','.join(sorted(incident.kinds))}  {incident.title}")
    for duty in duties:
        due = stamp(duty.due) if duty.due else "after an earlier duty"
        state = f"done {stamp(duty.done)}" if duty.done else "LATE" if duty.late(now) else "to do"
        show(f"  {duty.rule.id}: due {due}, {state}")
        show(f"    {duty.rule.ms} / {duty.rule.en}")


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(f"'{text}' is not a time; write it as 2026-11-22T09:30+08:00") from None
    if moment.tzinfo is None:
        raise Misused(f"'{text}' has no zone; write it as 2026-11-22T09:30+08:00")
    return moment


def _line(one: Incident) -> str:
    state = f"closed {stamp(one.closed)}" if one.closed else "open"
    return f"{one.id}  noticed {stamp(one.noticed)}  {','.join(sorted(one.kinds))}  {state}  {one.title}"
