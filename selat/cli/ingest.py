"""`selat ingest PATH…`: documents become labelled, searchable passages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, Platform
from selat.cli.frame import HomeOption, JsonOption, document_language, progress, say, show, show_json
from selat.cli.place import open_for
from selat.core.label import parse_label
from selat.flows.ingest import Intake, Report, found, ingest
from selat.jobs import choose_pool

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
def run(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; .jsonl files hold one document a row.")],
    label: Annotated[str, typer.Option(help="Label of documents, as in terhad/internal/none/MY.")] = "",
    collection: Annotated[str, typer.Option(help="Collection to put them in.")] = "documents",
    language: Annotated[
        str, typer.Option(help="Their language (ms, en, zh, ta); else it is detected.", callback=document_language)
    ] = "",
    id_field: Annotated[str, typer.Option(help="Field of a JSONL row that is the document's id.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant that owns them.")] = DEFAULT_TENANT,
    sync: Annotated[bool, typer.Option("--sync", help="Take out what is no longer in PATHS.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep on: look for changes (implies --sync).")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, max=86_400, help="Seconds between looks with --watch.")
    ] = 5.0,
    pool: Annotated[
        str, typer.Option(help="Where files are read: local, processes:N, ray; else setting jobs_pool.")
    ] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Turn documents into labelled, searchable passages; unchanged ones are skipped, changed ones replaced.

    Without --label a document takes the label it names itself, else the highest of the tenant. One that is held
    already is never lowered by this: selat label lower does that, for an officer.
    """
    with open_for(home, tenant) as platform:
        given = parse_label(label) if label else platform.keys.tenant(tenant).highest_label
        intake = Intake(tenant, collection, given, language, id_field, bool(label), sync or watch)
        report = take_in(platform, paths, intake, pool)
        _tell(report, collection, json_)
        while watch:
            time.sleep(every_s)
            report = take_in(platform, paths, intake, pool)
            if report.added or report.removed or report.failed:
                _tell(report, collection, json_)
    if report.failed and not report.added and not report.unchanged:
        raise typer.Exit(1)


def take_in(platform: Platform, paths: list[Path], intake: Intake, pool: str = "") -> Report:
    """One pass over the paths, booked when it changed anything; each removal leaves a tombstone of its own."""
    total = sum(1 for _ in found(paths))
    with progress("ingest", total if total > 1 else None) as bar:
        chosen = choose_pool(pool or platform.settings.jobs_pool)
        report = ingest(platform.library, paths, intake, lambda document: bar.advance(bar.task_ids[0]), chosen)
    if report.added or report.failed:
        facts: dict[str, object] = {
            "collection": intake.collection,
            "label": str(intake.label),
            "added": len(report.added),
            "unchanged": report.unchanged,
            "failed": len(report.failed),
        }
        platform.record("documents.ingested", facts, intake.tenant)
    for document in report.removed:
        platform.record("document.removed", {"collection": intake.collection, "document": document}, intake.tenant)
    return report


def _tell(report: Report, collection: str, json_: bool) -> None:
    for document, reason in report.failed.items():
        say(f"not read: {document}: {reason}")
    for document in report.kept:
        say(f"label kept: {document}: it was higher before; an officer may lower it: selat label lower")
    counts = {"added": len(report.added), "unchanged": report.unchanged}
    if json_:
        gone = {"removed": report.removed} if report.removed else {}
        kept = {"kept": report.kept} if report.kept else {}
        show_json({"collection": collection, **counts, **gone, **kept, "failed": report.failed})
    else:
        gone_text = f", {len(report.removed)} removed" if report.removed else ""
        show(f"{counts['added']} added, {counts['unchanged']} unchanged{gone_text}, {len(report.failed)} not read")
