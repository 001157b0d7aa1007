"""Tanya: a conversation with documents or a model, each answer with its sources, its label and its receipt."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from selat.console import names
from selat.console.explain import explained
from selat.console.page import At, Page
from selat.console.pages.ask_words import WORDS
from selat.console.pages.documents import library_of
from selat.console.stream import told
from selat.console.view import View
from selat.console.words import N_, _
from selat.core.errors import BadRequest, NotFound
from selat.core.label import parse_label
from selat.flows.feedback import feedback as book_feedback
from selat.flows.leading import MODEL
from selat.flows.listing import readable
from selat.flows.receipt import receipt as find_receipt
from selat.wire import APIS, read_ask

CHAT = "/v1/chat/completions"
DOCS_PURPOSE = "docs"


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What the script sends. `collection` narrows a question of documents; `label` can only raise the tenant's."""

    model: str
    purpose: str
    messages: list[dict[str, str]]
    collection: str = ""
    label: str = ""


async def show(view: View) -> Response:
    """GET /ask."""
    choices = await view.thread(_choices, view)
    return view.show("ask.html", words={name: _(text) for name, text in WORDS.items()}, data=choices)


def _choices(view: View) -> dict[str, Any]:
    """What the person may ask, of what, and for what."""
    platform, caller = view.house.platform, view.caller
    ready, collections = readable(library_of(view), caller)
    registered = platform.keys.tenant(caller.tenant).purposes
    models = [str(card["id"]) for card in view.house.door.models() if card["id"] not in (MODEL, "extractive")]
    purposes = [
        {
            "id": one.id,
            "name": names.purpose(one),
            "models": _serving(view, models, one.id),
        }
        for one in registered
        if one.id in caller.purposes and one.id != "eval"
    ]
    return {
        "holder": caller.key,
        "purposes": purposes,
        "collections": list(collections),
        "documents": ready,
        "docs": MODEL,
        "examples": [_(text) for text in EXAMPLES],
    }


def _serving(view: View, models: list[str], purpose: str) -> list[str]:
    """The models that may serve a purpose: all, unless it needs a passport; documents first."""
    platform = view.house.platform
    if purpose not in view.caller.passport_purposes:
        return [MODEL, *models]
    gate = platform.gate
    return [
        name
        for name in models
        if any(gate.permits(purpose, name, engine) for engine in platform.shelf.lookup(name))
    ]


EXAMPLES = (
    N_("Berapa lama masa untuk lapor kebocoran data peribadi?"),
    N_("Bila DPO wajib dilantik?"),
    N_("Bolehkah data peribadi dihantar ke luar negara?"),
)


async def stream(view: View) -> Response:
    """POST /ask/stream: one turn of a conversation, down the same road as the API's."""
    try:
        asked = msgspec.convert(await view.json(), Asked)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
    model = f"{MODEL}:{asked.collection}" if asked.model == MODEL and asked.collection else asked.model
    document = {
        "model": model,
        "messages": asked.messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    label = view.caller.prompt_label
    if asked.label:
        label = label.join(parse_label(asked.label))
    ask = read_ask(APIS[CHAT], view.caller, msgspec.json.encode(document), asked.purpose, label)
    return told(await view.house.door.answer(ask), partial(explained, view))


async def passage(view: View) -> Response:
    """GET /ask/passage?document=…&n=…: the place that a citation names."""
    number = view.query("n")
    if not number.isdigit() or len(number) > 9:
        raise NotFound("no such place")
    return view.tell(await view.thread(view.house.door.passage, view.caller, view.query("document"), int(number)))


async def receipt(view: View) -> Response:
    """GET /ask/receipt/{id}: the entries of an answer with their proofs, and whom to believe."""
    found = await view.thread(_receipt, view)
    if found is None:
        raise NotFound("no such receipt; one is ready about a second after its request ended")
    trust = await view.thread(view.house.platform.book.trust)
    return view.tell({"receipt": found, "trust": trust, "said": await view.thread(_said, view, found)})


def _said(view: View, found: dict[str, Any]) -> dict[str, str]:
    """What of an entry is said in words: where, what for, when, how it ended."""
    leaf = (found.get("opened") or found.get("refused") or {}).get("leaf", {})
    closed = (found.get("closed") or {}).get("leaf", {})
    purposes = view.house.platform.keys.tenant(view.caller.tenant).purposes
    return {
        "time": view.tongue.moment(leaf["time"]) if leaf else "",
        "purpose": names.registered(purposes, leaf.get("purpose", "")),
        "site": names.site(leaf["site"]) if leaf.get("site") else "",
        "outcome": names.outcome(closed.get("outcome", "")),
    }


def _receipt(view: View) -> dict[str, object] | None:
    found: dict[str, object] | None = find_receipt(
        view.house.platform.book, view.request.path_params["id"], view.caller.tenant
    )
    return found


async def feedback(view: View) -> Response:
    """POST /ask/feedback/{id}: whether the answer helped."""
    useful = (await view.json()).get("useful")
    if not isinstance(useful, bool):
        raise BadRequest("useful: true or false", param="useful")
    platform, caller = view.house.platform, view.caller

    def book() -> str:
        def record(kind: str, facts: dict[str, object], tenant: str) -> str:
            return platform.record(kind, facts, tenant, caller.key)

        return book_feedback(_receipt(view), caller, useful, record)

    return view.tell({"receipt": await asyncio.to_thread(book)})


PAGE = Page(
    "ask",
    N_("Tanya"),
    (
        At("GET", "/ask", show),
        At("POST", "/ask/stream", stream),
        At("GET", "/ask/passage", passage),
        At("GET", "/ask/receipt/{id}", receipt),
        At("POST", "/ask/feedback/{id}", feedback),
    ),
    icon="ask",
    group=N_("Kerja"),
)
