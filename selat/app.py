"""Settings become objects here, and nowhere else: each room is built when first asked for, by a plain call."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from selat.core.caller import Caller, Site
from selat.core.entry import Change, Closing, Opening
from selat.core.label import Label
from selat.engines import Shelf, load_engines
from selat.flows.chat import Desk, Streamed, Whole, chat
from selat.guard import Guard
from selat.home import Home, create_home, find_home, open_home
from selat.identity import Keys, Tenant
from selat.knowledge import Library
from selat.ledger import Book, Journal
from selat.policy import DEFAULT, Decider, PolicySet
from selat.settings import Settings, read_settings
from selat.wire import Ask

DEFAULT_TENANT = "default"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def now() -> str:
    """RFC 3339, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fresh_id() -> str:
    """A ULID: 48 bits of milliseconds, 80 of chance, 26 characters that sort by time."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))


class Platform:
    """One Selat on one home. `worker` names this process's journal; close it when done."""

    def __init__(self, home: Home, worker: str) -> None:
        self.home = home
        self.worker = worker
        self.settings: Settings = read_settings(home.path)

    @cached_property
    def keys(self) -> Keys:
        return Keys.open(self.home.database)

    @cached_property
    def guard(self) -> Guard:
        return Guard.load(self.home.cache)

    @cached_property
    def decider(self) -> Decider:
        return Decider(PolicySet.load(self.home.policy))

    @cached_property
    def journal(self) -> Journal:
        journal = Journal(self.home.ledger, self.worker)
        journal.start()
        return journal

    @cached_property
    def book(self) -> Book:
        return Book(self.home.ledger)

    @cached_property
    def library(self) -> Library:
        return Library(self.home.knowledge)

    @cached_property
    def shelf(self) -> Shelf:
        return load_engines(self.home.engines)

    def desk(self, count: Callable[[Opening | Closing], None] = lambda entry: None) -> Desk:
        return Desk(
            guard=self.guard,
            decider=self.decider,
            shelf=self.shelf,
            journal=self.journal,
            now=now,
            entropy=secrets.token_bytes,
            fresh_id=fresh_id,
            count=count,
            durable_first=self.settings.ledger_durable_before == "forward",
        )
