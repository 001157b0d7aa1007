"""Settings become objects here, and nowhere else: each room is built when first asked for, by a plain call."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from selat.core.caller import EVERY_GROUP, ROLES, Caller, Site
from selat.core.entry import Change, Closing, Opening
from selat.core.errors import HomeBroken
from selat.core.label import HIGHEST
from selat.engines import Drilling, Engine, ExtractiveEngine, Router, Shelf, load_engines, makers, watch
from selat.entropy import fresh_bytes
from selat.flows.chat import Desk
from selat.flows.meter import metering, read_prices
from selat.guard import Guard, read_kinds
from selat.home import Home, find_home, open_home, secret
from selat.identity import Identify, Keys, KeyWish, NewKey
from selat.ledger import Book, Journal, Place, read_bucket
from selat.plugins import load_detectors
from selat.policy import (
    Decider,
    PolicySet,
    Quota,
    Recall,
    Reload,
    RulePacks,
    digest,
    load_packs,
    load_proved,
)
from selat.settings import Settings, read_settings
from selat.stamps import fresh_id, fresh_stamp, now
from selat.wire import Ask

# What plain chat never asks for is imported where it is asked for: a worker stays in memory.
if TYPE_CHECKING:
    from selat.core.drill import Maker
    from selat.core.passage import Citation, Passage
    from selat.engines import EngineFile, Leases, Need, State
    from selat.flows.changes import Changes
    from selat.flows.checks import Checking
    from selat.flows.drill import Drills
    from selat.flows.duties import Duties
    from selat.flows.helpers import Helpers
    from selat.flows.mirror import Mirror
    from selat.flows.promote import Gate
    from selat.flows.pulls import Pulling
    from selat.flows.shelve import Shelving
    from selat.identity.oidc import Tokens
    from selat.identity.people import People
    from selat.identity.sessions import Sessions
    from selat.knowledge import Inbox, Library
    from selat.knowledge import Place as KnowledgePlace
    from selat.models import ModelStore

DEFAULT_TENANT = "default"
LOCAL_KEY = "local"
"""The key id that entries carry for whoever works at the machine itself, through the CLI."""


def host_command(home: Path, *options: str) -> tuple[str, ...]:
    """How the host of a home's models is started."""
    return (sys.executable, "-m", "selat", "engine", "host", "--home", str(home), *options)


class Platform:
    """One Selat on one home, as one process sees it. `worker` names this process's journal."""

    def __init__(self, home: Home, worker: str) -> None:
        self.home = home
        self.worker = worker
        self.supervised = False
        self.settings: Settings = read_settings(home.path)

    @cached_property
    def keys(self) -> Keys:
        return Keys.open(self.settings.database or self.home.database)

    @cached_property
    def tokens(self) -> Tokens | None:
        """The OpenID providers in `oidc.toml`; None where there is no such file: nothing of it is then loaded."""
        path = self.home.path / "oidc.toml"
        if not path.exists():
            return None
        from selat.identity.oidc import Tokens
        from selat.identity.providers import read_providers

        tokens = Tokens(read_providers(path), self.keys.tenant, secret(self.home.keys / "pseudonym.key"))
        tokens.start()
        return tokens

    @cached_property
    def identify(self) -> Callable[[str], Caller]:
        """Who holds an API key or token. It raises Unauthenticated, which says nothing else, or Unavailable."""
        return Identify(self.keys, self.tokens) if self.tokens else self.keys.identify

    @cached_property
    def console_key(self) -> bytes:
        """What the console's form tokens and sealed second factors hang on."""
        return secret(self.home.keys / "console.key")

    @cached_property
    def people(self) -> People:
        """Who may sign in to the console. Brings argon2: loaded where somebody asks for it."""
        from selat.identity.people import People

        return People(self.keys.engine, hashlib.sha256(b"totp" + self.console_key).digest())

    @cached_property
    def sessions(self) -> Sessions:
        from selat.identity.sessions import Sessions

        return Sessions(self.people, self.settings.console_idle_min * 60, self.settings.console_session_h * 3600)

    @cached_property
    def guard(self) -> Guard:
        return Guard.load(*self.home.guards, detectors=load_detectors(self.settings.guard_detectors))

    @cached_property
    def policy_reload(self) -> Reload:
        """Takes up a changed policy folder for the decider; its `check` may prove, so call it in a thread."""
        return Reload(self.home.policy, self.prove_policies)

    @property
    def decider(self) -> Decider:
        return self.policy_reload.decider

    def prove_policies(self, folder: Path) -> PolicySet:
        allowed = self.settings.policy_unproved == "allow"
        return load_proved(folder, self.home.cache / "proofs.json", allow_unproved=allowed)

    @cached_property
    def rule_packs(self) -> RulePacks:
        return load_packs()

    @cached_property
    def packs(self) -> Mapping[str, Mapping[str, str]]:
        """The hashes of the rule packs that each profile switches on."""
        return {profile: self.rule_packs.hashes(profile) for profile in self.rule_packs.profiles}

    @cached_property
    def duties(self) -> Duties:
        """What the law asks of each tenant, by its profile."""
        from selat.flows.duties import Duties
        from selat.policy import Incidents, Instruments

        packs = self.rule_packs

        def profile_of(tenant: str) -> str:
            return self.keys.tenant(tenant).profile

        incidents = Incidents(self.keys.engine, lambda tenant: packs.rules(profile_of(tenant)))
        return Duties(packs, incidents, Instruments(self.keys.engine), profile_of, self.record)

    @cached_property
    def recall(self) -> Recall:
        """The labels of answers that were given out."""
        return Recall(self.keys.database, secret(self.home.keys / "recall.key"))

    @cached_property
    def quota(self) -> Quota:
        return Quota(self.keys.database)

    @cached_property
    def place(self) -> Place:
        """Where the ledger lies. Raises: Misused, for a setting or credentials that do not fit."""
        said = self.settings
        url, endpoint, region = said.ledger_tiles, said.ledger_tiles_endpoint, said.ledger_tiles_region
        bucket = read_bucket(url, endpoint, region, self.home.keys, os.environ)
        return Place(self.home.ledger, said.ledger_database, bucket)

    @cached_property
    def journal(self) -> Journal:
        journal = self.place.journal(self.worker)
        journal.start()
        return journal

    @cached_property
    def book(self) -> Book:
        return Book(self.place)

    @cached_property
    def knowledge_place(self) -> KnowledgePlace:
        """Where documents lie: in files of the home, or in PostgreSQL."""
        from selat.knowledge import FilePlace, postgres_place

        shared = postgres_place(self.settings.knowledge_database, self.home.knowledge)
        return shared or FilePlace(self.home.knowledge)

    @cached_property
    def inbox(self) -> Inbox:
        """The documents that were sent in; of all that documents need, what a worker asks for each second."""
        from selat.knowledge import Inbox, Store

        return Inbox(Store(self.knowledge_place))

    @cached_property
    def library(self) -> Library:
        from selat.flows.helpers import searching
        from selat.knowledge import Library

        return Library(self.home.knowledge, searching(self.settings, self), self.knowledge_place)

    @cached_property
    def helpers(self) -> Helpers:
        """The models that help a search before it is made."""
        from selat.flows.helpers import helping

        return helping(self.settings, self)

    @cached_property
    def leases(self) -> Leases:
        """Leave to call the models that Selat runs itself: of the home's host, else of one of our own."""
        from selat.engines import Hosting, Leases

        command = () if self.supervised else host_command(self.home.path, "--private")
        return Leases(Hosting(self.home.models_host, command))

    @property
    def models_budget(self) -> int:
        """The bytes that the models Selat runs itself may take together."""
        from selat.engines import whole_memory

        return self.settings.models_memory_mb * 1024 * 1024 or whole_memory() * 9 // 10

    def check_gguf(self, given: Mapping[str, object], adapters: Mapping[str, str]) -> Need:
        """What a model would need. Raises: Misused, where the file or this machine cannot run it."""
        from selat.engines import LlamaSpec, need_of

        spec = msgspec.convert({**given, "adapters": list(adapters.items())}, LlamaSpec)
        need = need_of(spec)
        need.check(spec.gguf, spec, self.models_budget)
        return need

    def host_models(self, private: bool = False) -> None:
        """Hold models for whoever wants them, until told to stop; `private`: for the process that started us."""
        from selat.engines import hold

        hold(self.models_budget, None if private else self.home.models_host)

    def loaded_models(self) -> State | None:
        """What the home's host of models has loaded; None where none runs."""
        return asyncio.run(self.leases.state())

    @cached_property
    def shelf(self) -> Shelf:
        settings = self.settings
        site = Site(settings.site_jurisdiction, settings.site_operator, hardware=settings.site_hardware)
        own, drilling = ExtractiveEngine(_quote, site), Drilling(self.home.drill, _maker_of)
        return load_engines(self.home.engines, makers(_quote, lambda: self.leases), (own,), drilling)

    @property
    def drills(self) -> Drills:
        from selat.engines import DrillFile
        from selat.flows.drill import Drills

        return Drills(DrillFile(self.home.drill), self.record, partial(datetime.now, UTC))

    @cached_property
    def models(self) -> ModelStore:
        """The models that this home holds."""
        from selat.flows.shelf import models_of

        return models_of(self.home, self.settings)

    @cached_property
    def mirror(self) -> Mirror:
        """What gives models to callers, and fetches allowed ones that are not here."""
        from selat.flows.mirror import Mirror, upstream_of

        said = self.settings
        there = said.model_upstream, said.model_upstream_allow, os.environ.get("HF_TOKEN", "")
        return Mirror(self.models, self.record, upstream_of(self.shelving("upstream"), *there))

    def shelving(self, by: str = LOCAL_KEY) -> Shelving:
        """How models come and go, booked in the name of a key."""
        from selat.flows.shelf import signatures_of
        from selat.flows.shelve import Shelving

        signatures = signatures_of(self.home, self.settings)
        return Shelving(self.models, partial(self.record, by=by), now, self.home.engines, signatures)

    @cached_property
    def pulling(self) -> Pulling:
        """Pulls that go on by themselves: loaded where somebody asks for them."""
        from selat.flows.pulls import pulling

        token = os.environ.get("HF_TOKEN", "")
        return pulling(self.home.path, self.shelving, (self.settings.model_hub, token), fresh_id)

    @cached_property
    def checking(self) -> Checking:
        """Models read again by themselves: loaded where somebody asks for it."""
        from selat.flows.checks import checking

        return checking(self.home.path, self.shelving, fresh_id)

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What the gateway shows its callers; None for plain HTTP. Raises: HomeBroken, naming the files."""
        certificate, key = self.settings.tls_certificate_file, self.settings.tls_key_file
        if not certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.home.path / certificate, self.home.path / key if key else None)
        except OSError as error:  # ssl.SSLError is one
            raise HomeBroken(
                f"tls_certificate_file '{certificate}' and its key do not load: {error.strerror}"
            ) from error
        return context

    @cached_property
    def gate(self) -> Gate:
        """Which models were promoted for which purposes."""
        # Brings numpy: only a gateway that serves a purpose that needs passports pays for it.
        from selat.flows.promote import Gate, Registry

        return Gate(Registry.of(self.home), now)

    def passported(self, ask: Ask, engine: Engine) -> bool:
        """Whether a promotion lets this model serve the ask's purpose at this engine, as they are now."""
        return self.gate.permits(ask.purpose, ask.model, engine)

    @cached_property
    def router(self) -> Router:
        return Router(self.shelf.weight, time.monotonic)

    async def watch_engines(self) -> None:
        """Probe the engines that rest after failures, until cancelled."""
        await watch(lambda: self.shelf.engines, self.router)

    def desk(self, count: Callable[[Opening | Closing], None] = lambda entry: None) -> Desk:
        return Desk(
            guard=self.guard,
            decider=self.decider,
            shelf=self.shelf,
            journal=self.journal,
            now=now,
            entropy=fresh_bytes,
            stamp=fresh_stamp,
            count=count,
            router=self.router,
            passported=self.passported,
            reserve=metering(self.quota, read_prices(self.home.path / "prices.toml")),
            durable_first=self.settings.ledger_durable_before == "forward",
            hedge_after_s=self.settings.hedge_after_s,
            packs={profile: digest(hashes) for profile, hashes in self.packs.items()},
            mask_answers=read_kinds(self.settings.guard_mask_answers),
        )

    def local_caller(self, tenant: str = DEFAULT_TENANT) -> Caller:
        """Whoever works at the machine itself: may see all that the tenant holds. Raises: NotFound."""
        found = self.keys.tenant(tenant)
        purposes = frozenset(purpose.id for purpose in found.purposes)
        return Caller(
            tenant,
            LOCAL_KEY,
            frozenset(ROLES),
            HIGHEST,
            purposes,
            found.prompt_label,
            profile=found.profile,
            keeps_content=found.content_days > 0,
            groups=frozenset({EVERY_GROUP}),
        )

    def record(
        self, kind: str, facts: dict[str, object], tenant: str = DEFAULT_TENANT, by: str = LOCAL_KEY
    ) -> str:
        """Book a change to the house, made with the key `by`, and wait until it is durable; its receipt id.

        Raises: LedgerUnavailable.
        """
        change = Change(kind, fresh_id(), now(), tenant, by, facts)
        self.journal.append(change.leaf()).wait()
        return change.id

    @property
    def engine_table(self) -> EngineFile:
        from selat.engines import EngineFile

        return EngineFile(self.home.engines)

    def changes(self, by: str = LOCAL_KEY) -> Changes:
        """The changes that can be made to this house, booked in the name of a key."""
        from selat.flows.changes import Changes

        return Changes(self, by)

    def duties_by(self, by: str) -> Duties:
        """The duties, what is done about them booked in the name of a key."""
        return replace(self.duties, record=partial(self.record, by=by))

    def book_packs(self) -> None:
        """Book which rule packs are in force, when they changed: entries name them by digest."""
        told = self.home.cache / "packs.booked"
        facts: dict[str, object] = {
            profile: {"digest": digest(hashes), "packs": dict(hashes)} for profile, hashes in self.packs.items()
        }
        now_ = digest({profile: digest(hashes) for profile, hashes in self.packs.items()})
        if not told.exists() or told.read_text("utf-8") != now_:
            self.record("packs.in_force", {"profiles": facts})
            told.write_text(now_, "utf-8")

    def create_key(self, wish: KeyWish, tenant: str = DEFAULT_TENANT) -> NewKey:
        """Make an API key and book it; without its entry there is no key."""
        return self.changes().create_key(tenant, wish)

    def revoke_key(self, key: str, tenant: str = DEFAULT_TENANT) -> None:
        """End an API key and book it. Raises: NotFound."""
        self.changes().revoke_key(tenant, key)

    def close(self) -> None:
        """Make durable and let go of whatever was built."""
        if "mirror" in self.__dict__ and (upstream := self.__dict__.pop("mirror").upstream):
            upstream.close()
        self.__dict__.pop("inbox", None)
        for name in ("journal", "keys", "library", "knowledge_place"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        if "leases" in self.__dict__:
            self.leases.stop()


@contextmanager
def open_platform(home: Path | None, worker: str = "cli") -> Iterator[Platform]:
    """The platform of an existing home, closed in the end. Raises: HomeBroken."""
    platform = Platform(open_home(find_home(home)), worker)
    try:
        yield platform
    finally:
        platform.close()


def _quote(question: str, passages: Sequence[Passage]) -> Sequence[Citation]:
    from selat.knowledge.quote import quote

    return quote(question, passages)


def _maker_of(model: str) -> Maker | None:
    from selat.flows.drill import maker_of

    return maker_of(model)
