"""Where a sequencer finds journals, its state and the vault: files on one machine, or PostgreSQL for several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from selat import durable
from selat.ledger.frame import Cursor
from selat.ledger.intake import Cursors, Intake, Part
from selat.ledger.lock import hold
from selat.ledger.state import State, load_state, save_state
from selat.ledger.vault import Vault


class Journals(Protocol):
    """What a sequencer asks of the journals; see Intake."""

    def names(self) -> list[str]: ...
    def read(self, name: str, after: Cursor | None, upto: int | None = None) -> Part | None: ...
    def news(self, cursors: Cursors) -> list[Part]: ...
    def settle(self, parts: list[Part]) -> None: ...
    def clear(self, done: list[Part]) -> list[str]: ...
    def place(self, name: str, start: Cursor, count: int) -> Cursor: ...
    def mend(self, cursors: Cursors) -> list[str]: ...


def parts(journals: Journals, name: str, after: Cursor | None = None) -> Iterator[Part]:
    """All that a journal holds after a place, in parts no larger than a step takes; none when it is gone.

    Raises: LedgerBroken, when the disk cannot read it.
    """
    while (part := journals.read(name, after)) is not None:
        yield part
        if not part.more:
            return
        after = part.end


class Store(Protocol):
    """One conformance suite runs over both implementations (tests/rooms/ledger/test_ledger_stores.py).

    `commits` says that the store itself records when a plan is done; else the published checkpoint does.
    """

    commits: bool
    vault: Vault

    @property
    def intake(self) -> Journals: ...
    def hold(self) -> AbstractContextManager[None]: ...
    def look(self) -> AbstractContextManager[None]: ...
    def prepare(self) -> None: ...
    def load(self) -> State | None: ...
    def save(self, state: State) -> None: ...
    def fence(self) -> None: ...


class FileStore:
    """One machine: `journals/`, `state.json`, `vault.db`, and a lock on a file."""

    commits = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.intake: Journals = Intake(folder)
        self.vault = Vault(folder)
        self._files = Intake(folder)

    def hold(self) -> AbstractContextManager[None]:
        return hold(self._folder)

    def look(self) -> AbstractContextManager[None]:
        """To read beside the sequencer, which files allow at any time."""
        return nullcontext()

    def prepare(self) -> None:
        """Bring what is there into a known state. Raises: OSError, LedgerBroken."""
        self.vault.make()
        durable.make_folder(self._files.folder)
        durable.sync([self._files.folder])
        self._files.sweep()

    def load(self) -> State | None:
        return load_state(self._folder)

    def save(self, state: State) -> None:
        save_state(self._folder, state)

    def fence(self) -> None:
        """The lock on the file is the fence: it cannot be lost while the process lives."""
