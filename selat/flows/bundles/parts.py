"""The parts of a bundle: what each gathers when it is packed, and how each plans its coming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from selat.bundles import Item, Opened, Piece, item_of, read_item
from selat.core.caller import Caller
from selat.core.canonical import canonical
from selat.core.errors import BundleBroken, SelatError
from selat.core.label import LOWEST, Label
from selat.flows.shelve import Shelving
from selat.home import Home
from selat.knowledge import Library
from selat.ledger import Book
from selat.models import ModelStore
from selat.policy import PolicySet

T = TypeVar("T")
Told = Callable[[int], object]


class Record(Protocol):
    """Book a change and wait until it is durable; its receipt id. Raises: LedgerUnavailable."""

    def __call__(self, kind: str, facts: dict[str, object], tenant: str = ..., by: str = ...) -> str: ...


class House(Protocol):
    """What leaves and arrives, and the book that says so."""

    @property
    def home(self) -> Home: ...
    @property
    def models(self) -> ModelStore: ...
    @property
    def library(self) -> Library: ...
    @property
    def book(self) -> Book: ...
    @property
    def record(self) -> Record: ...
    def shelving(self) -> Shelving: ...
    def prove_policies(self, folder: Path) -> PolicySet: ...


@dataclass(slots=True)
class Gathered:
    """What goes into a bundle: its pieces, counts for people and the book, and the strictest label of it all."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=dict)
    label: Label = LOWEST
    told: list[str] = field(default_factory=list)

    def data(self, path: str, kind: str, data: bytes) -> None:
        """A small file."""
        self.pieces[path] = Piece(item_of(path, kind, data), data)

    def table(self, path: str, kind: str, value: Mapping[str, object]) -> None:
        """An index, as canonical JSON."""
        self.data(path, kind, canonical(msgspec.to_builtins(value)))

    def file(self, item: Item, source: Path) -> None:
        """A file whose digest is known."""
        self.pieces[item.path] = Piece(item, source)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A bundle that comes, and to whom. `by` is the caller in whose name it is taken in."""

    opened: Opened
    house: House
    caller: Caller
    tenant: str
    stage: Path
    terms: Terms

    @property
    def origin(self) -> str:
        """Where it comes from, for records."""
        return f"bundle:{self.opened.cover.home}"

    def table(self, path: str, kind: type[T]) -> T | None:
        """An index of the bundle, verified; None where it has none. Raises: BundleBroken."""
        item = self.item(path)
        if item is None:
            return None
        try:
            return msgspec.json.decode(read_item(self.opened, item), type=kind)
        except (msgspec.DecodeError, SelatError) as error:
            if isinstance(error, BundleBroken):
                raise
            raise BundleBroken(f"'{path}' cannot be read: {error}; a newer Selat may have made it") from error

    def item(self, path: str) -> Item | None:
        return next((item for item in self.opened.manifest.files if item.path == path), None)


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever imports says: licences accepted, models admitted at once, policies put in force at once."""

    accept_licence: bool = False
    admit: bool = False
    activate: bool = False


def _nothing() -> None:
    """Nothing to look into, or to do."""


@dataclass(frozen=True, slots=True)
class Planned:
    """How a part will come in: counts of what is not here yet, and of what is. Nothing was touched so far.

    `wanted` are the files to stage: where to, by digest. `inspect` looks into what was staged and may refuse it;
    `apply` makes the change, and may be repeated after a crash.
    """

    came: Mapping[str, int]
    here: Mapping[str, int]
    wanted: Mapping[str, Path] = field(default_factory=dict)
    inspect: Callable[[], None] = _nothing
    apply: Callable[[], None] = _nothing
    told: tuple[str, ...] = ()
