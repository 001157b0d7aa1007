"""Lejar: who asked what and what was decided, live; one entry with its proof; the book and its witnesses."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from selat.app import DEFAULT_TENANT
from selat.console.page import At, Page
from selat.console.pages.ask_words import WORDS as EVIDENCE_WORDS
from selat.console.pages.policy_words import FINDINGS
from selat.console.view import View
from selat.console.words import MALAYSIA, N_, _
from selat.core.checkpoint import parse_checkpoint
from selat.core.errors import BadRequest, NotFound, SelatError
from selat.core.note import parse_note
from selat.core.trust import parse_trust
from selat.flows.receipt import receipt as find_receipt
from selat.gateway.admin.route import OVERSEERS
from selat.identity import Purpose
from selat.ledger import Asked, Question, changed
from selat.ledger.export import export
from selat.ledger.query import query
from selat.policy import digest

ON_PAGE = 50
MOST_ROWS = 10_000
FILTERS = ("since", "until", "caller", "model", "purpose", "label", "decision", "rule", "open")
LEVELS = ("terhad", "sulit", "rahsia", "personal", "sensitive", "biometric")


def _asked(view: View) -> dict[str, str]:
    return {name: value for name in FILTERS if (value := view.query(name).strip())}


def _question(view: View, **more: Any) -> Question:
    """What the filters ask for. Overseers see the tenant's requests, everyone else their own."""
    asked = _asked(view)
    mine = not view.may(*OVERSEERS)
    return Question(
        since=_moment(asked.get("since", ""), 0),
        until=_moment(asked.get("until", ""), 1),
        tenant=view.caller.tenant,
        caller=view.caller.key if mine else asked.get("caller", ""),
        model=asked.get("model", ""),
        purpose=asked.get("purpose", ""),
        label=asked.get("label", ""),
        decision=asked.get("decision", ""),
        rule=asked.get("rule", ""),
        open_only="open" in asked,
        newest=True,
        **more,
    )


def _moment(day: str, later: int) -> str:
    """The first instant of a Malaysian day, or of the one after it, in UTC. Raises: BadRequest."""
    if not day:
        return ""
    try:
        start = datetime.fromisoformat(day).replace(tzinfo=MALAYSIA) + timedelta(days=later)
    except (ValueError, OverflowError):
        raise BadRequest("a day is written as 2026-11-22", param="since") from None
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def show(view: View) -> Response:
    """GET /ledger?…&before=LEAF: the latest requests, a page at a time."""
    before = int(view.query("before")) if view.query("before").isdigit() else 0
    question = _question(view, limit=ON_PAGE + 1, before=before)
    rows: list[Asked] = await view.thread(_rows, view, question)
    asked = _asked(view)
    return view.show(
        "ledger.html",
        tab="requests",
        rows=rows[:ON_PAGE],
        asked={name: asked.get(name, "") for name in FILTERS},
        filters=len(asked),
        who=await view.thread(_names, view),
        purposes=await view.thread(_purposes, view),
        older="/ledger?" + urlencode({**asked, "before": rows[ON_PAGE - 1].leaf}) if len(rows) > ON_PAGE else "",
        first=before == 0,
        export="/ledger/export.csv?" + urlencode(asked),
        overseer=view.may(*OVERSEERS),
        levels=LEVELS,
        data={"live": before == 0, "query": urlencode(asked), "last": rows[0].leaf if rows else -1},
    )


async def live(view: View) -> Response:
    """GET /ledger/live?after=LEAF: the rows that came since, for the script that puts them on top."""
    after = int(view.query("after")) if view.query("after").isdigit() else 0
    rows: list[Asked] = await view.thread(_rows, view, _question(view, limit=ON_PAGE, after=after))
    who, purposes = await view.thread(_names, view), await view.thread(_purposes, view)
    page = view.show("ledger-rows.html", rows=rows, who=who, purposes=purposes)
    page.headers["selat-last"] = str(rows[0].leaf if rows else after)
    return page


def _rows(view: View, question: Question) -> list[Asked]:
    return list(query(view.house.platform.home.ledger, question))


def _purposes(view: View) -> tuple[Purpose, ...]:
    """The tenant's register of purposes, which says what each is called."""
    return view.house.platform.keys.tenant(view.caller.tenant).purposes


def _names(view: View) -> dict[str, str]:
    """What the tenant's keys and people are called; only overseers are told others' names."""
    caller, platform = view.caller, view.house.platform
    found = {"local": _("mesin ini"), caller.key: view.session.name if view.session else ""}
    if view.may(*OVERSEERS):
        found |= {one.id: one.name for one in platform.keys.list(caller.tenant) if one.name}
        found |= {one.id: one.name or one.login for one in platform.people.list(caller.tenant)}
    return found


async def export_csv(view: View) -> Response:
    """GET /ledger/export.csv?…: what the filters find, at most 10,000 rows, times in UTC as in the book."""
    rows: list[Asked] = await view.thread(_rows, view, _question(view, limit=MOST_ROWS))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in fields(Asked)])
    for row in rows:
        writer.writerow([_plain(value) for value in asdict(row).values()])
    named = {"content-disposition": 'attachment; filename="lejar.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv", headers=named)


def _plain(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


async def entry(view: View) -> Response:
    """GET /ledger/entry/{id}: all that the book holds under one id, verified by the browser."""
    identity = view.request.path_params["id"]
    found = await view.thread(find_receipt, view.house.platform.book, identity, view.caller.tenant)
    if found is None or not may_read(view, found):
        raise NotFound("no such receipt; one is ready about a second after its request ended")
    entries = sorted((one for one in found.values() if isinstance(one, dict)), key=lambda one: one["index"])
    purposes = await view.thread(_purposes, view)
    return view.show(
        "ledger-entry.html",
        purposes=purposes,
        findings=FINDINGS,
        identity=identity,
        state=found["status"],
        entries=[{**one, "text": json.dumps(one["leaf"], indent=2, ensure_ascii=False)} for one in entries],
        who=await view.thread(_names, view),
        opened=next((one["leaf"] for one in entries if one["leaf"]["kind"] in ("opened", "refused")), None),
        closed=next((one["leaf"] for one in entries if one["leaf"]["kind"] == "closed"), None),
        words={name: _(text) for name, text in EVIDENCE_WORDS.items()},
        data={"id": identity},
    )


def may_read(view: View, found: dict[str, object]) -> bool:
    """Overseers read the tenant's entries, everyone else those of their own."""
    leaves = [one["leaf"] for one in found.values() if isinstance(one, dict)]
    return view.may(*OVERSEERS) or any(leaf.get("caller") == view.caller.key for leaf in leaves)


async def bundle(view: View) -> Response:
    """GET /ledger/bundle/{id}: for an auditor: proofs, trust file, how to verify; without the salts."""
    identity, platform = view.request.path_params["id"], view.house.platform

    def make() -> bytes:
        found = find_receipt(platform.book, identity, view.caller.tenant)
        if found is None or not may_read(view, found):
            raise NotFound("no such receipt")
        packs = {digest(hashes): hashes for hashes in platform.packs.values()}
        return export(platform.book, identity, disclose=False, packs=packs)

    data = await view.thread(make)
    named = {"content-disposition": f'attachment; filename="{identity}.zip"'}
    return Response(data, media_type="application/zip", headers=named)


async def changes(view: View) -> Response:
    """GET /ledger/changes?before=LEAF: what was changed in the house, and by whom."""
    before = int(view.query("before")) if view.query("before").isdigit() else 0
    folder, tenant = view.house.platform.home.ledger, view.caller.tenant
    rows = await view.thread(changed, folder, tenant, before, ON_PAGE + 1)
    return view.show(
        "ledger-changes.html",
        tab="changes",
        rows=rows[:ON_PAGE],
        who=await view.thread(_names, view),
        older=f"/ledger/changes?before={rows[ON_PAGE - 1].leaf}" if len(rows) > ON_PAGE else "",
        overseer=True,
    )


async def book(view: View) -> Response:
    """GET /ledger/book: the signed head, who signed it, and whom to believe."""
    return await _book(view)


async def _book(view: View, report: object = None, trouble: str = "") -> Response:
    platform = view.house.platform
    text, trust_text = await view.thread(platform.book.checkpoint), await view.thread(platform.book.trust)
    note, trust = parse_note(text), parse_trust(trust_text)
    head = parse_checkpoint(note.unverified_text)
    keys = {(key.name, key.id): name for name, key in trust.witnesses.items()}
    signed = {(one.name, one.key_id): one for one in note.signatures}
    witnesses = [
        {"name": name, "url": trust.urls.get(name, ""), "seen": signed[key].timestamp if key in signed else 0}
        for key, name in keys.items()
    ]
    return view.show(
        "ledger-book.html",
        tab="book",
        head=head,
        root=head.root.hex(),
        text=text,
        trust=trust_text,
        quorum=trust.quorum,
        witnesses=witnesses,
        report=report,
        trouble=trouble,
        overseer=view.may(*OVERSEERS),
        may_check=view.may(*OVERSEERS) and view.caller.tenant == DEFAULT_TENANT,
    )


async def check(view: View) -> Response:
    """POST /ledger/check: read the whole book and name all that does not fit."""
    try:
        return await _book(view, await view.admin("GET", "/ledger/check"))
    except SelatError as error:
        return await _book(view, trouble=str(error))


async def trust_file(view: View) -> Response:
    """GET /ledger/trust.policy."""
    text = await view.thread(view.house.platform.book.trust)
    named = {"content-disposition": 'attachment; filename="trust.policy"'}
    return Response(text, media_type="text/plain", headers=named)


async def receipt(view: View) -> Response:
    """GET /ledger/receipt/{id}: the entries with their proofs, for the script that verifies them."""
    found = await view.thread(
        find_receipt, view.house.platform.book, view.request.path_params["id"], view.caller.tenant
    )
    if found is None or not may_read(view, found):
        raise NotFound("no such receipt; one is ready about a second after its request ended")
    return view.tell({"receipt": found, "trust": await view.thread(view.house.platform.book.trust)})


PAGE = Page(
    "ledger",
    N_("Lejar"),
    (
        At("GET", "/ledger", show),
        At("GET", "/ledger/live", live),
        At("GET", "/ledger/export.csv", export_csv),
        At("GET", "/ledger/entry/{id}", entry),
        At("GET", "/ledger/receipt/{id}", receipt),
        At("GET", "/ledger/bundle/{id}", bundle),
        At("GET", "/ledger/changes", changes, roles=OVERSEERS),
        At("GET", "/ledger/book", book),
        At("POST", "/ledger/check", check, roles=OVERSEERS),
        At("GET", "/ledger/trust.policy", trust_file),
    ),
    icon="ledger",
    group=N_("Bukti"),
)
