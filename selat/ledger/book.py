"""The book as any process may read it: leaves, the signed checkpoint over them, and proofs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selat.core.checkpoint import Checkpoint, parse_checkpoint
from selat.core.errors import LedgerBroken, NotFound
from selat.core.note import parse_note
from selat.core.proof import UnverifiedProof
from selat.core.tree import inclusion_proof, leaf_hash, root_from_inclusion
from selat.ledger.facts import facts
from selat.ledger.index import Index
from selat.ledger.keys import TRUST
from selat.ledger.log import CHECKPOINT
from selat.ledger.place import Place, place_of
from selat.ledger.tiles import WIDTH, Tiles


class Book:
    """Reads a ledger as it is now; safe beside the sequencer and in any number of processes."""

    def __init__(self, place: Path | Place) -> None:
        place = place_of(place)
        self._trust, self._log = place.folder / "log" / TRUST, place.log
        self._index, self._place = Index(place.folder), place
        self._view: _View | None = None

    @property
    def size(self) -> int:
        """Leaves under the latest checkpoint."""
        return self._look().head.size

    def checkpoint(self) -> str:
        """The latest signed checkpoint. Raises: LedgerBroken, when the sequencer has never run."""
        try:
            return self._log.read(CHECKPOINT).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerBroken("no checkpoint to be read; is the sequencer running? selat up") from error

    def trust(self) -> str:
        """The trust file of this log, for those who verify its receipts. Raises: LedgerBroken."""
        try:
            return self._trust.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerBroken(
                f"{self._trust} cannot be read; restore it from a backup, or where `selat up` never ran, start it"
            ) from error

    def find(self, receipt_id: str) -> list[int]:
        """The leaves of a receipt id, oldest first; empty when there is none yet."""
        size = self.size
        return [leaf for leaf in self._index.find(receipt_id) if leaf < size]

    def leaf(self, index: int) -> bytes:
        """The bytes of leaf `index`. Raises: NotFound, beyond the end; LedgerBroken."""
        return self._within(index).leaf(index)

    def proof(self, index: int) -> str:
        """The receipt of leaf `index` as a tlog-proof, the leaf in its extra line.

        Raises: NotFound, beyond the end; LedgerBroken, when what is stored does not lead to the signed root.
        """
        view = self._within(index)
        leaf, head = view.leaf(index), view.head
        path = inclusion_proof(index, head.size, view.tiles.read)
        if root_from_inclusion(leaf_hash(leaf), index, head.size, path) != head.root:
            raise LedgerBroken(f"leaf {index} does not lead to the signed root: see selat ledger check")
        return str(UnverifiedProof(leaf, index, tuple(path), parse_note(view.text)))

    def receipts(self, receipt_id: str) -> list[str]:
        """The proofs of every leaf of a receipt id. Raises: NotFound, when there is none (yet)."""
        found = self.find(receipt_id)
        if not found:
            raise NotFound("no such receipt: unknown, or not integrated yet (about a second)")
        return [self.proof(leaf) for leaf in found]

    def secrets(self, receipt_id: str) -> dict[int, dict[str, bytes]]:
        """The salts of a receipt id that are not forgotten: leaf index -> name -> salt."""
        leaves = self.find(receipt_id)
        return self._place.vault().of(facts(self.leaf(leaves[0])).tenant, leaves) if leaves else {}

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Leaves `start` to `end` (exclusive), which default to all. Raises: LedgerBroken."""
        view = self._look()
        last = view.head.size if end is None else min(end, view.head.size)
        while start < last:
            leaves = view.tiles.leaves(start // WIDTH)[start % WIDTH :][: last - start]
            yield from leaves
            start += len(leaves)

    def _within(self, index: int) -> _View:
        view = self._look()
        if not 0 <= index < view.head.size:
            raise NotFound(f"no leaf {index}: the ledger has {view.head.size}")
        return view

    def _look(self) -> _View:
        text = self.checkpoint()
        if self._view is None or text != self._view.text:
            head = parse_checkpoint(parse_note(text).unverified_text)
            self._view = _View(text, head, Tiles(self._log, head.size))
        return self._view


@dataclass(frozen=True, slots=True)
class _View:
    """The log at one checkpoint."""

    text: str
    head: Checkpoint
    tiles: Tiles

    def leaf(self, index: int) -> bytes:
        return self.tiles.leaf(index)
