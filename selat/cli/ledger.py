"""`selat ledger`: verify receipts offline, check and read the book, run the sequencer."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.cli.place import ledger_at
from selat.core.errors import LedgerBroken, Misused, NotFound
from selat.core.trust import parse_trust
from selat.flows.receipt import of_tenant
from selat.home import find_home, open_home
from selat.ledger import DIMENSIONS, FORMATS, Book, Question, load_signer, reindex, usage
from selat.ledger.check import check
from selat.ledger.query import query
from selat.ledger.repair import repair
from selat.ledger.rotate import rotate
from selat.named import read_text
from selat.process import KEY, ledger_of, sequence
from selat.verifier import explain, verify_path
from selat.verifier.words import LANGUAGES

TRUST = "the log's trust file, as in HOME/ledger/log/trust.policy"
TEXTS = ("prompt", "answer")
app = typer.Typer(help="Verify receipts offline; check and read the ledger.", no_args_is_help=True)


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Receipts, receipt bundles, or folders of them.")],
    trust: Annotated[
        Path | None, typer.Option(help="Whom to believe: the log's trust file, had elsewhere.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="prompt=FILE, answer=FILE: prove these the words.")
    ] = None,
    language: Annotated[str, typer.Option(help="en or ms.")] = "en",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Verify receipts with no network and no server; say what is proved and what is not.

    No home is needed. With --home and no --trust, the trust file is that home's own.
    """
    if language not in LANGUAGES:
        raise Misused(f"no language '{language}'; known: {', '.join(LANGUAGES)}")
    if trust is None and home is not None:
        trust = open_home(find_home(home)).ledger / "log" / "trust.policy"
    believed = None if trust is None else _trust(trust)
    texts = dict(map(_text, text or []))
    verdicts = [verdict for file in files for verdict in verify_path(file, believed, texts)]
    if json_:
        show_json([verdict.to_json() for verdict in verdicts])
    else:
        for verdict in verdicts:
            show(explain(verdict, language))
    if not verdicts:
        raise Misused("no receipt found: name .tlog-proof files, bundles, or folders of them")
    if not all(verdict.ok for verdict in verdicts):
        raise LedgerBroken(f"{sum(not verdict.ok for verdict in verdicts)} of {len(verdicts)} not verified")


def _trust(path: Path) -> str:
    """The text of a trust file; one that says nothing must never count as none. Raises: Misused."""
    text = read_text(path, TRUST)
    try:
        parse_trust(text)
    except LedgerBroken as error:
        raise Misused(f"{path}: {error}; name {TRUST}") from error
    return text


def _text(item: str) -> tuple[str, bytes]:
    """NAME=FILE, with what the file holds. Raises: Misused."""
    name, _, file = item.partition("=")
    if name not in TEXTS or not file:
        raise Misused(f"--text {item}: write {' or '.join(f'{one}=FILE' for one in TEXTS)}")
    try:
        return name, Path(file).read_bytes()
    except OSError as error:
        raise Misused(
            f"--text {item}: cannot read {file}: {error.strerror}; name the very bytes of the {name}"
        ) from error


@app.command(name="check")
def check_(
    home: HomeOption = None,
    trust: Annotated[Path | None, typer.Option(help="A trust file; else the one beside the log.")] = None,
    json_: JsonOption = False,
) -> None:
    """Read the whole ledger and name everything that does not fit."""
    believed = None if trust is None else _trust(trust)
    report = check(ledger_at(home), believed)
    if json_:
        show_json(asdict(report) | {"ok": report.ok})
    else:
        show(f"{report.origin}: {report.size} entries, signed by {', '.join(report.signers) or 'nobody we trust'}")
        for remark in report.problems:
            show(f"PROBLEM {remark.kind}: {remark.what}")
        for remark in report.notes:
            show(f"note {remark.kind}: {remark.what}")
        for leaf, receipt in report.orphans:
            show(f"open {receipt}: leaf {leaf} was never closed (under way, or cut off by a crash)")
        show("every entry leads to the signed root" if report.ok else "the evidence is damaged")
    if not report.ok:
        raise LedgerBroken(f"{len(report.problems)} problems; the log is kept as it is: selat ledger repair")


@app.command(name="show")
def show_(
    which: Annotated[str, typer.Argument(metavar="ID|INDEX", help="A receipt id, or the number of a leaf.")],
    home: HomeOption = None,
    proof: Annotated[bool, typer.Option("--proof", help="Print the receipt (tlog-proof) instead.")] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only if it is this tenant's.")] = None,
    json_: JsonOption = False,
) -> None:
    """Show the entries of a receipt id, or one leaf."""
    book = Book(ledger_at(home))
    indexes = [int(which)] if which.isdecimal() else book.find(which)
    indexes = indexes if tenant is None else of_tenant(book, indexes, tenant)
    if not indexes:
        raise NotFound("no such receipt: unknown, or not integrated yet (about a second)")
    if proof:
        for index in indexes:
            show(book.proof(index).rstrip("\n"))
        return
    entries = [{"index": index, "entry": json.loads(book.leaf(index))} for index in indexes]
    if json_:
        show_json(entries)
    else:
        for entry in entries:
            show(json.dumps(entry, ensure_ascii=False, indent=2))


@app.command(name="repair")
def repair_(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Rebuild what can be derived from signed entries; never changes one. Stop `selat up` first."""
    at = open_home(find_home(home))
    repairs = repair(ledger_of(at), load_signer(at.keys / KEY))
    if json_:
        show_json(asdict(repairs))
        return
    for what in repairs.done:
        show(f"done: {what}")
    for what in repairs.left:
        show(f"left: {what}")
    show("nothing was changed" if not repairs.done else "the ledger says so itself, in an entry ledger.repaired")


@app.command(name="rotate-key")
def rotate_key(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Give the log a new signing key, announced under the old one. Stop `selat up` first."""
    at = open_home(find_home(home))
    place = ledger_of(at)
    key = rotate(place, at.keys / KEY)
    if json_:
        show_json({"key": str(key)})
    else:
        show(str(key))
        say(f"Hand the new trust file to those who verify: {place.folder / 'log' / 'trust.policy'}")
        if place.database:
            say("Copy it and keys/ledger.key to every other node before you start them.")


@app.command(name="query")
def query_(
    home: HomeOption = None,
    since: Annotated[str, typer.Option(help="From this time on, RFC 3339: 2026-11-22 or 2026-11-22T03:00Z.")] = "",
    until: Annotated[str, typer.Option(help="Before this time.")] = "",
    tenant: Annotated[str, typer.Option(help="Of this tenant.")] = "",
    caller: Annotated[str, typer.Option(help="A key's id.")] = "",
    model: Annotated[str, typer.Option(help="Of this model.")] = "",
    purpose: Annotated[str, typer.Option(help="For this purpose.")] = "",
    label: Annotated[str, typer.Option(help="A level (sulit, restricted, personal): that or stricter.")] = "",
    decision: Annotated[str, typer.Option(help="permit, redact or deny.")] = "",
    rule: Annotated[str, typer.Option(help="A policy's id.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Only requests that were never closed.")] = False,
    limit: Annotated[int, typer.Option(min=0, max=1_000_000_000, help="At most so many; 0: all.")] = 0,
    format_: Annotated[str, typer.Option("--format", help="jsonl, csv, parquet, otlp.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else stdout.")] = None,
    json_: JsonOption = False,
) -> None:
    """List requests: who asked what model for what purpose, what was decided, how it ended. No content."""
    if format_ not in FORMATS:
        raise Misused(f"no format '{format_}'; known: {', '.join(FORMATS)}")
    if format_ == "parquet" and output is None and sys.stdout.isatty():
        raise Misused("parquet is no text for a terminal: name a file with --output FILE, or redirect it: > FILE")
    question = Question(since, until, tenant, caller, model, purpose, label, decision, rule, open_, limit)
    if json_:
        pieces = FORMATS["jsonl"](query(open_home(find_home(home)).ledger, question))
        show_json([json.loads(line) for line in b"".join(pieces).splitlines()])
        return
    pieces = FORMATS[format_](query(open_home(find_home(home)).ledger, question))
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    try:
        with output.open("xb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise Misused(f"cannot write {output}: {error.strerror}; name another file") from error


@app.command(name="usage")
def usage_(
    by: Annotated[
        str, typer.Option(help=f"Any of {', '.join(DIMENSIONS)}; several with commas.")
    ] = "tenant,model",
    since: Annotated[str, typer.Option(help="From this time on.")] = "",
    until: Annotated[str, typer.Option(help="Before this time.")] = "",
    tenant: Annotated[str, typer.Option(help="Of this tenant.")] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Count requests and tokens: a fold over the book."""
    names = tuple(name.strip() for name in by.split(",") if name.strip())
    question = Question(since=since, until=until, tenant=tenant)
    rows = usage(open_home(find_home(home)).ledger, names, question)
    if json_:
        show_json([dict(zip(names, row.group, strict=True)) | asdict(row) for row in rows])
        return
    show("\t".join([*names, "requests", "refused", "prompt_tokens", "completion_tokens"]))
    for row in rows:
        numbers = (row.requests, row.refused, row.prompt_tokens, row.completion_tokens)
        show("\t".join([*row.group, *map(str, numbers)]))


@app.command(name="reindex")
def reindex_(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Rebuild the query index from the log. Stop `selat up` first."""
    entries = reindex(ledger_at(home))
    if json_:
        show_json({"entries": entries})
    else:
        show(f"{entries} entries folded")


@app.command(hidden=True, name="sequence")
def sequence_(home: HomeOption = None) -> None:
    """Integrate the journals and sign checkpoints until told to stop; run by `selat up`."""
    sequence(home)
