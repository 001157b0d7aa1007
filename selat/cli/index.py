"""`selat index`: the full-text index: its state, a rebuild beside the live one, and what a search costs."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, open_platform
from selat.cli.frame import HomeOption, JsonOption, show, show_json
from selat.cli.place import open_for
from selat.core.caller import EVERY_GROUP
from selat.core.label import HIGHEST
from selat.knowledge import RERANK_FALLBACK, Query

app = typer.Typer(help="The index: status, rebuild, measure.", no_args_is_help=True)


@app.command()
def status(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Documents, passages, what waits for the index, its version and size, and a digest of all contents."""
    with open_platform(home) as platform:
        state = platform.library.status()
    if json_:
        show_json(asdict(state))
    else:
        for name, value in asdict(state).items():
            show(f"{name.replace('_', ' '):12} {value}")


@app.command()
def rebuild(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Analyse all passages anew into an index beside the live one, then swap: searches go on meanwhile."""
    with open_platform(home) as platform:
        entries = platform.library.rebuild()
    if json_:
        show_json({"entries": entries})
    else:
        show(f"{entries} entries")


@app.command()
def measure(
    query: Annotated[list[str], typer.Argument(help="Searches to time.")],
    times: Annotated[int, typer.Option("--times", min=1, max=10_000, help="How often each.")] = 20,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose documents.")] = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """CPU time of searches, in milliseconds: median and worst; with vectors, their recall against exact ones."""
    spent: list[float] = []
    fell_back = 0
    with open_for(home, tenant) as platform:
        everyone = frozenset({EVERY_GROUP})
        platform.library.search(Query(tenant, "", query[0], HIGHEST, groups=everyone))
        for text in query * times:
            before = time.process_time()
            order = platform.library.find(Query(tenant, "", text, HIGHEST, groups=everyone)).order
            spent.append((time.process_time() - before) * 1000)
            fell_back += order == RERANK_FALLBACK
        recall = platform.library.recall(query, tenant, everyone)
    spent.sort()
    result = {
        "searches": len(spent),
        "median_ms": round(spent[len(spent) // 2], 2),
        "worst_ms": round(spent[-1], 2),
        "vector_recall": recall,
        "rerank_fallbacks": fell_back,
    }
    if json_:
        show_json(result)
    else:
        show(
            f"{result['searches']} searches: median {result['median_ms']} ms, worst {result['worst_ms']} ms of CPU"
        )
        if fell_back:
            show(f"{fell_back} of them not ordered by the model of rerank_model, but by score")
        show("full text alone" if recall is None else f"vectors: recall {recall:.3f} of the exact nearest ten")
