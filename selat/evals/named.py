"""Finds a pack by what people write: a name, a file, NAME=PATH of an exam of others, and any of them ~verbatim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from selat.core.errors import NotFound
from selat.evals.external import load_external
from selat.evals.item import Pack
from selat.evals.load import find_pack, read_pack, shipped
from selat.evals.verbatim import SUFFIX, verbatim


def pack_named(said: str, plugged: Mapping[str, Path] | None = None) -> Pack:
    """The pack that is meant; `plugged` are the files of packs that plugins brought, by name.

    Raises: NotFound; Misused, naming file, item and field.
    """
    exam, sign, place = said.partition("=")
    if exam.endswith(SUFFIX):
        return verbatim(pack_named(exam.removesuffix(SUFFIX) + sign + place, plugged))
    if sign:
        return load_external(exam, Path(place).expanduser())
    known = plugged or {}
    if said in known:
        return read_pack(known[said])
    if not said.endswith(".toml") and said not in shipped():
        names = ", ".join((*shipped(), *sorted(known)))
        raise NotFound(f"no pack of that name; known: {names}. Or give a path that ends in .toml")
    return find_pack(said)
