"""What is done with a home before it serves, and beside that: furnish it, look for engines, examine a model."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.engines.detect import Detected, detect
from selat.home import Home
from selat.identity import KeyWish, Tenant
from selat.ledger import prepare
from selat.policy import DEFAULT, Quota
from selat.settings import read_settings

if TYPE_CHECKING:
    from selat.evals import Reply, Sample
    from selat.evals.run import Subject


@asynccontextmanager
async def examiner(home: Path, subject: Subject) -> AsyncIterator[Callable[[Sample], Awaitable[Reply]]]:
    """How samples are put to a subject from a process that has no platform yet: a pool's worker opens this."""
    from selat.flows.evaluate import patient, putting

    with open_platform(home, "eval") as platform:
        try:
            yield patient(putting(platform.desk(), platform.local_caller(), subject))
        finally:
            for engine in platform.shelf.engines:
                await engine.close()


def detect_engines(ports: Sequence[int] = ()) -> list[Detected]:
    """Servers on this machine that could be engines."""
    return asyncio.run(detect(ports))


def furnish(home: Home) -> str | None:
    """Put into a home what it lacks: ledger key, policy, engines, tenant, first API key.

    The secret of the first key, when it was made now; None on a home that has one. What is there stays as it is.
    """
    prepare(home.ledger, home.keys / "ledger.key", read_settings(home.path).ledger_origin)
    if not home.policy.exists():
        fresh = home.policy.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(DEFAULT, fresh)
        fresh.rename(home.policy)
    platform = Platform(home, "up")
    try:
        Quota(platform.keys.database)  # makes policy's tables here: no worker then loads what makes them
        platform.book_packs()
        if platform.keys.any(DEFAULT_TENANT):
            return None
        platform.keys.ensure_tenant(Tenant(DEFAULT_TENANT))
        highest = platform.keys.tenant(DEFAULT_TENANT).highest_label
        return platform.create_key(KeyWish("first", frozenset({"operator", "builder"}), highest)).secret
    finally:
        platform.close()
