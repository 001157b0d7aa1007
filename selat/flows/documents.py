"""answer, as a model: an ask of the documents is grounded in them and goes the chat road."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from urllib.parse import quote

import msgspec

from selat.core.caller import Caller
from selat.core.errors import NotFound
from selat.core.label import HIGHEST, LOWEST, Label, parse_label
from selat.core.passage import Citation
from selat.flows.answer import Answered, Inquiry, conclude, ground, reading
from selat.flows.chat import Desk, Streamed, Whole, chat
from selat.flows.helpers import Helpers, help_search
from selat.flows.leading import Grounding
from selat.knowledge import NO_DOCUMENT, Library, Parcel, Record, admits, label_of
from selat.wire import Ask, read_answer

NO_HELPERS = Helpers()
_EVENTS = "text/event-stream; charset=utf-8"
_PASSED_ON = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "user")


def grounding(library: Library, model: str, desk: Desk, helpers: Helpers = NO_HELPERS) -> Grounding:
    """What answers an ask of the documents, with `model`."""

    def ground(ask: Ask, collection: str) -> Awaitable[Whole | Streamed]:
        return answer_documents(desk, library, ask._replace(model=model), collection, helpers)

    return ground


async def answer_documents(
    desk: Desk, library: Library, ask: Ask, collection: str, helpers: Helpers = NO_HELPERS
) -> Whole | Streamed:
    """Ground, ask, check the citations. A stream begins once they are: an unchecked quote is never shown."""
    asked = user_texts(ask.document)
    helped = await help_search(desk, ask, helpers, asked)
    earlier = asked[-2] if len(asked) > 1 else ""
    inquiry = Inquiry(asked[-1] if asked else "", ask.caller, collection, earlier, helped)
    grounded = await asyncio.to_thread(ground, library, inquiry)
    passed_on = {name: ask.document[name] for name in _PASSED_ON if name in ask.document}
    document: dict[str, object] = {**passed_on, "model": ask.model, "messages": grounded.messages}
    wanted = ask._replace(
        label=ask.label.join(grounded.label),
        body=msgspec.json.encode(document),
        document=document,
        stream=False,
    )

    async def shape(body: bytes) -> bytes:
        answer = read_answer(body, ask.model)
        text = "".join(answer.texts[:1])
        verdicts = await helpers.checker.verdicts(desk, wanted, grounded.passages, text)
        answered = conclude(grounded, text, verdicts, helpers.checker.drop)
        shaped = shaped_body(answer.document, answered)
        # An ask of another protocol makes its own events of the whole answer.
        return events(shaped) if ask.stream and ask.shaper is None else msgspec.json.encode(shaped)

    reply = await chat(desk, wanted, shape)
    if ask.stream and isinstance(reply, Whole) and reply.status == 200:
        return reply._replace(content_type=_EVENTS)
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
    grounding = {
        "abstained": answered.abstained,
        "language": answered.language,
        "label": str(answered.label),
        "order": answered.order,
        "checked": answered.checked,
        "unsupported": answered.unsupported,
        "cautions": list(answered.cautions),
    }
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
    passage = library.passage(reading(caller), document, number)
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
        "box": passage.box,
        "rows": passage.rows,
        "start": passage.start,
        "end": passage.end,
        "label": str(passage.label),
        "text": passage.text,
    }


@dataclass(frozen=True, slots=True)
class Card:
    """A document as its keepers see it, without contents. `steps` are those it reached, with their times.

    `twins` are collection and id of those that say nearly the same, told where one document is asked for.
    `status` is waiting, parsing, indexing, ready or failed; `tries` how often it was read.
    """

    id: str
    collection: str
    folder: str
    status: str
    reason: str
    label: str
    groups: tuple[str, ...]
    title: str
    origin: str
    dated: str
    language: str
    passages: int
    tries: int
    steps: tuple[tuple[str, str], ...]
    twins: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, parcel: Parcel | None, record: Record | None) -> Card:
        """From what is held, what was sent in, or both: then the step under way is what was sent in last."""
        told = record or parcel
        assert told is not None
        at_work = parcel if parcel and (record is None or parcel.step not in ("ready", "failed")) else None
        return cls(
            told.document,
            told.collection,
            told.folder,
            at_work.step if at_work else record.status if record else "",
            at_work.reason if at_work else record.reason if record else "",
            told.label,
            tuple(record.readers.split(",")) if record and record.readers else (),
            record.title if record else "",
            record.origin if record else parcel.name if parcel else "",
            record.dated if record else "",
            record.language if record else "",
            record.passages if record else 0,
            parcel.tries if parcel else 1,
            tuple((one.step, one.at) for one in parcel.history) if parcel else (),
        )


def cards(library: Library, caller: Caller, collection: str | None = None) -> list[Card]:
    """The documents that the caller may know of, by id: those held, and those it may send in that wait."""
    sent = {parcel.place: parcel for parcel in library.inbox.all(caller.tenant, collection)}
    held = {
        (record.tenant, record.collection, record.document): record
        for record in library.store.records(caller.tenant, collection)
    }
    found = []
    for place_ in sent.keys() | held.keys():
        parcel, record = sent.get(place_), held.get(place_)
        if _may_know(library, caller, parcel, record):
            found.append(Card.of(parcel, record))
    return sorted(found, key=lambda one: (one.id, one.collection))


def card(library: Library, caller: Caller, collection: str, document: str) -> Card:
    """One document with its twins. Raises: NotFound, also for one that the caller may not know of."""
    found = seen(library, caller, collection, document)
    if not library.store.record(caller.tenant, collection, document):
        return found
    twins = library.twins(reading(caller, collection), document)
    return replace(found, twins=tuple((one.collection, one.document) for one in twins))


def seen(library: Library, caller: Caller, collection: str, document: str) -> Card:
    """One document as a list shows it. Raises: NotFound, also for one that the caller may not know of."""
    record = library.store.record(caller.tenant, collection, document)
    parcel = library.inbox.find(caller.tenant, collection, document)
    if not (record or parcel) or not _may_know(library, caller, parcel, record):
        raise NotFound(NO_DOCUMENT)
    return Card.of(parcel, record)


def _may_know(library: Library, caller: Caller, parcel: Parcel | None, record: Record | None) -> bool:
    if record:
        return may_know_record(caller, label_of(record), record.readers)
    assert parcel is not None
    place = (parcel.tenant, parcel.collection, parcel.folder)
    return may_know_parcel(library, caller, place, parcel.sender, parcel.label)


def may_know_record(caller: Caller, label: Label, readers: str) -> bool:
    """Whether the caller may know of a document that was read, by its label and the groups it is kept to."""
    return label.within(caller.clearance) and admits(readers, caller.groups)


def may_know_parcel(
    library: Library, caller: Caller, place: tuple[str, str, str], sender: str, label: str
) -> bool:
    """One that is not read yet has no label of its own: its sender knows of it, and who is cleared to all.

    `place`: its tenant, collection and folder.
    """
    if sender == caller.key:
        return True
    rule = library.folders.rule(*place)
    found = parse_label(label) if label else HIGHEST
    return found.join(rule.label or LOWEST).within(caller.clearance) and admits(rule.readers, caller.groups)


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
