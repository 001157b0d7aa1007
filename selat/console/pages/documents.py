"""Documents: send them in, see how far each is, read their passages, label them anew, take them out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from selat.console.adapter import SOURCE
from selat.console.explain import explained
from selat.console.page import At, Page
from selat.console.view import View
from selat.console.words import LANGUAGES, N_, _
from selat.core.errors import CallerError, NotFound, TooLarge
from selat.core.label import CloudClass, Official, PersonalKind, label_from
from selat.core.passage import Passage
from selat.flows.answer import reading
from selat.flows.documents import Card, card
from selat.flows.label import Place, relabel
from selat.flows.listing import Leaf, Turn, leaf
from selat.flows.upload import DEFAULT_COLLECTION, KEEPERS, Sending, may_keep, visible
from selat.gateway.admin.route import READERS
from selat.gateway.http import Request
from selat.knowledge import SUFFIXES, Library
from selat.knowledge.listing import Filter, Spot

ON_PAGE = 50
PASSAGES = 20
STEPS = ("waiting", "parsing", "indexing", "ready", "failed")


async def show(view: View) -> Response:
    """GET /documents?q=…&collection=…&folder=…&status=…&after=…: a page by where it begins."""
    asked = {name: view.query(name) for name in ("q", "collection", "folder", "status")}
    wanted = Filter(asked["collection"], asked["folder"], asked["status"], tuple(asked["q"].split()))
    turn = Turn(_spot(view, "after"), _spot(view, "before"), ON_PAGE)
    found: Leaf = await view.thread(leaf, library_of(view), view.caller, wanted, turn)
    kept = {name: value for name, value in asked.items() if value}
    limit_bytes = view.house.door.limits.upload_bytes
    return view.show(
        "documents.html",
        words={name: _(text) for name, text in WORDS.items()}
        | {"too-large": explained(view, TooLarge("", limit_bytes=limit_bytes))},
        data={
            "suffixes": list(SUFFIXES),
            "steps": {name: name in ("ready", "failed") for name in STEPS},
            "limit_bytes": limit_bytes,
        },
        total=found.total,
        wanted=found.wanted,
        shown=found.cards,
        asked=asked,
        filtered=bool(kept),
        collections=sorted({*found.collections, DEFAULT_COLLECTION}),
        folders=found.folders,
        steps=STEPS,
        before=_address(kept, "before", found.before),
        after=_address(kept, "after", found.after),
        keeper=view.may(*KEEPERS),
        reader=view.may(*READERS),
        suffixes=SUFFIXES,
        levels=[level.name.lower() for level in Official],
        known_languages=LANGUAGES,
    )


def library_of(view: View) -> Library:
    """The documents of the house."""
    return view.house.platform.library


def _spot(view: View, name: str) -> Spot | None:
    """A place in the list, as an address names it: `COLLECTION:DOCUMENT`."""
    collection, colon, document = view.query(name).partition(":")
    return Spot(document, collection) if colon else None


def _address(kept: dict[str, str], name: str, spot: Spot | None) -> str:
    """The page that begins or ends beside a document, with the same filters; "" for none."""
    return "/documents?" + urlencode({**kept, name: f"{spot.collection}:{spot.document}"}) if spot else ""


async def upload(view: View) -> Response:
    """POST /documents/upload?name=…: one file, its bytes as the body, taken as they come."""
    may_keep(view.caller)
    label = view.query("label")
    sending = Sending(
        view.query("name"),
        view.query("collection") or DEFAULT_COLLECTION,
        view.query("folder"),
        "",
        label,
        view.query("language"),
    )
    door = view.house.door
    request: Request = view.request.scope[SOURCE]
    with _draft(view) as draft:
        with draft.open("wb") as file:
            async for piece in request.pieces(door.limits.upload_bytes, door.limits.upload_s):
                file.write(piece)
        receive = door.house.changes(view.caller.key).receive_document
        sent = await view.thread(receive, view.caller, sending, draft)
    door.uploaded()
    parcel = sent.parcel
    try:
        now = await view.thread(card, door.house.library, view.caller, parcel.collection, parcel.document)
    except NotFound:
        now = Card.of(parcel, None)
    return view.tell({**_state(now), "receipt": sent.receipt})


@contextmanager
def _draft(view: View) -> Iterator[Path]:
    """A file being written; gone in the end unless it was taken into the queue."""
    draft = view.house.platform.library.inbox.draft()
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


async def state(view: View) -> Response:
    """GET /documents/state?collection=…&id=…: how far one is, for the script that waits for it."""
    return view.tell(_state(await _card(view)))


def _state(one: Card) -> dict[str, Any]:
    return {
        "id": one.id,
        "collection": one.collection,
        "status": one.status,
        "reason": one.reason,
        "title": one.title or one.id,
        "passages": one.passages,
        "label": one.label,
        "href": href(one),
    }


def href(one: Card, number: int = 0) -> str:
    """The page of a document, at a passage."""
    where: dict[str, object] = {"collection": one.collection, "id": one.id}
    return "/documents/view?" + urlencode(where | ({"n": number} if number else {}))


async def _card(view: View) -> Card:
    where = (view.query("collection") or view.field("collection"), view.query("id") or view.field("id"))
    found: Card = await view.thread(card, view.house.platform.library, view.caller, *where)
    return found


async def show_one(view: View) -> Response:
    """GET /documents/view?collection=…&id=…&n=…: a document, its passages from the page that holds `n`."""
    return await _document(view, await _card(view))


async def _document(view: View, one: Card, status: int = 200, **values: object) -> Response:
    number = max(1, int(view.query("n"))) if view.query("n").isdigit() else 1
    first = (number - 1) // PASSAGES * PASSAGES + 1
    passages = await view.thread(_passages, view, one, first)
    filled: dict[str, object] = {"wrong": "", "detail": "", **values}
    return view.show(
        "document.html",
        status,
        one=one,
        passages=passages,
        first=first,
        marked=number if view.query("n") else 0,
        before=href(one, first - PASSAGES) if first > 1 else "",
        after=href(one, first + PASSAGES) if first + PASSAGES <= one.passages else "",
        keeper=view.may(*KEEPERS),
        officer=view.may("officer"),
        axes=_axes(one),
        **filled,
    )


def _passages(view: View, one: Card, first: int) -> list[Passage]:
    """The passages that the person may see, from the `first` on, at most a page of them."""
    library = view.house.platform.library
    reader = replace(reading(view.caller), collection=one.collection)
    found = []
    for number in range(first, min(one.passages, first + PASSAGES - 1) + 1):
        try:
            found.append(library.passage(reader, one.id, number))
        except NotFound:
            continue
    return found


def _axes(one: Card) -> list[tuple[str, str, list[str], str]]:
    """The three axes of a label as a form shows them: name, heading, levels, the level it has."""
    now = one.label.split("/") if one.label else ["terbuka", "public", "none"]
    kinds = (("official", N_("Kelas rasmi"), Official), ("cloud", N_("Kelas awan"), CloudClass))
    axes = [*kinds, ("personal", N_("Data peribadi"), PersonalKind)]
    return [
        (name, title, [level.name.lower() for level in kind], now[place])
        for place, (name, title, kind) in enumerate(axes)
    ]


async def label(view: View) -> Response:
    """POST /documents/label: raised by a keeper, lowered by an officer who says why."""
    may_keep(view.caller)
    one = await _card(view)
    wanted = {axis: view.field(axis) for axis in ("official", "cloud", "personal")}
    origin = one.label.split("/")[3] if one.label else "-"
    wish = label_from({**wanted, "jurisdictions": [] if origin == "-" else origin.split("+")})
    try:
        await view.thread(_relabel, view, one, wish)
    except CallerError as error:
        said = _label_trouble(view, error)
        return await _document(view, one, error.status, wrong=said, detail=str(error))
    return view.go(href(one), "relabelled")


def _relabel(view: View, one: Card, wish: Any) -> None:
    platform, caller = view.house.platform, view.caller
    visible(platform.library, caller, one.collection, one.id)

    def record(kind: str, facts: dict[str, object], tenant: str) -> str:
        return platform.record(kind, facts, tenant, caller.key)

    place = Place(caller.tenant, one.collection, one.id)
    relabel(platform.library, place, wish, (caller, view.field("reason")), record)


def _label_trouble(view: View, error: CallerError) -> str:
    if error.status == 403:
        return _("Hanya pegawai boleh menurunkan label. Minta seorang pegawai, dengan sebabnya.")
    if str(error).startswith("reason"):
        return _("Menurunkan label memerlukan sebab, 10 hingga 500 aksara; ia akan tercatat dalam lejar.")
    return _("Label ini sudah begitu. Pilih tahap yang lain.")


async def retry(view: View) -> Response:
    """POST /documents/retry: have a failed one read again."""
    may_keep(view.caller)
    one, platform = await _card(view), view.house.platform
    again = platform.changes(view.caller.key).retry_document
    await view.thread(again, view.caller.tenant, one.collection, one.id)
    view.house.door.uploaded()
    return view.go(href(one), "retried")


async def remove(view: View) -> Response:
    """POST /documents/remove: out of every answer at once, with a tombstone in the ledger."""
    may_keep(view.caller)
    one, platform = await _card(view), view.house.platform
    gone = platform.changes(view.caller.key).remove_document
    await view.thread(gone, view.caller.tenant, one.collection, one.id)
    return view.go("/documents", "removed")


WORDS = {
    "sending": N_("Dihantar: %(n)s"),
    "sent": N_("Telah dihantar"),
    "waiting": N_("Menunggu"),
    "parsing": N_("Sedang dibaca"),
    "indexing": N_("Sedang diindeks"),
    "ready": N_("Sedia"),
    "failed": N_("Tidak menjadi. Cuba sekali lagi."),
    "failed-read": N_("Tidak dapat dibaca"),
    "wrong-kind": N_("Jenis fail ini tidak dapat dibaca. Yang boleh: %(kinds)s"),
    "empty": N_("Fail ini kosong. Simpan semula dari aplikasi asalnya, lalu hantar sekali lagi."),
    "details": N_("Butiran"),
    "open": N_("Buka"),
    "offline": N_("Tiada sambungan ke Selat. Semak rangkaian dan cuba lagi."),
    "all-done": N_("Semua fail telah selesai"),
}

PAGE = Page(
    "documents",
    N_("Dokumen"),
    (
        At("GET", "/documents", show),
        At("POST", "/documents/upload", upload),
        At("GET", "/documents/state", state),
        At("GET", "/documents/view", show_one),
        At("POST", "/documents/label", label),
        At("POST", "/documents/retry", retry),
        At("POST", "/documents/remove", remove),
    ),
    icon="documents",
    group=N_("Kerja"),
)
