"""The verbs of `selat model` that keep the shelf: pull, add, list, show, remove, verify, admit, gc."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal as size_text
from rich.progress import TaskID

from selat.app import open_platform
from selat.cli.bom import bom
from selat.cli.frame import CountryOption, HomeOption, JsonOption, byte_progress, say, show, show_json
from selat.cli.pull import pull
from selat.cli.sign import sign, verify
from selat.cli.suggest import catalogue_, suggest
from selat.flows.shelve import Claim
from selat.models import Model
from selat.models.folder import look

ModelArgument = Annotated[str, typer.Argument(help="The model: NAME, OWNER/NAME or OWNER/NAME@REVISION.")]


def add(
    path: Annotated[Path, typer.Argument(help="A folder with weights and tokenizer, or a .gguf file.")],
    name: Annotated[
        str, typer.Option(help="Its name on the shelf, as OWNER/NAME; else the folder's or file's.")
    ] = "",
    licence: Annotated[str, typer.Option("--license", help="Its licence, as in apache-2.0.")] = "",
    vendor: Annotated[str, typer.Option(help="Who made it.")] = "",
    country: CountryOption = "",
    label: Annotated[
        str, typer.Option(help="Label of what it was made from, as in terhad; it bounds who may have it.")
    ] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Take a model of this machine onto the shelf: weights that only hold numbers, and the texts beside them."""
    claim = Claim(name or path.resolve().stem, licence=licence, vendor=vendor, country=country, label=label)
    total = look(path).size_bytes
    with open_platform(home) as platform, byte_progress(str(path), total, quiet=json_) as bar:
        model, found = platform.shelving().add(path, claim, partial(bar.advance, TaskID(0)))
    if json_:
        show_json({**model.to_json(), "left_out": list(found.left_out)})
        return
    for reason in found.left_out:
        say(f"left out: {reason}")
    show(f"added {model.title}: {len(model.files)} files, {size_text(model.size_bytes)}")


def list_(home: HomeOption = None, json_: JsonOption = False) -> None:
    """The models on the shelf, the current revision of each first."""
    with open_platform(home) as platform:
        models = platform.models.models()
    if json_:
        show_json([_row(model) for model in models])
        return
    for model in models:
        known = ", ".join(text for text in (model.format, model.licence, model.vendor, model.country) if text)
        state = "" if model.state == "ready" else f"  {model.state.upper()}"
        show(f"{model.title}  {size_text(model.size_bytes)}  {known}{state}")
    if not models:
        say("the shelf is empty; put a model on it: selat model pull, or selat model add PATH")


def show_model(name: ModelArgument, home: HomeOption = None, json_: JsonOption = False) -> None:
    """The record of a model: its files with their digests, its licence, where it came from, where it lies."""
    with open_platform(home) as platform:
        model = platform.models.model(name)
        path = "" if model.state != "ready" else platform.models.place_of(model)
    if json_:
        show_json({**model.to_json(), "path": path})
        return
    show(f"{model.name}\nrevision  {model.revision}")
    for title, text in (
        ("format", model.format),
        ("licence", model.licence),
        ("vendor", f"{model.vendor} {model.country}".strip()),
        ("base", ", ".join(model.lineage.base)),
        ("source", model.source),
        ("added", model.added),
        ("receipt", model.receipt),
        ("signed by", model.signed.signer),
        ("state", model.state),
        ("path", path),
    ):
        if text:
            show(f"{title:9} {text}")
    for file in model.files:
        show(f"  {file.digest}  {size_text(file.size_bytes):>10}  {file.path}")


def remove(name: ModelArgument, home: HomeOption = None, json_: JsonOption = False) -> None:
    """Take a model off the shelf; the space is free after: selat model gc --all."""
    with open_platform(home) as platform:
        model = platform.shelving().remove(name)
    if json_:
        show_json({"removed": model.name, "revision": model.revision})
    else:
        show(f"removed {model.title}")


def admit(name: ModelArgument, home: HomeOption = None, json_: JsonOption = False) -> None:
    """Let a model out of quarantine, once all its bytes were read and looked into again."""
    with open_platform(home) as platform:
        model = platform.shelving().admit(name)
    if json_:
        show_json(model.to_json())
    else:
        show(f"admitted {model.title}")


def gc(
    all_: Annotated[
        bool, typer.Option("--all", help="Also what an interrupted pull of the last day would go on from.")
    ] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Remove files that belong to no model; what a record names is never removed."""
    with open_platform(home) as platform:
        freed = platform.shelving().gc(*((0.0,) if all_ else ()))
    if json_:
        show_json({"files": freed.files, "size_bytes": freed.size_bytes})
    else:
        show(f"removed {freed.files} files, {size_text(freed.size_bytes)}")


def enlist(app: typer.Typer) -> None:
    """Make these verbs commands of `selat model`."""
    app.command()(pull)
    app.command()(add)
    app.command("list")(list_)
    app.command("show")(show_model)
    app.command()(remove)
    app.command()(verify)
    app.command()(sign)
    app.command()(bom)
    app.command()(admit)
    app.command()(gc)
    app.command()(suggest)
    app.command("catalogue")(catalogue_)


def _row(model: Model) -> dict[str, object]:
    return {key: value for key, value in model.to_json().items() if key != "files"} | {"files": len(model.files)}
