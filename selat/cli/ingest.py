"""`selat ingest PATH…`: documents become labelled, searchable passages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, open_platform
from selat.cli.frame import HomeOption, JsonOption, progress, say, show, show_json
from selat.core.label import parse_label
from selat.flows.ingest import Intake, Report, found, ingest

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
def run(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; .jsonl files hold one document a row.")],
    label: Annotated[str, typer.Option(help="Label of documents, as in terhad/internal/none/MY.")] = "",
    collection: Annotated[str, typer.Option(help="Collection to put them in.")] = "documents",
    language: Annotated[str, typer.Option(help="Their language (ms, en, zh, ta); else it is detected.")] = "",
    id_field: Annotated[str, typer.Option(help="Field of a JSONL row that is the document's id.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant that owns them.")] = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Turn documents into labelled, searchable passages; unchanged ones are skipped, changed ones replaced.

    Without --label a document takes the label it names itself, else the highest of the tenant. One that is held
    already is never lowered by this: selat label lower does that, for an officer.
    """
    with open_platform(home) as platform:
        given = parse_label(label) if label else platform.keys.tenant(tenant).highest_label
        intake = Intake(tenant, collection, given, language, id_field, force_label=bool(label))
        total = sum(1 for _ in found(paths))
        with progress("ingest", total if total > 1 else None) as bar:
            report = ingest(platform.library, paths, intake, lambda document: bar.advance(bar.task_ids[0]))
        facts: dict[str, object] = {
            "collection": collection,
            "label": str(given),
            "added": len(report.added),
            "unchanged": report.unchanged,
            "failed": len(report.failed),
        }
        platform.record("documents.ingested", facts, tenant)
    _tell(report, collection, json_)


def _tell(report: Report, collection: str, json_: bool) -> None:
    for document, reason in report.failed.items():
        say(f"not read: {document}: {reason}")
    for document in report.kept:
        say(f"label kept: {document}: it was higher before; an officer may lower it: selat label lower")
    if json_:
        show_json(
            {
                "collection": collection,
                "added": len(report.added),
                "unchanged": report.unchanged,
                "failed": report.failed,
                "kept": report.kept,
            }
        )
    else:
        show(f"{len(report.added)} added, {report.unchanged} unchanged, {len(report.failed)} not read")
    if report.failed and not report.added and not report.unchanged:
        raise typer.Exit(1)
