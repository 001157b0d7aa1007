"""Pulling a model from a page: look at what is offered, agree to just that, and watch it come; checks likewise."""

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
from selat.console.words import N_, _, _n, speaking
from selat.core.errors import BadRequest, SelatError
from selat.core.label import parse_label
from selat.gateway.admin.route import OPERATOR, OVERSEERS
from selat.gateway.http import Request
from selat.models.catalogue import entry_of
from selat.models.checks import ADMIT, Check
from selat.models.pulls import Pull, Wish
from selat.models.tasks import DONE, FAILED, RUNNING, STOPPED, Progress, Task

STATES = {
    RUNNING: (N_("Sedang diambil"), "info"),
    STOPPED: (N_("Dihentikan"), "warn"),
    FAILED: (N_("Tidak menjadi"), "bad"),
    DONE: (N_("Sudah di rak"), "ok"),
}
CHECKED = {**STATES, RUNNING: (N_("Sedang dibaca semula"), "info"), DONE: (N_("Utuh"), "ok")}
ADMITTED = (N_("Dibenarkan masuk"), "ok")
DAMAGED = (N_("Rosak"), "bad")
INTERRUPTED = (N_("Terputus"), "warn")
LOOK_EVERY_S = 0.5
LATELY = timedelta(minutes=10)
LONGEST_S = 60.0
"""After so long the browser comes anew: its session is looked at again then."""
_COUNTRY = re.compile(r"[A-Z]{2}|")


@dataclass(frozen=True, slots=True)
class Row:
    """A task as a page shows it. `share` is None where its end is not known; `more` is for who must mend it.

    `stop` and `resume` are where a form goes that does it, "" where it cannot be done.
    """

    id: str
    title: str
    state: str
    kind: str
    said: str
    more: str
    share: float | None
    running: bool
    stop: str = ""
    resume: str = ""


def rows(view: View, name: str = "", revision: str = "") -> list[Row]:
    """The checks and pulls of the house, or the checks of one model, the newest first; done ones for a while.

    Call it in a thread.
    """
    platform = view.house.platform
    checks, pulls = platform.checking.runner.tasks, platform.pulling.runner.tasks
    found = [
        (one.id, _check(view, one, checks.progress(one.id)))
        for one in checks.all()
        if _lately(one) and _cleared(view, one) and (not name or (one.model, one.revision) == (name, revision))
    ]
    if not name:
        found += [(one.id, _pull(view, one, pulls.progress(one.id))) for one in pulls.all() if _lately(one)]
    return [row for _id, row in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _cleared(view: View, one: Check) -> bool:
    return not one.label or parse_label(one.label).within(view.caller.clearance)


def _lately(one: Task) -> bool:
    return one.state != DONE or datetime.now(UTC) - datetime.fromisoformat(one.ended) < LATELY


def _pull(view: View, one: Pull, far: Progress) -> Row:
    state, kind = INTERRUPTED if one.interrupted else STATES[one.state]
    said = _far(one, far) if one.running or one.state == STOPPED or one.interrupted else ""
    if one.state == DONE:
        said = speaking.get().size(one.size_bytes)
    if one.interrupted:
        said = _("Selat dimulakan semula. %(far)s", far=said if one.size_bytes else "").strip()
    if one.state == FAILED:
        said = names.error(one.code)
    may = view.may(*OPERATOR)
    return Row(
        *(one.id, f"{one.model}@{one.revision[:12]}" if one.model else one.wish.source, _(state), kind, said),
        *(one.reason, _share(one, far), one.running),
        stop="/models/pull/stop" if may and one.running else "",
        resume="/models/pull/resume" if may and not one.running and one.state != DONE else "",
    )


def _check(view: View, one: Check, far: Progress) -> Row:
    state, kind = INTERRUPTED if one.interrupted else CHECKED[one.state]
    said, more = _far(one, far) if one.running else "", one.reason
    if one.state == DONE and one.does == ADMIT:
        (state, kind), said = ADMITTED, _("Setiap bait dibaca semula, dan model dikeluarkan daripada kuarantin.")
    elif one.state == DONE and one.damaged:
        state, kind = DAMAGED
        said, more = _damage(one), ", ".join(f"{path}: {what}" for path, what in one.damaged.items())
    elif one.state == DONE:
        said = _("Setiap bait dibaca semula: semuanya seperti yang dicatat.")
    elif one.state == FAILED:
        said = names.error(one.code)
    elif not one.running:
        said = _("Belum habis dibaca. Mulakan semula apabila sesuai.")
    stop = "/models/check/stop" if view.may(*OVERSEERS) and one.running else ""
    title = f"{one.model}@{one.revision[:12]}"
    return Row(one.id, title, _(state), kind, said, more, _share(one, far), one.running, stop)


def _damage(one: Check) -> str:
    """How many files are not what they were, and what to do."""
    return _n(
        "%(n)s fail bukan lagi seperti yang dicatat. Keluarkan model ini dan ambil semula.",
        "%(n)s fail bukan lagi seperti yang dicatat. Keluarkan model ini dan ambil semula.",
        len(one.damaged),
    )


def _share(one: Task, far: Progress) -> float | None:
    return far.done_bytes / one.size_bytes if one.size_bytes else None


def _far(one: Task, far: Progress) -> str:
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
    await view.thread(view.house.platform.pulling.stop, view.field("task"), view.caller.key)
    return view.go("/models", "pull-stopped")


async def resume(view: View) -> Response:
    """POST /models/pull/resume."""
    await view.thread(view.house.platform.pulling.resume, view.field("task"), view.caller.key)
    return view.go("/models", "pull-begun")


async def events(view: View) -> Response:
    """GET /models/pulls/events[?name=…&revision=…]: the rows each time that one got further, until none runs."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_changes(view), headers=headers, media_type="text/event-stream")


async def _changes(view: View) -> AsyncIterator[bytes]:
    request: Request = view.request.scope[SOURCE]
    before: list[Row] = []
    until = time.monotonic() + LONGEST_S
    yield b"retry: 1000\n\n"
    # A gateway that is being stopped takes no more requests on a connection: it need not wait for us.
    while True:
        now: list[Row] = await view.thread(rows, view, view.query("name"), view.query("revision"))
        if now != before:
            yield b"data: " + msgspec.json.encode([asdict(row) for row in now]) + b"\n\n"
            before = now
        if not any(row.running for row in now):
            yield b"event: over\ndata: {}\n\n"
            return
        if time.monotonic() > until or not request.keep_alive:
            return
        await asyncio.sleep(LOOK_EVERY_S)
