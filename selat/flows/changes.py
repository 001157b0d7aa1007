"""changes: what changes the house (keys, tenants, limits, engines, documents) is done and booked in one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from selat.core.caller import Caller, Site
from selat.core.errors import LedgerUnavailable, Misused
from selat.flows.upload import Sending, Sent, receive, set_folder
from selat.identity import Keys, KeyWish, NewKey, Purpose, Tenant
from selat.identity.keys import KeyRecord
from selat.knowledge import Folder, Library
from selat.ledger import Journal
from selat.policy.quota import Limit, Quota

if TYPE_CHECKING:
    from selat.identity.people import People, Person, PersonWish, Rights


class AddedEngine(Protocol):
    """An engine as it was written into the file."""

    @property
    def name(self) -> str: ...
    @property
    def models(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def site(self) -> Site: ...


class EngineTable(Protocol):
    """The file of engines. It raises Misused for what cannot be an engine, NotFound for what is not there."""

    def add(self, fields: Mapping[str, object]) -> AddedEngine: ...
    def remove(self, name: str) -> None: ...


class House(Protocol):
    """What changes, and the book that says so."""

    @property
    def keys(self) -> Keys: ...
    @property
    def people(self) -> People: ...
    @property
    def quota(self) -> Quota: ...
    @property
    def library(self) -> Library: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def engine_table(self) -> EngineTable: ...
    def record(self, kind: str, facts: dict[str, object], tenant: str, by: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Changes:
    """Each method makes one change, books it in the name of `by` (a key's id) and returns what was made.

    Every one raises LedgerUnavailable, before it changes anything, while nothing can be booked.
    """

    house: House
    by: str

    def create_key(self, tenant: str, wish: KeyWish) -> NewKey:
        """Make an API key; without its entry there is no key. Raises: NotFound, Misused."""
        made = self._open().keys.create(tenant, wish)
        facts: dict[str, object] = {"key": made.record.id, "roles": sorted(made.record.roles)}
        if wish.rotated_from:
            facts["rotated_from"] = wish.rotated_from
        try:
            self._book("key.created", facts, tenant)
        except BaseException:
            self.house.keys.revoke(tenant, made.record.id)
            raise
        return made

    def revoke_key(self, tenant: str, key: str) -> KeyRecord:
        """End an API key. Raises: NotFound."""
        record = self._open().keys.revoke(tenant, key)
        self._book("key.revoked", {"key": key}, tenant)
        return record

    def add_person(self, tenant: str, wish: PersonWish) -> Person:
        """Make an account; without its entry there is none. Raises: NotFound, Misused."""
        made = self._open().people.add(tenant, wish)
        try:
            self._book("person.added", {"person": made.id, "roles": sorted(made.roles)}, tenant)
        except BaseException:
            self.house.people.forget(tenant, made.id)
            raise
        return made

    def change_person(self, tenant: str, person: str, rights: Rights) -> Person:
        """Give an account other rights. Raises: NotFound, Misused."""
        made = self._open().people.change(tenant, person, rights)
        facts: dict[str, object] = {
            "person": person,
            "roles": sorted(rights.roles),
            "clearance": rights.clearance.to_json(),
            "groups": sorted(rights.groups),
        }
        self._book("person.changed", facts, tenant)
        return made

    def disable_person(self, tenant: str, person: str) -> Person:
        """Close an account and its sessions. Raises: NotFound."""
        gone = self._open().people.disable(tenant, person)
        self._book("person.disabled", {"person": person}, tenant)
        return gone

    def enable_person(self, tenant: str, person: str) -> Person:
        """Open a closed account again. Raises: NotFound."""
        back = self._open().people.enable(tenant, person)
        self._book("person.enabled", {"person": person}, tenant)
        return back

    def link_person(self, tenant: str, person: str) -> str:
        """The secret of a one-time link by which the person sets a password. Raises: NotFound."""
        secret = self._open().people.link(tenant, person)
        self._book("person.linked", {"person": person}, tenant)
        return secret

    def create_tenant(self, wish: Tenant) -> Tenant:
        """Raises: Misused, for a name that is taken or is none."""
        if not self._open().keys.ensure_tenant(wish):
            raise Misused("there is a tenant of that name already")
        self._book("tenant.created", {"profile": wish.profile, "highest_label": str(wish.highest_label)}, wish.id)
        return wish

    def register_purpose(self, tenant: str, wish: Purpose) -> Tenant:
        """Add a purpose, or replace the one of that id; the tenant as it then is. Raises: NotFound, Misused."""
        self._open().keys.register_purpose(tenant, wish)
        self._book("purpose.registered", {"purpose": wish.id, "needs_passport": wish.needs_passport}, tenant)
        return self.house.keys.tenant(tenant)

    def set_profile(self, tenant: str, profile: str) -> Tenant:
        """Say what kind of body a tenant is, and so which rule packs bind it. Raises: NotFound, Misused."""
        self._open().keys.set_profile(tenant, profile)
        self._book("tenant.profile", {"profile": profile}, tenant)
        return self.house.keys.tenant(tenant)

    def keep_content(self, tenant: str, days: int) -> Tenant:
        """Have prompts and answers kept for so many days; 0 for none. Raises: NotFound, Misused."""
        self._open().keys.keep_content(tenant, days)
        self._book("tenant.content", {"days": days}, tenant)
        return self.house.keys.tenant(tenant)

    def set_limit(self, limit: Limit) -> Limit:
        """Raises: NotFound, Misused."""
        self._open().keys.tenant(limit.tenant)
        self.house.quota.set(limit)
        self._book("quota.set", {k: v for k, v in limit.to_json().items() if k != "tenant"}, limit.tenant)
        return limit

    def clear_limit(self, limit: Limit) -> bool:
        """Remove a limit, whatever its amount; False where there is none."""
        gone = self._open().quota.clear(limit)
        if gone:
            facts: dict[str, object] = {"scope": limit.scope, "period": limit.period, "unit": limit.unit}
            self._book("quota.cleared", facts, limit.tenant)
        return gone

    def add_engine(self, tenant: str, fields: Mapping[str, object]) -> AddedEngine:
        """Write an engine into engines.toml; without its entry it is not there. Raises: Misused."""
        table = self._open().engine_table
        spec = table.add(fields)
        try:
            models = [public for public, _ in spec.models]
            facts: dict[str, object] = {"engine": spec.name, "models": models, "site": spec.site.to_json()}
            self._book("engine.added", facts, tenant)
        except BaseException:
            table.remove(spec.name)
            raise
        return spec

    def remove_engine(self, tenant: str, name: str) -> None:
        """Take an engine out of engines.toml. Raises: NotFound."""
        self._open().engine_table.remove(name)
        self._book("engine.removed", {"engine": name}, tenant)

    def remove_document(self, tenant: str, collection: str, document: str) -> str:
        """Take a document out of every answer; the receipt of its removal. Raises: NotFound."""
        library = self._open().library
        waited = library.inbox.drop(tenant, collection, document)
        if library.store.record(tenant, collection, document) or not waited:
            library.remove(tenant, collection, document)
        return self._book("document.removed", {"collection": collection, "document": document}, tenant)

    def receive_document(self, caller: Caller, sending: Sending, draft: Path) -> Sent:
        """Take a written file into the queue of documents to read. Raises: as `flows/upload.py` says."""
        return receive(self._open().library, caller, sending, draft, self._book)

    def retry_document(self, tenant: str, collection: str, document: str) -> str:
        """Have a failed document read again; the receipt. Raises: NotFound, Misused."""
        self._open().library.inbox.retry(tenant, collection, document)
        return self._book("document.retried", {"collection": collection, "document": document}, tenant)

    def pause_ingestion(self, tenant: str) -> str:
        """Have no document read until `resume_ingestion`; one that is being read is finished."""
        self._open().library.inbox.pause(tenant)
        return self._book("ingestion.paused", {}, tenant)

    def resume_ingestion(self, tenant: str) -> str:
        """Have documents read again."""
        self._open().library.inbox.resume(tenant)
        return self._book("ingestion.resumed", {}, tenant)

    def set_folder(self, folder: Folder) -> int:
        """Set the label and groups that a folder's documents inherit; how many of those in it changed."""
        return set_folder(self._open().library, folder, self._book)

    def _open(self) -> House:
        if self.house.journal.down:
            raise LedgerUnavailable(f"nothing is changed, since it could not be booked: {self.house.journal.down}")
        return self.house

    def _book(self, kind: str, facts: dict[str, object], tenant: str) -> str:
        return self.house.record(kind, facts, tenant, self.by)
