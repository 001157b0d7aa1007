"""`selat receipt`: carry the evidence about a request away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selat.cli.frame import HomeOption, JsonOption, say, show_json, write_new
from selat.cli.place import ledger_at
from selat.core.errors import NotFound
from selat.flows.receipt import of_tenant
from selat.ledger import Book
from selat.ledger.export import export
from selat.policy import digest, load_packs

app = typer.Typer(help="Carry the evidence about a request away, to be verified anywhere.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Receipts."""


@app.command(name="export")
def export_(
    receipt: Annotated[str, typer.Argument(metavar="ID", help="The id in the answer's selat-receipt header.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the bundle.")] = Path(
        "receipt.zip"
    ),
    withhold: Annotated[bool, typer.Option("--withhold", help="Leave the salts out.")] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only if it is this tenant's.")] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write a bundle: entries, proofs, trust file, salts for who may see the words, and how to verify it."""
    book = Book(ledger_at(home))
    if tenant is not None and not of_tenant(book, book.find(receipt), tenant):
        raise NotFound("no such receipt: unknown, or not integrated yet (about a second)")
    shelf = load_packs()
    packs = {digest(hashes): hashes for hashes in map(shelf.hashes, shelf.profiles)}
    data = export(book, receipt, disclose=not withhold, packs=packs)
    write_new(output, data)
    if json_:
        show_json({"receipt": receipt, "file": str(output), "bytes": len(data)})
    else:
        say(f"{output}: {len(data)} bytes; verify it with: selat ledger verify {output} --trust FILE")
