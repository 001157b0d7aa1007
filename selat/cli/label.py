"""`selat label`: what a document's label is; raising it, and lowering it as an officer."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.cli.place import open_for
from selat.core.errors import Misused
from selat.core.label import parse_label
from selat.flows.label import Place, Relabelled, lower_label, raise_label

app = typer.Typer(help="Labels of documents: show, raise, lower.", no_args_is_help=True)

DocumentArgument = Annotated[str, typer.Argument(metavar="DOCUMENT", help="The document's id.")]
ToOption = Annotated[str, typer.Option("--to", help="The label, as in terhad/internal/none/MY.")]
CollectionOption = Annotated[str, typer.Option("--collection", help="The collection it is in.")]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose.")]


@app.command("show")
def show_label(
    document: DocumentArgument,
    collection: CollectionOption = "documents",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """The label of a document."""
    with open_for(home, tenant) as platform:
        label = platform.library.label(tenant, collection, document)
    if json_:
        show_json(label.to_json())
    else:
        show(str(label))


@app.command("raise")
def raise_(
    document: DocumentArgument,
    to: ToOption,
    collection: CollectionOption = "documents",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Make a label stricter: it is joined to the one that is there."""
    with open_for(home, tenant) as platform:
        place = Place(tenant, collection, document)
        _tell(raise_label(platform.library, place, parse_label(to), platform.record), json_=json_)


@app.command()
def lower(
    document: DocumentArgument,
    to: ToOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, without personal data; it stands in the entry.")],
    key_env: Annotated[
        str, typer.Option("--key-env", help="Environment variable that holds the officer's API key.")
    ] = "SELAT_KEY",
    collection: CollectionOption = "documents",
    home: HomeOption = None,
    tenant: TenantOption = "default",
    json_: JsonOption = False,
) -> None:
    """Lower a label, as a named officer with a reason; an entry of its own."""
    secret = os.environ.get(key_env, "")
    if not secret:
        raise Misused(f"set {key_env} to the API key of an officer; make one: selat key create --role officer")
    with open_platform(home) as platform:
        officer = platform.keys.identify(secret)
        place = Place(tenant, collection, document)
        done = lower_label(platform.library, place, parse_label(to), (officer, reason), platform.record)
        _tell(done, json_=json_)


def _tell(done: Relabelled, *, json_: bool) -> None:
    if json_:
        show_json({"from": str(done.old), "to": str(done.new), "receipt": done.receipt})
        return
    show(f"{done.old} -> {done.new}")
    say(f"receipt {done.receipt}")
