"""The stretches of time that pages look back over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from selat.console.view import View
from selat.console.words import N_

PERIODS = {"7": N_("7 hari"), "30": N_("30 hari"), "90": N_("90 hari")}
USUAL = "30"


def days(view: View) -> str:
    """How many days were asked for, as written in the address."""
    asked = view.query("days")
    return asked if asked in PERIODS else USUAL


def since(number: str) -> str:
    """The moment that the stretch begins at, RFC 3339: midnight in UTC, so that whole days are counted."""
    begin = datetime.now(UTC) - timedelta(days=int(number) - 1)
    return begin.strftime("%Y-%m-%dT00:00:00Z")
