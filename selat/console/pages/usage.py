"""Usage: requests, tokens and ringgit by day, model and purpose, and what is left of each limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from selat.console.page import At, Page
from selat.console.pages import period
from selat.console.view import View
from selat.console.words import N_, _n, speaking
from selat.core.errors import BadRequest
from selat.flows.meter import FREE, Price, read_prices
from selat.gateway.admin.route import OPERATOR, OVERSEERS
from selat.ledger import Question, Use, usage

RINGGIT = 1_000_000
UNITS = {"requests": N_("permintaan"), "tokens": N_("token"), "microringgit": N_("ringgit")}
PERIODS = {"minute": N_("seminit"), "hour": N_("sejam"), "day": N_("sehari"), "month": N_("sebulan")}


@dataclass
class Sum:
    """Requests, refusals, tokens and ringgit of one group."""

    name: str = ""
    requests: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ringgit: float = 0.0

    def take(self, use: Use, price: Price) -> None:
        self.requests += use.requests
        self.refused += use.refused
        self.prompt_tokens += use.prompt_tokens
        self.completion_tokens += use.completion_tokens
        self.ringgit += price.cost(use.prompt_tokens, use.completion_tokens) / RINGGIT


async def show(view: View) -> Response:
    """GET /usage?days=…: overseers see the organisation's, everyone else their own."""
    days = period.days(view)
    begin = period.since(days)
    uses, prices = await view.thread(_uses, view, begin)
    total = _sums(uses, prices, None)[0] if uses else Sum()
    by_day = {one.name: one for one in _sums(uses, prices, 0)}
    first = date.fromisoformat(begin[:10])
    stretch = [(first + timedelta(days=n)).isoformat() for n in range(int(days))]
    limits = await view.admin("GET", "/quotas") if view.may(*OVERSEERS, "builder") else []
    return view.show(
        "usage.html",
        total=total,
        columns=[(day, by_day.get(day, Sum()).requests, _told(day, by_day.get(day, Sum()))) for day in stretch],
        most=max((one.requests for one in by_day.values()), default=0),
        tables=[(N_("Model"), _sums(uses, prices, 1)), (N_("Tujuan"), _sums(uses, prices, 2))],
        priced=bool(prices),
        limits=limits,
        units=UNITS,
        spans=PERIODS,
        mine=not view.may(*OVERSEERS),
        operator=view.may(*OPERATOR),
        periods=period.PERIODS,
        days=days,
    )


def _uses(view: View, begin: str) -> tuple[list[Use], Any]:
    platform, caller = view.house.platform, view.caller
    own = "" if caller.roles & OVERSEERS else caller.key
    question = Question(tenant=caller.tenant, caller=own, since=begin)
    found = usage(platform.home.ledger, ("day", "model", "purpose", "engine"), question)
    return found, read_prices(platform.home.path / "prices.toml")


def _sums(uses: Iterable[Use], prices: Any, place: int | None) -> list[Sum]:
    """Summed by one place of the group, the busiest first; None for all in one."""
    sums: dict[str, Sum] = {}
    for use in uses:
        name = "" if place is None else use.group[place]
        sums.setdefault(name, Sum(name)).take(use, prices.get(use.group[3], FREE))
    return sorted(sums.values(), key=lambda one: (-one.requests, one.name))


def _told(day: str, one: Sum) -> str:
    return f"{speaking.get().day(day)}: {_n('%(n)s permintaan', '%(n)s permintaan', one.requests)}"


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
