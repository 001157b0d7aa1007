"""Pulls that somebody began: what each is of, and the offer that was agreed to."""

from __future__ import annotations

import msgspec

from selat.models.tasks import Task


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be pulled, as a person writes it, and what they say of it."""

    source: str
    only: tuple[str, ...] = ()
    name: str = ""
    licence: str = ""
    vendor: str = ""
    country: str = ""
    accepted: bool = False


class Pull(Task, frozen=True, kw_only=True):
    """One pull. `shown` is the digest of the offer that the person agreed to.

    `model`, `revision` and `size_bytes` are known once it has looked at its source.
    """

    wish: Wish
    shown: str
