"""answer, as a model: an ask of `docs` or `docs:COLLECTION` is grounded in documents and goes the chat road."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

import msgspec

from selat.core.caller import Caller
from selat.core.passage import Citation
from selat.flows.answer import Answered, Inquiry, conclude, ground
from selat.flows.chat import Desk, Streamed, Whole, chat
from selat.knowledge import Library
from selat.wire import CHAT, Ask, read_answer

MODEL = "docs"
EXTRACTIVE = "extractive"
_EVENTS = "text/event-stream; charset=utf-8"
_PASSED_ON = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "user")


def answering(library: Library, model: str, desk: Desk) -> Callable[[Ask], Awaitable[Whole | Streamed]]:
    """Every ask's way in: one of a documents model is grounded and put to `model`, any other goes on as it is."""

    async def lead(ask: Ask) -> Whole | Streamed:
        collection = collection_of(ask)
        if collection is None:
            return await chat(desk, ask)
        return await answer_documents(desk, library, replace(ask, model=model), collection)

    return lead


def collection_of(ask: Ask) -> str | None:
    """The collection an ask wants answers from: "" for all, None when it wants a model as such.

    The extractive engine has nothing to say by itself, so a plain ask of it is one of the documents.
    """
    name, _, collection = ask.model.partition(":")
    if ask.api.path == CHAT and (name == MODEL or ask.model == EXTRACTIVE):
        return collection
    return None


async def answer_documents(desk: Desk, library: Library, ask: Ask, collection: str) -> Whole | Streamed:
    """Ground, ask, check the citations. A stream begins once they are: an unchecked quote is never shown."""
    asked = user_texts(ask.document)
    inquiry = Inquiry(asked[-1] if asked else "", ask.caller, collection, asked[-2] if len(asked) > 1 else "")
    grounded = await asyncio.to_thread(ground, library, inquiry)
    passed_on = {name: ask.document[name] for name in _PASSED_ON if name in ask.document}
    document: dict[str, object] = {**passed_on, "model": ask.model, "messages": grounded.messages}
    wanted = replace(
        ask,
        label=ask.label.join(grounded.label),
        body=msgspec.json.encode(document),
        document=document,
        stream=False,
    )

    def shape(body: bytes) -> bytes:
        answer = read_answer(body, ask.model)
        answered = conclude(grounded, "".join(answer.texts[:1]))
        shaped = shaped_body(answer.document, answered)
        # An ask of another protocol makes its own events of the whole answer.
        return events(shaped) if ask.stream and ask.shaper is None else msgspec.json.encode(shaped)

    reply = await chat(desk, wanted, shape)
    if ask.stream and isinstance(reply, Whole) and reply.status == 200:
        return replace(reply, content_type=_EVENTS)
    return reply


def user_texts(document: dict[str, object]) -> list[str]:
    """What the user said, oldest first; the text parts of messages that have parts."""
    found: list[str] = []
    messages = document.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, list):
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            content = "\n".join(part for part in parts if isinstance(part, str))
        if isinstance(content, str) and content.strip():
            found.append(content)
    return found


def shaped_body(document: dict[str, object], answered: Answered) -> dict[str, object]:
    """The engine's answer with the checked text, its citations as annotations, and whether it abstained.

    An annotation is OpenAI's `url_citation`, which clients know, with our `selat_citation` beside it.
    """
    annotations = [annotation(citation, answered.text) for citation in answered.citations]
    message = {"role": "assistant", "content": answered.text, "annotations": annotations}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    grounding = {"abstained": answered.abstained, "language": answered.language, "label": str(answered.label)}
    return {**document, "choices": [choice], "selat": grounding}


def annotation(citation: Citation, text: str) -> dict[str, object]:
    """One citation; its place in the text is that of its first marker."""
    passage = citation.passage
    source = passage.source
    start = max(text.find(f"[{citation.marker}]"), 0)
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": start,
            "end_index": start + len(f"[{citation.marker}]"),
            "title": source.title,
            "url": f"/v1/documents/{quote(source.document, safe='')}/passages/{passage.number}",
        },
        "selat_citation": {
            "marker": citation.marker,
            "document": source.document,
            "title": source.title,
            "origin": source.origin,
            "dated": source.dated,
            "passage": passage.number,
            "page": passage.page,
            "start": passage.start,
            "end": passage.end,
            "label": str(passage.label),
            "quote": citation.quote,
        },
    }


def place(library: Library, caller: Caller, document: str, number: int) -> dict[str, object]:
    """The exact place that a citation names. Raises: NotFound, also for one above the caller's clearance."""
    passage = library.passage(caller.tenant, document, number, caller.clearance)
    source = passage.source
    return {
        "object": "document.passage",
        "document": source.document,
        "title": source.title,
        "origin": source.origin,
        "dated": source.dated,
        "language": source.language,
        "passage": passage.number,
        "heading": passage.heading,
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
        "label": str(passage.label),
        "text": passage.text,
    }


def events(shaped: dict[str, object]) -> bytes:
    """The whole answer as server-sent events: the text, its annotations with the finish, the usage, the end."""
    choice = shaped["choices"][0]  # type: ignore[index]
    message = choice["message"]
    head = {**shaped, "object": "chat.completion.chunk"}
    usage = head.pop("usage", None)
    deltas: list[tuple[dict[str, object], str | None]] = [
        ({"role": "assistant", "content": message["content"]}, None),
        ({"annotations": message["annotations"]}, "stop"),
    ]
    chunks: list[dict[str, object]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} for delta, finish in deltas
    ]
    if usage is not None:
        chunks.append({**head, "choices": [], "usage": usage})
    return b"".join(b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
