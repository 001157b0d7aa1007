"""`selat quota`: limits of requests, tokens and ringgit, and what is used of them."""

from __future__ import annotations

from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json, show_rows
from selat.core.errors import Misused
from selat.policy.quota import Limit, Usage

app = typer.Typer(help="Limits of requests, tokens and ringgit.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose.")]
ScopeOption = Annotated[str, typer.Option("--scope", help="tenant, key:ID or purpose:NAME.")]
PeriodOption = Annotated[str, typer.Option("--per", help="minute, hour, day or month (Malaysian time).")]


@app.command("set")
def set_(
    per: PeriodOption,
    requests: Annotated[int | None, typer.Option("--requests", help="Most requests in that time.")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", help="Most tokens in that time.")] = None,
    rm: Annotated[
        float | None, typer.Option("--rm", min=0, max=1_000_000_000, help="Most ringgit in that time.")
    ] = None,
    scope: ScopeOption = "tenant",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Set one limit or several; 0 stops all. Every worker follows within a second."""
    wishes = [
        Limit(tenant, scope, per, unit, amount)
        for unit, amount in (
            ("requests", requests),
            ("tokens", tokens),
            ("microringgit", None if rm is None else round(rm * 1_000_000)),
        )
        if amount is not None
    ]
    if not wishes:
        raise Misused("give --requests, --tokens or --rm")
    with open_platform(home) as platform:
        for wish in wishes:
            platform.changes().set_limit(wish)
    if json_:
        show_json([wish.to_json() for wish in wishes])
    for wish in wishes if not json_ else ():
        show(f"{wish.scope}: {_amount(wish.unit, wish.amount)} per {wish.period}")


@app.command("list")
def list_(home: HomeOption = None, tenant: TenantOption = "default", json_: JsonOption = False) -> None:
    """The tenant's limits, what is used of each now, and when it begins anew."""
    with open_platform(home) as platform:
        platform.keys.tenant(tenant)
        found = platform.quota.usage(tenant)
    show_rows(found, _line, "no limits; set one: selat quota set --per day --requests 1000", json_=json_)


@app.command()
def clear(
    per: PeriodOption,
    unit: Annotated[str, typer.Option("--unit", help="requests, tokens or microringgit.")],
    scope: ScopeOption = "tenant",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Remove a limit."""
    with open_platform(home) as platform:
        gone = platform.changes().clear_limit(Limit(tenant, scope, per, unit, 0))
    if json_:
        show_json({"cleared": gone})
    elif gone:
        show(f"cleared {scope}: {unit} per {per}")
    if not gone:
        say("there is no such limit; see: selat quota list")
        raise typer.Exit(1)


def _line(one: Usage) -> str:
    unit = one.limit.unit
    of = f"{_amount(unit, one.used)} of {_amount(unit, one.limit.amount)}"
    return f"{one.limit.scope}: {of} this {one.limit.period}, begins anew {one.resets_at}"


def _amount(unit: str, amount: int) -> str:
    return f"RM {amount / 1_000_000:,.4f}" if unit == "microringgit" else f"{amount:,} {unit}"
