"""`selat ask "…"`: a question answered from the documents, with citations; decided and booked like any chat."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.cli.batch import read_queries, rows_to
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.core.errors import EngineError, Misused
from selat.flows.chat import Whole
from selat.flows.documents import answer_documents
from selat.flows.leading import MODEL
from selat.wire import APIS, read_ask

app = typer.Typer(add_completion=False)
_CHAT = APIS["/v1/chat/completions"]


@app.command(no_args_is_help=True)
def run(
    question: Annotated[str, typer.Argument(help="The question, in Malay, English, Chinese or Tamil.")] = "",
    collection: Annotated[str, typer.Option(help="Collection to answer from; else all of the tenant's.")] = "",
    model: Annotated[str, typer.Option(help="Model that answers; else the one of the settings.")] = "",
    purpose: Annotated[str, typer.Option(help="Registered purpose of the question.")] = "chat",
    queries: Annotated[Path | None, typer.Option(help='Many at once: JSONL of {"id","query"}.')] = None,
    out: Annotated[
        Path | None, typer.Option(help='Where --queries writes {"id","answer","citations","abstained","order"}.')
    ] = None,
    tenant: Annotated[str, typer.Option(help="Tenant whose documents answer.")] = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask a question; the answer cites the documents, or says that none of them answers."""
    if bool(question) == bool(queries) or bool(queries) != bool(out):
        raise Misused("give either a question, or both --queries IN.jsonl and --out OUT.jsonl")
    with open_platform(home) as platform:
        asker = Asker(platform, tenant, model, purpose)
        if queries and out:
            asyncio.run(_many(asker, collection, read_queries(queries), out))
            return
        answer = asyncio.run(asker.ask(question, collection))
        known = not collection or platform.library.store.has_collection(tenant, collection)
    if json_:
        show_json(answer)
    else:
        _print(answer)
    if not known:
        say(f"there is no collection '{collection}'; see: selat knowledge list")


class Asker:
    """Puts questions to the documents for whoever works at the machine itself."""

    def __init__(self, platform: Platform, tenant: str, model: str, purpose: str) -> None:
        self._library = platform.library
        self._desk = platform.desk()
        self._helpers = platform.helpers
        self._caller = platform.local_caller(tenant)
        self._model = platform.settings.answer_engine if model in ("", MODEL) else model
        self._purpose = purpose or "chat"

    async def ask(self, question: str, collection: str) -> dict[str, object]:
        """The answer with its citations and receipt id. Raises: EngineError, for an answer that is none."""
        body = msgspec.json.encode({"model": self._model, "messages": [{"role": "user", "content": question}]})
        ask = read_ask(_CHAT, self._caller, body, self._purpose, self._caller.prompt_label)
        reply = await answer_documents(self._desk, self._library, ask, collection, self._helpers)
        if not isinstance(reply, Whole) or reply.status != 200:
            raise EngineError(f"model '{self._model}' gave no answer; see selat engine list")
        document = msgspec.json.decode(reply.body)
        message = document["choices"][0]["message"]
        citations = [annotation["selat_citation"] for annotation in message["annotations"]]
        return {
            "answer": message["content"],
            "citations": citations,
            **document["selat"],
            "decision": reply.opening.about.decision.effect,
            "receipt": reply.opening.id,
        }


async def _many(asker: Asker, collection: str, asked: list[tuple[object, str]], out: Path) -> None:
    with rows_to(out, "ask", len(asked)) as put:
        for identity, question in asked:
            answer = await asker.ask(question, collection)
            citations = answer["citations"]
            ids = dict.fromkeys(one["document"] for one in citations) if isinstance(citations, list) else {}
            told = {name: answer[name] for name in ("answer", "abstained", "order")}
            put({"id": identity, "citations": list(ids), **told})


def _print(answer: dict[str, object]) -> None:
    show(str(answer["answer"]))
    citations = answer["citations"]
    for one in citations if isinstance(citations, list) else ():
        page = f", p. {one['page']}" if one["page"] else ""
        dated = f", {one['dated']}" if one["dated"] else ""
        show(f"  [{one['marker']}] {one['title']} ({one['document']} #{one['passage']}{page}{dated})")
    say(f"label {answer['label']}, receipt {answer['receipt']}")
