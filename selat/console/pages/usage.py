"""Usage: requests, tokens, ringgit and kWh by day, model, purpose and language; what is left of each limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from starlette.responses import Response

from selat.console import names
from selat.console.page import At, Page
from selat.console.pages import period
from selat.console.view import View
from selat.console.words import LANGUAGES, N_, _, _n, speaking
from selat.core.errors import BadRequest
from selat.flows.energy import FILE as ENERGY_FILE
from selat.flows.energy import Energy, read_energy
from selat.flows.meter import FREE, Price, read_prices
from selat.gateway.admin.route import OPERATOR, OVERSEERS
from selat.ledger import Question, Use, usage

RINGGIT = 1_000_000
UNITS = {"requests": N_("permintaan"), "tokens": N_("token"), "microringgit": N_("ringgit")}
PERIODS = {"minute": N_("seminit"), "hour": N_("sejam"), "day": N_("sehari"), "month": N_("sebulan")}


BY = ("day", "model", "purpose", "language", "engine")
ENGINE = BY.index("engine")
MEASURES = {
    "requests": N_("Permintaan"),
    "tokens": N_("Token"),
    "ringgit": N_("Kos"),
    "kwh": N_("kWh (anggaran)"),
}
"""What the days can be drawn by."""


@dataclass
class Sum:
    """Requests, refusals, tokens, ringgit and estimated kWh of one group; `unknown` have no estimate."""

    name: str = ""
    requests: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ringgit: float = 0.0
    kwh: float = 0.0
    unknown: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def take(self, use: Use, price: Price, kwh: float | None) -> None:
        self.requests += use.requests
        self.refused += use.refused
        self.prompt_tokens += use.prompt_tokens
        self.completion_tokens += use.completion_tokens
        self.ringgit += price.cost(use.prompt_tokens, use.completion_tokens) / RINGGIT
        self.kwh += kwh or 0.0
        self.unknown += use.requests - use.refused if kwh is None else 0


@dataclass(frozen=True)
class Rates:
    """By what usage is reckoned: prices and draws by engine."""

    prices: Mapping[str, Price]
    energy: Energy


async def show(view: View) -> Response:
    """GET /usage?days=…&of=…: overseers see the organisation's, everyone else their own."""
    days = period.days(view)
    begin = period.since(days)
    of = view.query("of") if view.query("of") in MEASURES else "requests"
    uses, rates = await view.thread(_uses, view, begin)
    total = (_sums(uses, rates, None) or [Sum()])[0]
    by_day = {one.name: one for one in _sums(uses, rates, "day")}
    first = date.fromisoformat(begin[:10])
    stretch = [by_day.get(day, Sum(day)) for n in range(int(days)) if (day := str(first + timedelta(days=n)))]
    limits = await view.admin("GET", "/quotas") if view.may(*OVERSEERS, "builder") else []
    return view.show(
        "usage.html",
        total=total,
        stretch=stretch,
        columns=[(one.name, getattr(one, of), _told(one, of)) for one in stretch],
        most=max(getattr(one, of) for one in stretch),
        of=of,
        measures=MEASURES,
        tables=[
            (N_("Model"), _sums(uses, rates, "model")),
            (N_("Tujuan"), await view.thread(_purposed, view, _sums(uses, rates, "purpose"))),
            (N_("Bahasa"), _spoken(_sums(uses, rates, "language"))),
        ],
        priced=bool(rates.prices),
        energy=rates.energy,
        limits=limits,
        units=UNITS,
        spans=PERIODS,
        mine=not view.may(*OVERSEERS),
        operator=view.may(*OPERATOR),
        periods=period.PERIODS,
        days=days,
    )


def _uses(view: View, begin: str) -> tuple[list[Use], Rates]:
    platform, caller = view.house.platform, view.caller
    own = "" if caller.roles & OVERSEERS else caller.key
    question = Question(tenant=caller.tenant, caller=own, since=begin)
    folder = platform.home.path
    rates = Rates(read_prices(folder / "prices.toml"), read_energy(folder / ENERGY_FILE))
    return usage(platform.home.ledger, BY, question), rates


def _sums(uses: Iterable[Use], rates: Rates, by: str | None) -> list[Sum]:
    """Summed by one dimension, the busiest first; None for all in one."""
    sums: dict[str, Sum] = {}
    for use in uses:
        name, engine = "" if by is None else use.group[BY.index(by)], use.group[ENGINE]
        sums.setdefault(name, Sum(name)).take(use, rates.prices.get(engine, FREE), rates.energy.kwh(engine, use))
    return sorted(sums.values(), key=lambda one: (-one.requests, one.name))


def _spoken(sums: list[Sum]) -> list[Sum]:
    """Languages by their own names; what could not be told stands under one heading."""
    return [replace(one, name=LANGUAGES.get(one.name, _("Lain atau tidak dapat dikesan"))) for one in sums]


def _purposed(view: View, sums: list[Sum]) -> list[Sum]:
    """Purposes as the register names them."""
    purposes = view.house.platform.keys.tenant(view.caller.tenant).purposes
    return [replace(one, name=names.registered(purposes, one.name)) for one in sums]


def _told(one: Sum, of: str) -> str:
    tongue = speaking.get()
    amount = {
        "requests": _n("%(n)s permintaan", "%(n)s permintaan", one.requests),
        "tokens": _n("%(n)s token", "%(n)s token", one.tokens),
        "ringgit": tongue.money(one.ringgit),
        "kwh": f"{tongue.number(round(one.kwh, 4))} kWh",
    }[of]
    return f"{tongue.day(one.name)}: {amount}"


async def set_limit(view: View) -> Response:
    """POST /usage/limit: at most so much of a unit in each period."""
    amount = view.field("amount").replace(",", "")
    unit = view.field("unit")
    try:
        number = round(float(amount) * RINGGIT) if unit == "microringgit" else int(amount)
    except (ValueError, OverflowError):
        raise BadRequest("write the amount as a number", param="amount") from None
    body = {"period": view.field("period"), "unit": unit, "amount": number}
    await view.admin("PUT", "/quotas", body=body)
    return view.go("/usage", "limit-set")


async def clear_limit(view: View) -> Response:
    """POST /usage/limit/clear."""
    place = {name: view.field(name) for name in ("period", "unit", "scope")}
    await view.admin("DELETE", "/quotas", place)
    return view.go("/usage", "limit-cleared")


PAGE = Page(
    "usage",
    N_("Penggunaan"),
    (
        At("GET", "/usage", show),
        At("POST", "/usage/limit", set_limit, roles=OPERATOR),
        At("POST", "/usage/limit/clear", clear_limit, roles=OPERATOR),
    ),
    icon="usage",
    group=N_("Rumah"),
)
