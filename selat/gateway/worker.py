"""One gateway worker: the platform's objects handed to the door, served, and closed again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from selat import spare
from selat.app import Platform
from selat.core.caller import Caller
from selat.core.entry import Closing, Opening
from selat.core.errors import HomeBroken, LedgerBroken, LedgerUnavailable
from selat.core.timing import Timing
from selat.flows.chat import Desk
from selat.flows.history import remembering, starting
from selat.flows.in_force import book_set
from selat.flows.leading import MODEL, Grounding, answering, leading
from selat.flows.receipt import receipt
from selat.gateway.app import Gateway, Pages
from selat.gateway.door import Door, Limits
from selat.gateway.gauges import Lag, gauges
from selat.gateway.intake import Reading
from selat.gateway.logs import Access
from selat.gateway.metrics import Metrics, load, load_others, render, save, total
from selat.gateway.server import serve

if TYPE_CHECKING:
    from selat.gateway.spans import Spans

_log = logging.getLogger("selat.gateway")

SAVE_EVERY_S = 1.0
POLICY_EVERY_S = 1.0
DRILL_EVERY_S = 1.0


async def work(platform: Platform, listening: socket.socket, pages: Callable[[Door], Pages] | None = None) -> None:
    """Serve until told to stop, or until the supervisor is gone; `pages` adds those for people."""
    metrics = Metrics(load(_saved(platform)))
    lag = Lag(platform)
    reading = Reading(platform)
    door = build_door(platform, metrics, lag, reading.wake)
    # What is built by now stays for good: kept out of every collection. A request leaves no circles, answered or
    # failed: fewer objects than this are those at work, and what the metrics have not added up yet.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    spare.let_go_of_files()
    spare.keep_trimmed()
    loop = asyncio.get_running_loop()
    chores = [
        loop.create_task(_save(platform, metrics, lag)),
        loop.create_task(_watch_policies(platform)),
        loop.create_task(_watch_drill(platform)),
        loop.create_task(platform.watch_engines()),
        loop.create_task(reading.watch()),
    ]
    try:
        await serve(Gateway(door, pages(door) if pages else None), listening, door.limits.head_s, platform.tls)
    finally:
        for chore in chores:
            chore.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await chore
        # Kept for a worker of this name that follows; `selat up` begins anew.
        save(metrics.lasting, _saved(platform))
        if door.spans is not None:
            door.spans.close()


def build_door(platform: Platform, metrics: Metrics, lag: Lag, uploaded: Callable[[], None]) -> Door:
    """Everything the handlers need. What a broken home may break is built now: the worker then never serves."""
    settings = platform.settings
    if settings.knowledge_database or settings.check_model:
        _ = platform.library, platform.helpers
    if settings.model_store or settings.model_signers or settings.model_require_signed or settings.model_upstream:
        _ = platform.mirror
    spans = spans_of(platform)
    timed = metrics.timed if spans is None else partial(_traced, metrics)
    desk = replace(platform.desk(metrics.count), timed=timed, gaps=metrics.gaps)
    return Door(
        identify=platform.identify,
        answer=remembering(answering(lambda: _grounding(platform, desk), desk), platform.recall),
        start=starting(leading(desk), platform.recall),
        scan=platform.guard.scan,
        scan_is_slow=bool(platform.guard.detectors),
        models=lambda: cards(platform),
        receipt=lambda receipt_id, tenant: receipt(platform.book, receipt_id, tenant),
        passage=lambda caller, document, number: _passage(platform, caller, document, number),
        ready=lambda: problems(platform),
        metrics=metrics,
        access=Access(settings.log_requests),
        spans=spans,
        render_metrics=lambda: _render(platform, metrics, lag),
        uploaded=uploaded,
        limits=Limits(
            settings.body_limit_bytes,
            settings.body_timeout_s,
            settings.head_timeout_s,
            settings.upload_limit_bytes,
            settings.upload_timeout_s,
        ),
        house=platform,
    )


def _grounding(platform: Platform, desk: Desk) -> Grounding:
    from selat.flows.documents import grounding

    return grounding(platform.library, platform.settings.answer_engine, desk, platform.helpers)


def _passage(platform: Platform, caller: Caller, document: str, number: int) -> dict[str, object]:
    from selat.flows.documents import place

    return place(platform.library, caller, document, number)


def spans_of(platform: Platform) -> Spans | None:
    """The maker of spans, where the settings name an endpoint for them. Raises: HomeBroken, without the extra."""
    settings = platform.settings
    if not settings.otel_endpoint:
        return None
    try:
        from selat.gateway.spans import Spans
    except ImportError as error:
        raise HomeBroken("setting otel_endpoint needs the extra 'otel': pip install 'selat[otel]'") from error
    return Spans(settings.otel_endpoint, settings.otel_share, platform.worker)


def _traced(metrics: Metrics, timing: Timing, opening: Opening, closing: Closing | None) -> None:
    metrics.timed(timing, opening, closing)
    if timing.trace is not None:
        timing.trace.ended(timing, opening, closing)


def cards(platform: Platform) -> list[dict[str, object]]:
    """The models that can be asked, as OpenAI lists them; `docs` answers from documents."""
    names = {MODEL: "selat"}
    for name in platform.shelf.models():
        names.setdefault(name, platform.shelf.lookup(name)[0].name)
    return [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in names.items()]


def problems(platform: Platform) -> list[str]:
    """What keeps work from being taken; empty when nothing does."""
    found = []
    if not platform.shelf.models():
        found.append("no engine is configured; add one: selat engine add")
    if platform.journal.down:
        found.append(platform.journal.down)
    try:
        platform.book.checkpoint()
    except LedgerBroken:
        found.append("the ledger has no checkpoint yet; the sequencer is starting or has failed")
    return found


def _render(platform: Platform, metrics: Metrics, lag: Lag) -> bytes:
    """All workers' samples. Ours are saved first: whichever worker is asked next, none has counted backwards."""
    own = _report(platform, metrics, lag)
    return render(total([own, *load_others(platform.home.metrics, _saved(platform))]))


def _report(platform: Platform, metrics: Metrics, lag: Lag) -> dict[str, float]:
    samples = total([metrics.samples, gauges(platform), {"selat_ledger_lag_seconds": lag.seconds}])
    save(samples, _saved(platform))
    return samples


def _saved(platform: Platform) -> Path:
    return platform.home.metrics / f"{platform.worker}.json"


async def _save(platform: Platform, metrics: Metrics, lag: Lag) -> None:
    while True:
        _report(platform, metrics, lag)
        await asyncio.to_thread(lag.look, metrics.last_id)
        await asyncio.sleep(SAVE_EVERY_S)


async def _watch_policies(platform: Platform) -> None:
    """Take up changed policies; a set that is broken or breaks an invariant leaves the earlier one in force."""
    reload = platform.policy_reload
    told = False
    while True:
        await asyncio.sleep(POLICY_EVERY_S)
        if await asyncio.to_thread(reload.check) or not told:
            told = await asyncio.to_thread(_book_policies, platform)


async def _watch_drill(platform: Platform) -> None:
    """Book the end of a drill whose time is over; the first worker to see it does."""
    told = ""
    while True:
        await asyncio.sleep(DRILL_EVERY_S)
        if platform.home.drill.exists():
            try:
                await asyncio.to_thread(platform.drills.settle)
            except (HomeBroken, LedgerUnavailable) as error:
                if str(error) != told:  # tried again every second, said once
                    told = str(error)
                    _log.warning("the end of a drill is not booked yet: %s", error)


def _book_policies(platform: Platform) -> bool:
    """Book which policies are in force, where they are others than booked last; whether that is done."""
    try:
        book_set(platform.home.cache / "policy.booked", platform.decider.policies.basis, platform.record)
    except LedgerUnavailable:
        return False
    return True
