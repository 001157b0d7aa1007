"""Checks a whole ledger against its signed checkpoint, and names everything that does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from selat.core.checkpoint import Checkpoint, parse_checkpoint
from selat.core.errors import LedgerBroken, LedgerUnavailable
from selat.core.note import parse_note
from selat.core.proof import verify_checkpoint
from selat.core.tree import HASH_BYTES, Hash, fold, leaf_hash
from selat.core.trust import parse_trust
from selat.ledger.book import Book
from selat.ledger.edge import Edge
from selat.ledger.facts import Facts, facts
from selat.ledger.index import Index
from selat.ledger.intake import TORN, Intake
from selat.ledger.log import CHECKPOINT, Log
from selat.ledger.place import Place, place_of
from selat.ledger.segment import SUFFIX
from selat.ledger.state import State
from selat.ledger.store import Store, parts
from selat.ledger.tiles import HEIGHT, WIDTH, Tiles, tile_name

CLOCK_SLACK_S = 120
MOST_NAMED = 100
_LOOKS = 100


@dataclass(frozen=True, slots=True)
class Remark:
    """`kind` from a fixed list (docs/threats-ledger.md), and a sentence naming the place."""

    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` mean that evidence is damaged; `notes` are what an operator should know.

    `orphans` are (leaf, receipt id) of requests that were opened and never closed: under way now, or cut off by a
    crash. Lists name at most 100 of a kind; `orphan_count` is the full number.
    """

    origin: str
    size: int
    signers: tuple[str, ...]
    problems: tuple[Remark, ...]
    notes: tuple[Remark, ...]
    orphans: tuple[tuple[int, str], ...]
    orphan_count: int

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class _Findings:
    problems: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    latest: str = ""

    def problem(self, kind: str, what: str) -> None:
        if len(self.problems) < MOST_NAMED:
            self.problems.append(Remark(kind, what))

    def note(self, kind: str, what: str) -> None:
        if len(self.notes) < MOST_NAMED:
            self.notes.append(Remark(kind, what))


def check(place: Path | Place, trust: str | None = None, *, journals: bool = True) -> Report:
    """Read every leaf and every tile, and compare. `trust` is a trust file's text; else the log's own.

    Without `journals` the log alone is checked: for a mirror.
    Memory stays flat but for requests that are open. Raises: LedgerBroken, only when there is no trust file.
    """
    found = _Findings()
    place = place_of(place)
    log = place.log
    trust = Book(place).trust() if trust is None else trust
    head, signers = _checkpoint(log, trust, found)
    if head is not None:
        _Walk(log, head, found).run()
    if journals:
        store = place.store()
        try:
            with store.look():
                _state(_Look(store, log, Index(place.folder)), found)
                _journals(store, found)
        except LedgerUnavailable as error:
            found.problem("journal", str(error))
        if not place.database:
            _kept_aside(place.folder, found)
    orphans = [(leaf, receipt) for receipt, leaf in found.opened.items()]
    return Report(
        head.origin if head else "",
        head.size if head else 0,
        signers,
        tuple(found.problems),
        tuple(found.notes),
        tuple(orphans[:MOST_NAMED]),
        len(orphans),
    )


def _checkpoint(log: Log, trust: str, found: _Findings) -> tuple[Checkpoint | None, tuple[str, ...]]:
    try:
        note = parse_note(log.read(CHECKPOINT).decode())
        believed = parse_trust(trust)
        head, signers = verify_checkpoint(note, replace(believed, quorum="none"))
    except (OSError, UnicodeDecodeError):
        found.problem("no-checkpoint", "log/checkpoint cannot be read: nothing is signed; start `selat up`")
        return None, ()
    except LedgerBroken as error:
        found.problem("bad-checkpoint", str(error))
        return None, ()
    if not believed.met(signers):
        found.note(
            "not-cosigned", f"the quorum '{believed.quorum}' is not met: receipts do not verify until it is"
        )
    return head, tuple(key.name for key in signers)


class _Walk:
    """From the leaves up: recompute each tile from what is below it, and the root from the rest."""

    def __init__(self, log: Log, head: Checkpoint, found: _Findings) -> None:
        self.tiles, self.head, self.found = Tiles(log, head.size), head, found

    def run(self) -> None:
        levels: list[list[Hash]] = []
        for number in range(-(-self.head.size // WIDTH)):
            hashes = self._bundle(number)
            if hashes is None:
                return
            self._push(levels, 0, number, hashes)
        for level, hashes in enumerate(levels):
            if hashes:
                self._compare(level, self.head.size >> HEIGHT * (level + 1), hashes)
        edge = Edge(self.head.size, tuple(map(tuple, levels)))
        if edge.root() != self.head.root:
            self.found.problem("bad-root", f"the {edge.size} leaves do not lead to the signed root")

    def _push(self, levels: list[list[Hash]], level: int, number: int, hashes: list[Hash]) -> None:
        """Add hashes to a level; a tile that is full is compared, and its root goes one level up."""
        if level == len(levels):
            levels.append([])
        levels[level] += hashes
        if len(levels[level]) == WIDTH:
            full, levels[level] = levels[level], []
            self._compare(level, number, full)
            self._push(levels, level + 1, number // WIDTH, [fold(full)])

    def _bundle(self, number: int) -> list[Hash] | None:
        """The leaf hashes of a bundle; those of the tile where it cannot be read; None where neither can."""
        try:
            leaves = self.tiles.leaves(number)
        except LedgerBroken as error:
            self.found.problem("gap", str(error))
            try:
                return _hashes(self.tiles.tile(0, number))
            except LedgerBroken as worse:
                self.found.problem("gap", f"{worse}; nothing behind leaf {number * WIDTH} could be checked")
                return None
        for index, leaf in enumerate(leaves, number * WIDTH):
            self._leaf(index, facts(leaf))
        return [leaf_hash(leaf) for leaf in leaves]

    def _leaf(self, index: int, fact: Facts) -> None:
        if fact.kind == "opened":
            self.found.opened[fact.id] = index
        elif fact.kind == "closed" and self.found.opened.pop(fact.id, None) is None:
            self.found.note("closed-only", f"leaf {index} closes {fact.id}, which was not opened before it")
        if fact.time >= self.found.latest:
            self.found.latest = fact.time
        elif fact.time and _seconds(self.found.latest) - _seconds(fact.time) > CLOCK_SLACK_S:
            self.found.note("clock", f"leaf {index} says {fact.time}, after one that said {self.found.latest}")
            self.found.latest = fact.time

    def _compare(self, level: int, number: int, hashes: list[Hash]) -> None:
        name = tile_name(level, number, len(hashes))
        try:
            stored = _hashes(self.tiles.tile(level, number))
        except LedgerBroken as error:
            self.found.problem("missing-tile", str(error))
            return
        for offset, (kept, computed) in enumerate(zip(stored, hashes, strict=True)):
            if kept != computed:
                first, span = (number * WIDTH + offset) << HEIGHT * level, 1 << HEIGHT * level
                place = f"leaf {first}" if span == 1 else f"leaves {first} to {first + span - 1}"
                self.found.problem("bad-tile", f"{name} does not match the entries below it at {place}")


@dataclass(frozen=True, slots=True)
class _Look:
    store: Store
    log: Log
    index: Index


def _state(look: _Look, found: _Findings) -> None:
    """Compare the sequencer's memory and the index with the checkpoint as it is now: it may have moved on."""
    try:
        state, size = _settled(look)
    except LedgerBroken as error:
        found.problem("bad-state", str(error))
        return
    if state is None:
        if size:
            found.problem("no-state", "the state is gone; selat ledger repair rebuilds it from the log")
        return
    if state.plan is not None and size == state.plan.size:
        pass
    elif size != state.base.size:
        found.problem(
            "put-back",
            f"the checkpoint has {size} leaves, the sequencer had {state.base.size}: an older copy was put back",
        )
    elif state.plan is not None:
        found.note("unfinished", f"a step from {state.base.size} to {state.plan.size} leaves waits to be finished")
    try:
        # The index follows the checkpoint: read first, it cannot be ahead.
        known, size = look.index.size(), _size(look.log)
    except (LedgerBroken, LedgerUnavailable) as error:
        found.note("index", str(error))
        return
    if known > size:
        found.problem("put-back", f"the index knows {known} leaves, the checkpoint {size}: the log was put back")


def _settled(look: _Look) -> tuple[State | None, int]:
    """State and checkpoint size of one moment, on a ledger that may be growing."""
    state = look.store.load()
    for _ in range(_LOOKS):
        size, again = _size(look.log), look.store.load()
        if again == state:
            break
        state = again
    return state, size


def _size(log: Log) -> int:
    try:
        note = parse_note(log.read(CHECKPOINT).decode())
        return parse_checkpoint(note.unverified_text).size
    except (OSError, UnicodeDecodeError, LedgerBroken):
        return 0


def _journals(store: Store, found: _Findings) -> None:
    """Records not yet integrated, and tails that are no record."""
    intake = store.intake
    try:
        state = store.load()
    except LedgerBroken:
        state = None
    cursors = {} if state is None else (state.plan or state.base).cursors
    for name in intake.names():
        waiting = torn = 0
        try:
            for part in parts(intake, name, cursors.get(name)):
                waiting += len(part.records)
                torn = part.rest if part.final else 0
        except LedgerBroken as error:
            found.problem("journal", str(error))
            continue
        if waiting:
            found.note("waiting", f"journal {name}: {waiting} records not integrated yet")
        if torn:
            found.note("torn", f"journal {name}: {torn} bytes at its end are no whole record")


def _kept_aside(folder: Path, found: _Findings) -> None:
    for path in sorted((Intake(folder).folder / TORN).glob(f"*{SUFFIX}")):
        found.note("kept-aside", f"journals/{TORN}/{path.name}: its end was no whole record; selat ledger repair")


def _hashes(data: bytes) -> list[Hash]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0
