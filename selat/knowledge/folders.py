"""Folders of a collection: the label that what is in them inherits, and the groups that it is kept to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from selat.core.caller import Caller
from selat.core.label import LOWEST, Label, parse_label
from selat.knowledge.store import Store


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder's own rule. `folder` is a path within the collection, "" for the collection itself.

    `label` is None where it says none; `readers` are groups by comma, empty where it says none. `by` is who sets
    it and why, for the book: it is not kept here.
    """

    tenant: str
    collection: str
    folder: str
    label: Label | None
    readers: str
    by: tuple[Caller, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds in a folder: the join of the labels from the collection down to it, and the nearest groups."""

    label: Label | None
    readers: str


class Folders:
    """The rules of folders, in the store's own database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rule(self, tenant: str, collection: str, folder: str) -> Rule:
        """What a document in this folder inherits."""
        return rule_of(self.all(tenant, collection), folder)

    def all(self, tenant: str, collection: str | None = None) -> list[Folder]:
        """The tenant's folders that say something, in order."""
        rows: list[Any] = (
            self._store.connection()
            .execute(
                "SELECT tenant, collection, folder, label, readers FROM folders WHERE tenant = ? "
                "AND (CAST(? AS TEXT) IS NULL OR collection = ?) ORDER BY collection, folder",
                (tenant, collection, collection),
            )
            .fetchall()
        )
        return [
            Folder(tenant, collection, folder, parse_label(label) if label else None, readers)
            for tenant, collection, folder, label, readers in rows
        ]

    def set(self, folder: Folder) -> None:
        """Replace a folder's rule; one that says nothing is taken out."""
        place = (folder.tenant, folder.collection, folder.folder)
        with self._store.connection() as connection:
            connection.execute("DELETE FROM folders WHERE tenant = ? AND collection = ? AND folder = ?", place)
            if folder.label or folder.readers:
                label = str(folder.label) if folder.label else ""
                connection.execute("INSERT INTO folders VALUES (?,?,?,?,?)", (*place, label, folder.readers))


def rule_of(folders: Iterable[Folder], folder: str) -> Rule:
    """What holds in a folder, by the rules of its collection's folders."""
    label: Label | None = None
    readers = ""
    said = {one.folder: one for one in folders}
    for above in _chain(folder):
        if one := said.get(above):
            label = (label or LOWEST).join(one.label) if one.label else label
            readers = one.readers or readers
    return Rule(label, readers)


def is_below(folder: str, above: str) -> bool:
    """Whether a folder is another one or in it."""
    return above in ("", folder) or folder.startswith(f"{above}/")


def _chain(folder: str) -> Iterator[str]:
    """The collection itself, then each folder down to this one."""
    yield ""
    parts = [part for part in folder.split("/") if part]
    for size in range(1, len(parts) + 1):
        yield "/".join(parts[:size])
