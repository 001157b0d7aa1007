"""`selat search "…"`: passages that the caller may see, best first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT
from selat.cli.batch import read_queries, rows_to
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.cli.place import open_for
from selat.core.caller import EVERY_GROUP
from selat.core.errors import Misused
from selat.core.label import HIGHEST, parse_label
from selat.core.passage import Hit
from selat.knowledge import RERANK_FALLBACK, Library, Query, documents_found

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
def run(
    text: Annotated[str, typer.Argument(help="What to look for.")] = "",
    collection: Annotated[str, typer.Option(help="Collection to search; else all of the tenant's.")] = "",
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1000, help="Most passages to show.")] = 10,
    clearance: Annotated[str, typer.Option(help="Search as a caller cleared to this label.")] = "",
    group: Annotated[list[str] | None, typer.Option("--group", help="And in this group only; repeatable.")] = None,
    queries: Annotated[Path | None, typer.Option(help='Many at once: JSONL of {"id","query"}.')] = None,
    out: Annotated[Path | None, typer.Option(help='Where --queries writes {"id","hits":[ids],"order"}.')] = None,
    tenant: Annotated[str, typer.Option(help="Tenant whose documents are searched.")] = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Find passages that the caller may see."""
    if bool(text) == bool(queries) or bool(queries) != bool(out):
        raise Misused("give either words to look for, or both --queries IN.jsonl and --out OUT.jsonl")
    cleared = parse_label(clearance) if clearance else HIGHEST
    groups = frozenset(group or [EVERY_GROUP])
    with open_for(home, tenant) as platform:
        library = platform.library
        if queries and out:
            _many(library, queries, out, Query(tenant, collection, "", cleared, k, groups))
            return
        hits, order = library.find(Query(tenant, collection, text, cleared, k, groups))
        known = not collection or library.store.has_collection(tenant, collection)
    if json_:
        show_json({"hits": [hit_json(hit) for hit in hits], "order": order})
        return
    for hit in hits:
        passage = hit.passage
        where = f" p. {passage.page}" if passage.page else ""
        where += " rows {}-{}".format(*passage.rows) if passage.rows else ""
        show(f"{passage.source.document} #{passage.number}{where} [{passage.label}] {hit.score:.3f}")
        show("    " + " ".join(passage.text.split())[:300])
    if not hits:
        say(
            "nothing found" if known else f"nothing found: no collection '{collection}'; see: selat knowledge list"
        )
    if order == RERANK_FALLBACK:
        say("the model of rerank_model gave no order: these stand by their scores")


def hit_json(hit: Hit) -> dict[str, object]:
    """A hit as `selat search --json` prints it: positions are characters of the text as ingested."""
    passage, source = hit.passage, hit.passage.source
    return {
        "document": source.document,
        "passage": passage.number,
        "score": round(hit.score, 4),
        "text": passage.text,
        "label": str(passage.label),
        "title": source.title,
        "heading": passage.heading,
        "page": passage.page,
        "rows": passage.rows,
        "start": passage.start,
        "end": passage.end,
        "language": source.language,
        "dated": source.dated,
        "origin": source.origin,
    }


def _many(library: Library, queries: Path, out: Path, like: Query) -> None:
    asked = read_queries(queries)
    fell_back = 0
    with rows_to(out, "search", len(asked)) as put:
        for identity, text in asked:
            hits, order = documents_found(library, replace(like, text=text))
            fell_back += order == RERANK_FALLBACK
            put({"id": identity, "hits": hits, "order": order})
    if fell_back:
        say(f"the model of rerank_model gave no order for {fell_back} of them: these stand by their scores")
