"""`selat knowledge`: what is in the library, what failed and why, and how well it answers."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, open_platform
from selat.cli.ask import Asker
from selat.cli.frame import HomeOption, JsonOption, progress, say, show, show_json
from selat.cli.place import open_for
from selat.core.caller import EVERY_GROUP
from selat.core.errors import Misused, NotFound
from selat.core.label import HIGHEST, Label
from selat.flows.score import read_exams, sit
from selat.flows.upload import folder_of, read_waiting
from selat.knowledge import Query, Scores

app = typer.Typer(
    help="Documents: list, remove, folders, what waits to be read, and how well they answer.", no_args_is_help=True
)

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose documents.")]
CollectionOption = Annotated[str, typer.Option("--collection", help="Which collection; else all.")]


@app.command("list")
def list_(
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    collection: CollectionOption = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only documents that could not be read.")] = False,
    json_: JsonOption = False,
) -> None:
    """Documents with their labels, and why those that failed did; no contents."""
    with open_for(home, tenant) as platform:
        records = platform.library.documents(tenant, collection or None, HIGHEST, frozenset({EVERY_GROUP}))
    records = [record for record in records if not failed or record.status == "failed"]
    if json_:
        show_json([asdict(record) for record in records])
        return
    for record in records:
        tail = f": {record.reason}" if record.reason else f", {record.passages} passages"
        show(f"{record.collection}/{record.document} [{record.label}] {record.status}{tail}")
    if not records:
        say("no such documents here; see them all: selat knowledge list, or put some in: selat ingest PATH")


@app.command()
def twins(
    document: Annotated[str, typer.Argument(help="The document's id.")],
    collection: Annotated[str, typer.Option("--collection", help="Its collection.")] = "documents",
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    json_: JsonOption = False,
) -> None:
    """Documents that say nearly the same, in any collection of the tenant."""
    with open_for(home, tenant) as platform:
        everyone = Query(tenant, collection, "", HIGHEST, groups=frozenset({EVERY_GROUP}))
        found = platform.library.twins(everyone, document)
    if json_:
        show_json([{"collection": one.collection, "document": one.document} for one in found])
        return
    for one in found:
        show(f"{one.collection}/{one.document}")
    if not found:
        say("no other document says nearly the same")


@app.command()
def remove(
    document: Annotated[str, typer.Argument(help="The document's id.")],
    collection: Annotated[str, typer.Option("--collection", help="Its collection.")] = "documents",
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    json_: JsonOption = False,
) -> None:
    """Take a document out: it is gone from every answer at once, and the ledger keeps that it went."""
    with open_for(home, tenant) as platform:
        receipt = platform.changes().remove_document(tenant, collection, document)
    if json_:
        show_json({"document": document, "collection": collection, "receipt": receipt})
    else:
        show(f"removed {document}; receipt {receipt}")


@app.command()
def work(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Read what was sent in over HTTP and waits; the gateway starts this by itself."""
    with open_platform(home, "reader") as platform:

        def floor(of: str) -> Label:
            return platform.keys.tenant(of).highest_label

        done = read_waiting(platform.library, floor, platform.record, _wanted)
    if json_:
        show_json({"finished": done})
    else:
        show(f"{done} documents finished")


def _wanted() -> bool:
    """Whether to go on: the gateway that started this closes our standard input when it ends."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return True
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return not (ready and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode))


@app.command(name="progress")
def progress_(home: HomeOption = None, tenant: TenantOption = DEFAULT_TENANT, json_: JsonOption = False) -> None:
    """How far the documents that were sent in are, and how long the rest will take."""
    with open_for(home, tenant) as platform:
        found = platform.library.inbox.progress(tenant)
    if json_:
        show_json(asdict(found))
        return
    left = (
        "" if found.left_s is None or not found.waiting + found.working else f", about {found.left_s:.0f} s left"
    )
    state = "paused: " if found.paused else ""
    counts = f"{found.waiting} waiting, {found.working} in work, {found.ready} ready, {found.failed} failed"
    show(f"{state}{counts}{left}")


@app.command()
def pause(home: HomeOption = None, tenant: TenantOption = DEFAULT_TENANT, json_: JsonOption = False) -> None:
    """Read no further document until resumed; one that is being read is finished."""
    with open_for(home, tenant) as platform:
        receipt = platform.changes().pause_ingestion(tenant)
    _told("paused", receipt, json_)


@app.command()
def resume(home: HomeOption = None, tenant: TenantOption = DEFAULT_TENANT, json_: JsonOption = False) -> None:
    """Read on."""
    with open_for(home, tenant) as platform:
        receipt = platform.changes().resume_ingestion(tenant)
    _told("resumed", receipt, json_)


@app.command()
def retry(
    document: Annotated[str, typer.Argument(help="The document's id.")],
    collection: Annotated[str, typer.Option("--collection", help="Its collection.")] = "documents",
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    json_: JsonOption = False,
) -> None:
    """Have a document that was sent in and failed read again."""
    with open_for(home, tenant) as platform:
        receipt = platform.changes().retry_document(tenant, collection, document)
    _told("waiting", receipt, json_)


@app.command()
def folder(
    folder_: Annotated[str, typer.Argument(metavar="FOLDER", help="A path in the collection; / for all of it.")],
    collection: Annotated[str, typer.Option("--collection", help="Its collection.")] = "documents",
    label: Annotated[str, typer.Option("--label", help="At least this label for what is in it.")] = "",
    group: Annotated[list[str] | None, typer.Option("--group", help="Only for this group; repeatable.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, where its label is lowered.")] = "",
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    json_: JsonOption = False,
) -> None:
    """Set what documents in a folder inherit; without label and groups, nothing any more."""
    made = folder_of(tenant, collection, folder_, label, group or ())
    with open_for(home, tenant) as platform:
        changed = platform.changes().set_folder(replace(made, by=(platform.local_caller(tenant), reason)))
    if json_:
        show_json({"collection": collection, "folder": made.folder, "changed": changed})
    else:
        show(f"{changed} documents changed")


def _told(state: str, receipt: str, json_: bool) -> None:
    if json_:
        show_json({"state": state, "receipt": receipt})
    else:
        show(f"{state}; receipt {receipt}")


@app.command(name="score")
def score_(
    queries: Annotated[Path, typer.Argument(help='JSONL of {"id","query","gold":[ids],"language"}.')],
    collection: CollectionOption = "",
    split: Annotated[str, typer.Option("--split", help="Only rows of this split.")] = "",
    answers: Annotated[bool, typer.Option("--answers", help="Ask as well: citations and abstention.")] = False,
    home: HomeOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    json_: JsonOption = False,
) -> None:
    """How well the documents answer: recall, MRR, nDCG, citations and abstention, by language."""
    exams = list(read_exams(queries, collection, split))
    if not exams:
        raise Misused(f"{queries}: no question{f' of split {split!r}' if split else ''} in it; see its rows")
    with open_for(home, tenant) as platform, progress("score", len(exams)) as bar:
        if collection and not platform.library.store.has_collection(tenant, collection):
            raise NotFound(f"no collection '{collection}'; see: selat knowledge list")
        asker = Asker(platform, tenant, "", "") if answers else None

        async def asking(question: str, within: str) -> tuple[list[str], bool]:
            assert asker
            answer = await asker.ask(question, within)
            cited = answer["citations"]
            ids = [str(one["document"]) for one in cited] if isinstance(cited, list) else []
            return ids, bool(answer["abstained"])

        done = bar.advance
        work = sit(platform.library, tenant, exams, asking if answers else None, lambda: done(bar.task_ids[0]))
        scores = asyncio.run(work)
    if json_:
        show_json({language: asdict(one) for language, one in scores.items()})
        return
    for language, one in scores.items():
        show(_line(language, one, answers))


def _line(language: str, one: Scores, answers: bool) -> str:
    recall = " ".join(f"r@{k} {value:.2f}" for k, value in one.recall.items())
    line = f"{language:4} {one.questions:4} questions  {recall}  MRR {one.mrr:.2f}  nDCG@10 {one.ndcg10:.2f}"
    if answers:
        line += f"  cited {one.cited:.2f} (precision {one.citation_precision:.2f})"
        line += f"  abstained {one.abstained_rightly:.2f} rightly, {one.abstained_wrongly:.2f} wrongly"
    if one.fell_back:
        line += f"  {one.fell_back} not ordered by the model of rerank_model"
    return line
