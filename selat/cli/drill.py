"""`selat drill`: lose a vendor, a country, hardware or an engine, on paper or live, and see what still answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from selat.app import Platform, open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.core.drill import Drill, Loss
from selat.flows.drill import Plan, check, plan
from selat.flows.sovereignty import Standing, served, standing

app = typer.Typer(help="Drills: what still answers without a vendor, country or hardware.", no_args_is_help=True)

VendorOption = Annotated[
    list[str] | None, typer.Option("--without-vendor", help="Who made a model or operates an engine; repeatable.")
]
CountryOption = Annotated[
    list[str] | None,
    typer.Option("--without-country", help="Of a site, its operator's law or a model's maker, as CN; repeatable."),
]
HardwareOption = Annotated[
    list[str] | None, typer.Option("--without-hardware", help="Hardware's vendor, as nvidia; repeatable.")
]
EngineOption = Annotated[
    list[str] | None, typer.Option("--without-engine", help="An engine by its name; repeatable.")
]


@app.command("plan")
def plan_(
    vendor: VendorOption = None,
    country: CountryOption = None,
    hardware: HardwareOption = None,
    engine: EngineOption = None,
    days: Annotated[int, typer.Option(min=1, max=36_525, help="Of what was served: the last so many days.")] = 30,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """What would stop, for whom, and what is left to serve it; nothing is changed."""
    since = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    loss = _loss(vendor, country, hardware, engine)
    with open_platform(home) as platform:
        engines = _standing(platform)
        check(loss, engines)
        tenants = [tenant.id for tenant in platform.keys.tenants()]
        uses = {tenant: served(platform.home.ledger, tenant, since) for tenant in tenants}
        found = plan(loss, engines, uses)
    if json_:
        show_json(found.to_json())
    else:
        _show_plan(found, days)


@app.command()
def start(
    reason: Annotated[str, typer.Option(help="Why, for the ledger; without personal data.")],
    vendor: VendorOption = None,
    country: CountryOption = None,
    hardware: HardwareOption = None,
    engine: EngineOption = None,
    minutes: Annotated[int, typer.Option(help="It ends by itself after so many.")] = 10,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Take it away from a running Selat for a while: within a second nothing more is sent there."""
    loss = _loss(vendor, country, hardware, engine)
    with open_platform(home) as platform:
        check(loss, _standing(platform))
        drill = platform.drills.start(loss, minutes, reason)
    _show_drill(drill, json_=json_)


@app.command()
def status(home: HomeOption = None, json_: JsonOption = False) -> None:
    """The drill that runs now, if any."""
    with open_platform(home) as platform:
        platform.drills.settle()
        drill = platform.drills.running()
    if drill is not None:
        _show_drill(drill, json_=json_)
    elif json_:
        show_json(None)
    else:
        say("no drill runs")


@app.command()
def stop(home: HomeOption = None, json_: JsonOption = False) -> None:
    """End the drill before its time."""
    with open_platform(home) as platform:
        drill = platform.drills.stop()
    if json_:
        show_json({"ended": drill.id})
    else:
        show(f"ended the drill without {drill.loss}")


def _loss(
    vendor: list[str] | None, country: list[str] | None, hardware: list[str] | None, engine: list[str] | None
) -> Loss:
    return Loss(tuple(vendor or ()), tuple(country or ()), tuple(hardware or ()), tuple(engine or ()))


def _standing(platform: Platform) -> list[Standing]:
    found = platform.shelf.survey(ask=False)
    return [standing(one.engine, one.spec.kind if one.spec else "built-in") for one in found]


def _show_plan(found: Plan, days: int) -> None:
    for fate in found.fates:
        gone = ", ".join(f"{engine} ({cause})" for engine, cause in fate.gone.items())
        show(f"{fate.model}: {_end(fate.left)}; gone: {gone}")
    for one in found.touched:
        asked = f"{one.requests} requests in {days} days"
        show(f"  {one.tenant} · {one.purpose} · {one.model}: {asked}, {_end(one.left)}")
    show(f"without {found.loss}: {found.stopped} of {found.requests} requests would have stopped")
    if found.unplaced:
        say(f"made by nobody the catalogue knows, so perhaps gone too: {', '.join(found.unplaced)}")
    say("policy still decides who may go to the engines that are left")


def _end(left: tuple[str, ...]) -> str:
    return f"left: {', '.join(left)}" if left else "STOPS"


def _show_drill(drill: Drill, *, json_: bool) -> None:
    if json_:
        return show_json(drill.to_json())
    show(f"without {drill.loss} until {drill.until:%Y-%m-%dT%H:%M:%SZ}: {drill.reason}")
