"""`selat guard`: scan, redact, kinds and score, without a home and without a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from selat.cli.frame import JsonOption, say, show, show_json
from selat.core.errors import Misused
from selat.guard import FLAGS, KINDS, Guard, Mask, scan_json
from selat.guard.scoring import CORPUS, Score, read_corpus, score

app = typer.Typer(no_args_is_help=True, help="Find and mask personal data.", add_completion=False)

FileArgument = Annotated[Path, typer.Argument(metavar="[FILE|-]", help="A text in UTF-8; - or nothing for stdin.")]
LinesOption = Annotated[bool, typer.Option("--jsonl", help='Many at once: lines of {"id","text"} in and out.')]


@app.command()
def scan(file: FileArgument = Path("-"), jsonl: LinesOption = False, json_: JsonOption = False) -> None:
    """Tell which kinds of personal data stand where, never their words."""
    guard = _guard()
    if jsonl:
        for row in _rows(file):
            show(json.dumps({"id": row["id"], **scan_json(guard.scan(str(row["text"])))}, ensure_ascii=False))
        return
    found = guard.scan(_read(file))
    if json_:
        show_json(scan_json(found))
        return
    for finding in found.findings:
        show(f"{finding.start}-{finding.end}\t{finding.kind}\t{finding.confidence:.2f}")
    for flag in sorted(found.flags):
        show(f"flag\t{flag}")
    say(f"{len(found.findings)} findings; personal data: {found.personal.name.lower()}")


@app.command()
def redact(file: FileArgument = Path("-"), jsonl: LinesOption = False, json_: JsonOption = False) -> None:
    """Print the text with a placeholder for each finding; the same value gets the same placeholder."""
    guard = _guard()
    if jsonl:
        for row in _rows(file):
            text = str(row["text"])
            masked = Mask().redact(text, guard.scan(text).findings)
            show(json.dumps({"id": row["id"], "text": masked}, ensure_ascii=False))
        return
    text = _read(file)
    found = guard.scan(text)
    masked = Mask().redact(text, found.findings)
    if json_:
        show_json({"text": masked, "counts": found.counts(), "flags": sorted(found.flags)})
    else:
        sys.stdout.write(masked)


@app.command()
def kinds(json_: JsonOption = False) -> None:
    """List what is looked for, why, and by which source."""
    if json_:
        show_json(
            {
                "kinds": {k: v._asdict() for k, v in KINDS.items()},
                "flags": {k: v._asdict() for k, v in FLAGS.items()},
            }
        )
        return
    for title, table in (("kinds", KINDS), ("flags", FLAGS)):
        say(title)
        for name, kind in table.items():
            show(f"{name:13} {kind.what} / {kind.apa}; {kind.why} ({kind.source})")


@app.command(name="score")
def score_(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE…]", help="Corpora as JSONL; else our own.")
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="List each false and missed finding by its position.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Score the guard on a corpus: recall, precision and false findings by kind and language."""
    guard = _guard()
    paths = files or sorted(CORPUS.glob("*.jsonl"))
    results: dict[str, Score] = {}
    for path in paths:
        results[path.name] = score(guard.scan, read_corpus(path))
    if json_:
        show_json({name: result.to_json() for name, result in results.items()})
        return
    for name, result in results.items():
        _show_score(name, result, faults)


def _show_score(name: str, result: Score, faults: bool) -> None:
    show(
        f"{name}: {result.texts} texts, {result.decoys} decoys, {result.false_in_decoys} false findings in decoys"
    )
    rows = [("structured", result.structured)]
    rows += [(kind, result.kinds[kind]) for kind in KINDS if kind in result.kinds]
    rows += sorted(result.languages.items())
    show(f"  {'':13} recall precision     F1  right false missed exact")
    for title, tally in rows:
        show(
            f"  {title:13} {tally.recall:6.3f} {tally.precision:9.3f} {tally.f1:6.3f}"
            f" {tally.right:6} {tally.false:5} {tally.missed:6} {tally.exact:5}"
        )
    if faults:
        for identity, fault, finding in result.faults:
            show(f"  {identity}\t{fault}\t{finding.kind}\t{finding.start}-{finding.end}")


def _guard() -> Guard:
    """The compiled database is kept in the user's cache, so that a second command starts at once."""
    return Guard.load(platformdirs.user_cache_path("selat"))


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}; name a text in UTF-8, or - for stdin") from error
    except UnicodeDecodeError as error:
        raise Misused(f"{file} is not UTF-8 text; take the text out of a document with: selat ingest") from error


def _rows(file: Path) -> Iterator[dict[str, object]]:
    for number, line in enumerate(_read(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise Misused(f'line {number}: not JSON; needs {{"id","text"}}') from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise Misused(f'line {number}: needs {{"id","text"}}')
        yield {"id": row.get("id", number), "text": row["text"]}
