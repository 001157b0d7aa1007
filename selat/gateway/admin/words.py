"""The words that bodies, queries and answers of the admin API share, with the bounds that their schemas state."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selat.core.errors import BadRequest

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[str, Meta(max_length=200, pattern=_PRINTABLE)]
Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PRINTABLE)]
Name = Annotated[str, Meta(min_length=1, max_length=500, pattern=_PRINTABLE)]
Reason = Annotated[str, Meta(min_length=10, max_length=500, pattern=_PRINTABLE)]
LabelText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=150,
        pattern=_PRINTABLE,
        description="official/cloud/personal/JURISDICTIONS",
        examples=["terhad/internal/none/MY"],
    ),
]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Group = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Role = Literal["operator", "builder", "officer", "auditor", "member"]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Moment = Annotated[datetime, Meta(tz=True)]

FIRST_YEAR, LAST_YEAR = 2000, 2200


class Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a caller sends: a body or a query. A field that is not in it is refused by name."""


class Told(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a caller is told."""


class Done(Told):
    """A change that leaves nothing to show, with the id of its entry where that has one of its own."""

    done: bool
    receipt: str = ""


class Refusal(Told):
    """Why a request was refused, in OpenAI's shape. `rules` and `receipt` are there where policy refused."""

    message: str
    type: str
    code: str
    param: str | None = None
    rules: tuple[str, ...] = ()
    receipt: str | None = None


class Refused(Told):
    """An answer that is not 2xx."""

    error: Refusal


def plausible(field: str, moment: date) -> None:
    """Clocks are reckoned from it, so it lies in years that a calendar holds. Raises: BadRequest."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadRequest(f"{field}: a year from {FIRST_YEAR} to {LAST_YEAR}", param=field)
