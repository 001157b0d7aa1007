"""Pulling a model from a page: look at what is offered, agree to just that, and watch it come."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.responses import Response, StreamingResponse

from selat.console import names
from selat.console.adapter import SOURCE
from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.core.errors import BadRequest, SelatError
from selat.gateway.http import Request
from selat.models.catalogue import entry_of
from selat.models.pulls import DONE, FAILED, RUNNING, STOPPED, Progress, Pull, Wish

STATES = {
    RUNNING: (N_("Sedang diambil"), "info"),
    STOPPED: (N_("Dihentikan"), "warn"),
    FAILED: (N_("Tidak menjadi"), "bad"),
    DONE: (N_("Sudah di rak"), "ok"),
}
INTERRUPTED = (N_("Terputus"), "warn")
LOOK_EVERY_S = 0.5
LATELY = timedelta(minutes=10)
LONGEST_S = 60.0
"""After so long the browser comes anew: its session is looked at again then."""
_COUNTRY = re.compile(r"[A-Z]{2}|")


@dataclass(frozen=True, slots=True)
class Row:
    """A pull as a page shows it. `share` is None where its end is not known; `more` is for who must mend it."""

    id: str
    title: str
    state: str
    kind: str
    said: str
    more: str
    share: float | None
    running: bool
    resumes: bool


def rows(view: View) -> list[Row]:
    """The pulls of the house, the newest first; done ones only for a while. Call it in a thread."""
    pulls = view.house.platform.pulling.pulls
    return [_row(one, pulls.progress(one.id)) for one in pulls.all() if one.state != DONE or _lately(one)]


def _lately(one: Pull) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(one.ended) < LATELY


def _row(one: Pull, far: Progress) -> Row:
    running = one.state == RUNNING and not one.interrupted
    state, kind = INTERRUPTED if one.interrupted else STATES[one.state]
    said = _far(one, far) if running or one.state == STOPPED or one.interrupted else ""
    if one.state == DONE:
        said = speaking.get().size(one.size_bytes)
    if one.interrupted:
        said = _("Selat dimulakan semula. %(far)s", far=said if one.size_bytes else "").strip()
    if one.state == FAILED:
        said = names.error(one.code)
    share = far.done_bytes / one.size_bytes if one.size_bytes else None
    title = f"{one.model}@{one.revision[:12]}" if one.model else one.wish.source
    return Row(one.id, title, _(state), kind, said, one.reason, share, running, not running and one.state != DONE)


def _far(one: Pull, far: Progress) -> str:
    """How far it is, how fast, and how long still."""
    tongue = speaking.get()
    if not one.size_bytes:
        return _("Bertanya kepada sumbernya") if not far.done_bytes else tongue.size(far.done_bytes)
    said = _("%(done)s daripada %(all)s", done=tongue.size(far.done_bytes), all=tongue.size(one.size_bytes))
    if far.per_s > 0:
        said += " · " + _("%(size)s sesaat", size=tongue.size(round(far.per_s)))
    left = far.left_s(one.size_bytes)
    return said if left is None else said + " · " + _("%(time)s lagi", time=tongue.duration(left))


async def look(view: View) -> Response:
    """POST /models/look: what a source offers, its licence and the room it needs, before a byte is kept."""
    wish = _wish(view)
    try:
        sight = await view.thread(view.house.platform.pulling.look, wish)
    except SelatError as error:
        values = {"wish": wish, "say": names.error(error.code), "detail": str(error)}
        return view.show("model-offer.html", error.status, sight=None, **values)
    known = entry_of(sight.offer.name)
    return view.show(
        "model-offer.html",
        sight=sight,
        wish=wish,
        vendor=known.vendor if known else "",
        country=known.country if known else "",
    )


def _wish(view: View) -> Wish:
    """What the form asks for. Raises: BadRequest."""
    country = view.field("country").strip().upper()
    if not _COUNTRY.fullmatch(country):
        raise BadRequest("a country is written as MY, ISO 3166-1 alpha-2", param="country")
    fields = {name: view.field(name).strip()[:200] for name in ("name", "licence", "vendor")}
    return Wish(
        source=view.field("source").strip(),
        only=tuple(view.field("only").split()),
        country=country,
        accepted=view.field("accepted") == "yes",
        **fields,
    )


async def begin(view: View) -> Response:
    """POST /models/pull: just what was shown, by a process of its own."""
    await view.thread(view.house.platform.pulling.begin, _wish(view), view.field("shown"), view.caller.key)
    return view.go("/models", "pull-begun")


async def stop(view: View) -> Response:
    """POST /models/pull/stop: what came is kept to go on from."""
    await view.thread(view.house.platform.pulling.stop, view.field("pull"), view.caller.key)
    return view.go("/models", "pull-stopped")


async def resume(view: View) -> Response:
    """POST /models/pull/resume."""
    await view.thread(view.house.platform.pulling.resume, view.field("pull"), view.caller.key)
    return view.go("/models", "pull-begun")


async def events(view: View) -> Response:
    """GET /models/pulls/events: the pulls each time that one of them got further, until none runs."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_changes(view), headers=headers, media_type="text/event-stream")


async def _changes(view: View) -> AsyncIterator[bytes]:
    request: Request = view.request.scope[SOURCE]
    before: list[Row] = []
    until = time.monotonic() + LONGEST_S
    yield b"retry: 1000\n\n"
    # A gateway that is being stopped takes no more requests on a connection: it need not wait for us.
    while True:
        now: list[Row] = await view.thread(rows, view)
        if now != before:
            yield b"data: " + msgspec.json.encode([asdict(row) for row in now]) + b"\n\n"
            before = now
        if not any(row.running for row in now):
            yield b"event: over\ndata: {}\n\n"
            return
        if time.monotonic() > until or not request.keep_alive:
            return
        await asyncio.sleep(LOOK_EVERY_S)
