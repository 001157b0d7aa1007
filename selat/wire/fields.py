"""The known fields of a body have their types, or it is refused with the field's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from selat.core.errors import BadRequest
from selat.wire.shapes import Known

K = TypeVar("K", bound=Known)


def known_fields(document: Mapping[str, object], shape: type[K]) -> K:
    """The known fields of `document`. Raises: BadRequest, with the field in `param`."""
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        param = path.rstrip("`").lstrip(".") or _missing(what)
        raise BadRequest(f"{param or 'body'}: {_safe(what)}", param=param or None) from None


def refuse(param: str, why: str) -> BadRequest:
    return BadRequest(f"{param}: {why}", param=param)


def _missing(what: str) -> str:
    return what.split("`")[1] if "missing required field" in what else ""


def _safe(what: str) -> str:
    # "Invalid enum value 'the caller's words'" is the one message that repeats the value.
    return "not one of the allowed values" if what.startswith("Invalid enum value") else what
