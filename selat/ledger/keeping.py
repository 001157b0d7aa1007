"""How long secrets and kept content are held: what is older is erased, and an entry says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.entry import Change
from selat.core.errors import SelatError
from selat.ledger.place import Place, place_of
from selat.stamps import now, written

if TYPE_CHECKING:
    from selat.ledger.journal import Journal

EVERY_S = 3600.0
log = logging.getLogger("selat.ledger")


def expire(place: Path | Place, days: int, tenant: str = "", by: str = "ledger") -> int:
    """Forget secrets of entries older than `days`, of one tenant or all; an entry `secrets.expired` says so."""
    before = written(datetime.now(UTC) - timedelta(days=days))
    place = place_of(place)
    count = place.vault().expire(before, tenant)
    if count:
        change = Change("secrets.expired", "", "", tenant, by, {"secrets": count, "before": before})
        book(place.journal("subject"), change)
    return count


def expire_content(place: Path | Place, tenant: str, days: int) -> int:
    """Forget a tenant's prompts and answers older than `days` (0: all), not their salts; an entry says so."""
    place, before = place_of(place), written(datetime.now(UTC) - timedelta(days=days))
    count = place.vault().expire_content(before, tenant)
    if count:
        change = Change("content.expired", "", "", tenant, "ledger", {"texts": count, "before": before})
        book(place.journal("subject"), change)
    return count


class Keeping(threading.Thread):
    """Expires, now and every hour: secrets older than `days` (0 keeps them all), and content that tenants keep.

    `content_days` gives, by tenant, how long content is kept; 0 for none, also for what was kept before.
    """

    def __init__(
        self, place: Path | Place, days: int, content_days: Callable[[], Mapping[str, int]] = dict[str, int]
    ) -> None:
        super().__init__(name="keeping", daemon=True)
        self._place, self._days, self._content_days = place, days, content_days

    def run(self) -> None:
        while True:
            try:
                if self._days > 0:
                    count = expire(self._place, self._days)
                    log.info("ledger: %d secrets older than %d days erased", count, self._days)
                # Whose it is is asked only where there is any: what knows it would take a third of our memory.
                kept = self._content_days() if place_of(self._place).vault().holds_content() else {}
                for tenant, days in kept.items():
                    if texts := expire_content(self._place, tenant, days):
                        log.info("ledger: %d texts older than %d days erased", texts, days)
            except SelatError as error:
                log.warning("ledger: expiry waits: %s", error)
            time.sleep(EVERY_S)


def book(journal: Journal, change: Change) -> None:
    """Write a change to the ledger, at this moment, and wait until it is durable."""
    time_ = now()
    whole = Change(change.kind, f"{change.kind}-{time_}", time_, change.tenant, change.caller, change.facts)
    journal.start()
    try:
        journal.append(whole.leaf()).wait()
    finally:
        journal.close()
