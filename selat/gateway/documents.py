"""Documents over HTTP: send in, list, see how far each is, remove, label anew, read again; open a place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from selat.core.caller import Caller
from selat.core.errors import BadRequest, NotFound
from selat.core.label import parse_label
from selat.flows.documents import Card, card, cards
from selat.flows.label import Place, relabel
from selat.flows.upload import DEFAULT_COLLECTION, Sending, Sent, may_keep, visible
from selat.gateway.admin.enter import read_body, read_query
from selat.gateway.admin.words import Asked, LabelText, Name, Text
from selat.gateway.completions import caller_of
from selat.gateway.door import Door
from selat.gateway.http import Request
from selat.knowledge import full_disk_told

if TYPE_CHECKING:
    from selat.gateway.form import Form

LONGEST_WAIT_S = 120.0
FORM = "multipart/form-data"
ENDED = ("ready", "failed")


class ListQuery(Asked):
    """Which documents; `after` an id, to read on from there."""

    collection: Text = ""
    folder: Text = ""
    status: Text = ""
    after: Annotated[str, Meta(max_length=500)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class OneQuery(Asked):
    """In which collection."""

    collection: Name = DEFAULT_COLLECTION


class UploadQuery(Asked):
    """What a file is, where its bytes are the body; a form may give the same as fields.

    `wait` is how many seconds to wait for it to be read.
    """

    name: Annotated[str, Meta(max_length=500)] = ""
    collection: Name = DEFAULT_COLLECTION
    folder: Annotated[str, Meta(max_length=500)] = ""
    id: Annotated[str, Meta(max_length=500)] = ""
    label: Annotated[str, Meta(max_length=150)] = ""
    language: Annotated[str, Meta(max_length=2)] = ""
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT_S)] = 0.0


class Relabel(Asked):
    """The label to give; a lower one takes an officer and a reason, which stands in the ledger."""

    to: LabelText
    reason: Text = ""


async def show_all(door: Door, request: Request) -> None:
    """GET /v1/documents: those that the caller may know of, waiting and failed ones among them."""
    caller = caller_of(door, request)
    query: ListQuery = read_query(ListQuery, request.query)
    found = await asyncio.to_thread(cards, door.house.library, caller, query.collection or None)
    wanted = [
        one
        for one in found
        if query.folder in ("", one.folder) and query.status in ("", one.status) and one.id > query.after
    ]
    page = wanted[: query.limit]
    await request.respond_json(
        200, {"object": "list", "data": [_told(one) for one in page], "has_more": len(wanted) > len(page)}
    )


async def show(door: Door, request: Request) -> None:
    """GET /v1/documents/{id}: one document; GET /v1/documents/{id}/passages/{n}: the place a citation names."""
    caller = caller_of(door, request)
    identity, _, number = _id(request).rpartition("/passages/")
    if identity:
        if not number.isdigit() or len(number) > 9:
            raise NotFound("no such place; write /v1/documents/{id}/passages/{n}, n from 1")
        return await request.respond_json(
            200, await asyncio.to_thread(door.passage, caller, identity, int(number))
        )
    query: OneQuery = read_query(OneQuery, request.query)
    found = await asyncio.to_thread(card, door.house.library, caller, query.collection, _id(request))
    await request.respond_json(200, _told(found))


async def receive(door: Door, request: Request) -> None:
    """POST /v1/documents: a file as the body, named in the query, or a form with one file or more.

    202 as soon as it is kept; with `wait`, once it is read or the time is up.
    """
    caller = caller_of(door, request)
    may_keep(caller)
    query: UploadQuery = read_query(UploadQuery, request.query)
    kind = request.header(b"content-type")
    with _drafts(door) as drafts:
        if kind.partition(";")[0].strip().lower() == FORM:
            query, files = await _form(door, request, kind, query, drafts)
        else:
            drafts.append(draft := door.house.library.inbox.draft())
            with draft.open("wb") as file:
                async for piece in request.pieces(door.limits.upload_bytes, door.limits.upload_s):
                    file.write(piece)
            files = [(query.name, draft)]
        if not files:
            raise BadRequest("the form holds no file; send one under any name", param="file")
        if query.id and len(files) > 1:
            raise BadRequest("id: one id names one file; send them one by one", param="id")
        sent = [await asyncio.to_thread(_keep, door, caller, query, name, draft) for name, draft in files]
    door.uploaded()
    await _wait(door, caller, sent, query.wait)
    told = [await asyncio.to_thread(_received, door, caller, one) for one in sent]
    ended = all(one["status"] in ENDED for one in told)
    answer = told[0] if len(told) == 1 else {"object": "list", "data": told}
    await request.respond_json(200 if ended else 202, answer)


async def change(door: Door, request: Request) -> None:
    """POST /v1/documents/{id}/label: another label; POST /v1/documents/{id}/retry: read a failed one again."""
    caller = caller_of(door, request)
    may_keep(caller)
    query: OneQuery = read_query(OneQuery, request.query)
    identity, _, verb = _id(request).rpartition("/")
    if not identity or verb not in ("label", "retry"):
        raise NotFound("no such endpoint; write /v1/documents/{id}/label or /v1/documents/{id}/retry")
    body = await request.body(min(door.limits.body_bytes, 65536), door.limits.body_s)
    if verb == "label":
        wish: Relabel = read_body(Relabel, body)
        told = await asyncio.to_thread(_relabel, door, caller, (query.collection, identity), wish)
    else:
        told = await asyncio.to_thread(_retry, door, caller, query.collection, identity)
        door.uploaded()
    await request.respond_json(200, told)


async def remove(door: Door, request: Request) -> None:
    """DELETE /v1/documents/{id}: out of every answer at once, with a tombstone in the ledger."""
    caller = caller_of(door, request)
    may_keep(caller)
    query: OneQuery = read_query(OneQuery, request.query)
    await request.respond_json(200, await asyncio.to_thread(_remove, door, caller, query.collection, _id(request)))


@contextmanager
def _drafts(door: Door) -> Iterator[list[Path]]:
    """Files being written; those that were not taken into the queue are gone in the end.

    Raises: Unavailable, when the disk is full.
    """
    drafts: list[Path] = []
    try:
        with full_disk_told(door.house.library.folder):
            yield drafts
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


async def _form(
    door: Door, request: Request, kind: str, query: UploadQuery, drafts: list[Path]
) -> tuple[UploadQuery, list[tuple[str, Path]]]:
    """The form's files, and the query with the fields of the form over it."""
    # Loaded with the first form: a gateway that gets none does not pay for it.
    from python_multipart.multipart import parse_options_header

    from selat.gateway.form import Form

    boundary = parse_options_header(kind)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise BadRequest(
            "content-type: a form states its boundary, of at most 70 characters", param="content-type"
        )

    def draft() -> Path:
        drafts.append(made := door.house.library.inbox.draft())
        return made

    form: Form = Form(boundary, draft)
    try:
        async for piece in request.pieces(door.limits.upload_bytes, door.limits.upload_s):
            form.feed(piece)
        form.finish()
    finally:
        form.close()
    said: dict[str, Any] = {**msgspec.to_builtins(query), **form.fields}
    try:
        return msgspec.convert(said, UploadQuery, strict=False), form.files
    except msgspec.ValidationError as error:
        raise BadRequest(f"form: {error}") from None


def _keep(door: Door, caller: Caller, query: UploadQuery, name: str, draft: Path) -> Sent:
    sending = Sending(name, query.collection, query.folder, query.id, query.label, query.language)
    return door.house.changes(caller.key).receive_document(caller, sending, draft)


async def _wait(door: Door, caller: Caller, sent: list[Sent], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    inbox = door.house.library.inbox
    for one in sent:
        while time.monotonic() < deadline:
            now = await asyncio.to_thread(inbox.find, *one.parcel.place)
            if now is None or now.step in ENDED:
                break
            await asyncio.sleep(0.1)


def _received(door: Door, caller: Caller, sent: Sent) -> dict[str, Any]:
    """The document as it is now; only what was sent, where the sender may not see what it became."""
    parcel = sent.parcel
    try:
        now = card(door.house.library, caller, parcel.collection, parcel.document)
    except NotFound:
        now = Card.of(parcel, None)
    return {**_told(now), "receipt": sent.receipt}


def _relabel(door: Door, caller: Caller, at: tuple[str, str], wish: Relabel) -> dict[str, object]:
    house = door.house
    visible(house.library, caller, *at)

    def record(kind: str, facts: dict[str, object], tenant: str) -> str:
        return house.record(kind, facts, tenant, caller.key)

    done = relabel(house.library, Place(caller.tenant, *at), parse_label(wish.to), (caller, wish.reason), record)
    return {
        "object": "document.label",
        "id": at[1],
        "from": str(done.old),
        "to": str(done.new),
        "receipt": done.receipt,
    }


def _retry(door: Door, caller: Caller, collection: str, document: str) -> dict[str, object]:
    card(door.house.library, caller, collection, document)
    receipt = door.house.changes(caller.key).retry_document(caller.tenant, collection, document)
    return {**_told(card(door.house.library, caller, collection, document)), "receipt": receipt}


def _remove(door: Door, caller: Caller, collection: str, document: str) -> dict[str, object]:
    card(door.house.library, caller, collection, document)
    receipt = door.house.changes(caller.key).remove_document(caller.tenant, collection, document)
    return {
        "object": "document.deleted",
        "id": document,
        "collection": collection,
        "deleted": True,
        "receipt": receipt,
    }


def _told(one: Card) -> dict[str, Any]:
    told = {"object": "document", **msgspec.to_builtins(one)}
    told["url"] = f"/v1/documents/{quote(one.id, safe='')}?collection={quote(one.collection, safe='')}"
    return told


def _id(request: Request) -> str:
    return request.path.split("/", 3)[3]
