"""`selat subject`: answer a person who asks what is held of them, or asks that it be forgotten."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from selat.cli.frame import HomeOption, JsonOption, say, show, show_json, write_new
from selat.cli.place import ledger_at, ledger_for
from selat.core.errors import Misused, NotFound
from selat.ledger import Book, Subject, erase, expire, find
from selat.ledger.export import export
from selat.named import read_text

app = typer.Typer(help="Answer a data subject: find, export, erase.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="The tenant that holds the data.")]
CallerKey = Annotated[str, typer.Option("--caller", help="Requests made with this key's id.")]
Receipts = Annotated[list[str] | None, typer.Option("--receipt", help="A receipt id; may be repeated.")]
Words = Annotated[Path | None, typer.Option(help="A file with words to look for in kept content; - for stdin.")]


def _subject(tenant: str, caller: str, receipts: list[str] | None, words: Path | None) -> Subject:
    try:
        text = (
            ""
            if words is None
            else sys.stdin.read()
            if str(words) == "-"
            else read_text(words, "a file with the words")
        )
    except UnicodeDecodeError as error:
        raise Misused("stdin is not text in UTF-8; give the words as text") from error
    return Subject(tenant, caller, tuple(receipts or ()), text.strip())


@app.command(name="find")
def find_(
    tenant: Tenant,
    caller: CallerKey = "",
    receipt: Receipts = None,
    words: Words = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """List the requests that hold data of a person, and what the vault has for each."""
    held = find(ledger_for(home, tenant), _subject(tenant, caller, receipt, words))
    if json_:
        show_json([asdict(one) for one in held])
        return
    for one in held:
        show(f"{one.receipt}\t{','.join(map(str, one.leaves))}\t{','.join(one.secrets) or 'nothing kept'}")
    say(f"{len(held)} requests")


@app.command(name="export")
def export_(
    tenant: Tenant,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the bundle.")],
    caller: CallerKey = "",
    receipt: Receipts = None,
    words: Words = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write one bundle with every entry, proof, salt and kept content of a person's requests."""
    place = ledger_for(home, tenant)
    held = find(place, _subject(tenant, caller, receipt, words))
    if not held:
        raise NotFound("subject: nothing is held of them under this tenant")
    data = export(Book(place), *(one.receipt for one in held))
    write_new(output, data)
    if json_:
        show_json({"bundle": str(output), "requests": len(held), "bytes": len(data)})
    else:
        show(f"{output}: {len(held)} requests, {len(data)} bytes")


@app.command(name="erase")
def erase_(
    tenant: Tenant,
    officer: Annotated[str, typer.Option(help="Who orders it: the officer's key id; it goes into the ledger.")],
    caller: CallerKey = "",
    receipt: Receipts = None,
    words: Words = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Forget the salts and kept content of a person's requests; the log stays whole, and says that it was done."""
    erased = erase(ledger_for(home, tenant), _subject(tenant, caller, receipt, words), officer)
    if json_:
        show_json(asdict(erased))
        return
    show(f"{erased.secrets} secrets of {erased.receipts} requests erased; {erased.verified} entries still verify")
    if erased.waiting:
        say(f"{erased.waiting} journals still hold copies; the sequencer removes them within about two minutes")


@app.command(name="expire")
def expire_(
    days: Annotated[int, typer.Option(min=1, max=36_525, help="Forget what is older than so many days.")],
    tenant: Annotated[str, typer.Option(help="One tenant; else all.")] = "",
    officer: Annotated[str, typer.Option(help="Who orders it.")] = "operator",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Forget the salts and kept content of old entries."""
    place = ledger_for(home, tenant) if tenant else ledger_at(home)
    erased = expire(place, days, tenant, officer)
    if json_:
        show_json({"erased": erased})
    else:
        show(f"{erased} secrets erased")
