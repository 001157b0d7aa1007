"""`selat model suggest` and `selat model catalogue`: which open-weight models there are, and which fit."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from selat.cli.frame import JsonOption, country, say, show, show_json
from selat.core.errors import Misused, NotFound
from selat.models.catalogue import Need, as_of, catalogue, entry_of, languages, read_memory
from selat.models.catalogue import suggest as suggest_models
from selat.models.licence import licence as licence_of


def spoken(language: str) -> str:
    """A language that some model's maker names. Raises: Misused."""
    if language and language not in languages():
        raise Misused(f"--language {language!r}: no maker names it; named are {', '.join(languages())}")
    return language


def suggest(
    memory: Annotated[
        str, typer.Option(help="Memory for the model, as in 16GB: of the graphics card, or the machine's.")
    ],
    language: Annotated[str, typer.Option(help="A language that it must speak, as in ms, en, zh, ta.")] = "",
    license_: Annotated[
        Literal["any", "permissive"], typer.Option("--license", help="permissive: free for every purpose.")
    ] = "any",
    not_from: Annotated[
        list[str] | None,
        typer.Option(help="A country that neither it nor what it was made from may come from; repeat for more."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=50, help="How many at most.")] = 5,
    json_: JsonOption = False,
) -> None:
    """Models that fit, from several vendors, with reasons in English and Malay; facts of others, not our tests."""
    away = frozenset(country("--not-from", code) for code in not_from or ())
    need = Need(read_memory(memory), spoken(language.lower()), license_ == "permissive", away, most)
    found = suggest_models(need)
    if json_:
        show_json({"as_of": as_of(), "suggestions": [one.to_json() for one in found]})
        return
    for one in found:
        show(
            f"{one.entry.name}  {one.entry.vendor}, {one.entry.country}  {one.quantisation}, {one.memory_gb:g} GB"
        )
        for english, malay in zip(one.reasons, one.reasons_ms, strict=True):
            show(f"    {english} / {malay}")
        show(f"    {one.entry.source}")
    if not found:
        say("nothing in the catalogue fits; give more memory, or ask for less / tiada yang sepadan")
    say(f"as of {as_of()}: what makers and others say, not what we tested; examine it: selat eval run")


def catalogue_(
    name: Annotated[str, typer.Argument(help="One model; else all of them.")] = "", json_: JsonOption = False
) -> None:
    """Open-weight models: vendor, country, licence, sizes, memory, and where each fact was read."""
    one = entry_of(name) if name else None
    if name and one is None:
        raise NotFound("the catalogue has no model of that name; see: selat model catalogue")
    found = [one] if one else list(catalogue())
    if json_:
        show_json({"as_of": as_of(), "models": [entry.to_json() for entry in found]})
        return
    for entry in found:
        known = licence_of(entry.licence)
        mark = {"maker": "", "other": "  (read on another's page)"}.get(entry.checked, "  (NOT VERIFIED)")
        show(f"{entry.name}  {entry.vendor}, {entry.country}  {entry.parameters:g}B  {known.title}{mark}")
        if one:
            memory = ", ".join(f"{name} {entry.memory_gb(name):g}" for name in entry.quantisations())
            show(
                f"    memory in GB: {memory}\n    context {entry.context}, languages {', '.join(entry.languages)}"
            )
            show(f"    base {entry.base or 'none'} {entry.base_country}\n    {entry.source}\n    {entry.note}")
            if known.forbids:
                show(f"    forbids: {known.forbids}\n    melarang: {known.forbids_ms}")
    say(f"as of {as_of()}")
