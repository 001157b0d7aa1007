"""Puts a damaged ledger in order without changing a leaf that was signed, and says in the ledger what it did."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from selat.core.checkpoint import Checkpoint
from selat.core.entry import Change
from selat.core.errors import LedgerBroken
from selat.core.note import Note, parse_note
from selat.core.proof import verify_checkpoint
from selat.core.signer import Signer
from selat.core.tree import leaf_hash
from selat.ledger import frame
from selat.ledger.edge import Edge
from selat.ledger.index import Index
from selat.ledger.intake import TORN, Cursors
from selat.ledger.keys import own_trust
from selat.ledger.log import CHECKPOINT, Log
from selat.ledger.place import Place, place_of
from selat.ledger.segment import SUFFIX
from selat.ledger.sequencer import Sequencer
from selat.ledger.state import NAME as STATE
from selat.ledger.state import Mark, State
from selat.ledger.store import Store, parts
from selat.ledger.tiles import ENTRIES, WIDTH, Tiles, tile_name
from selat.stamps import now

SALVAGED = ".salvaged"
log = logging.getLogger("selat.ledger")


@dataclass(frozen=True, slots=True)
class Repairs:
    """What was `done`, and what is `left` because nothing on this disk can mend it."""

    done: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    place: Place
    signer: Signer
    store: Store
    log: Log
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def repair(place: Path | Place, signer: Signer) -> Repairs:
    """Rebuild what can be derived from the signed leaves and the journals; never sign a smaller or other tree.

    Stop `selat up` first. Raises: HomeBusy, while a sequencer is at work; LedgerBroken, when the checkpoint
    itself cannot be verified: restore the log from a backup that is not older than the last receipt given.
    """
    place = place_of(place)
    work = _Work(place, signer, place.store(), place.log)
    with work.store.hold():
        head = _signed(work)
        head = _tiles(work, head)
        mended = _mend(work)
        head = _state(work, head)
        _again(work, head, mended)
        _index(work, head)
    _salvage(work)
    if work.done:
        _say_so(work)
    sequencer = Sequencer(place, signer)
    try:
        while sequencer.step():
            continue
    finally:
        sequencer.close()
    work.log.close()
    return Repairs(tuple(work.done), tuple(work.left))


def _signed(work: _Work) -> Checkpoint:
    try:
        note = parse_note(work.log.read(CHECKPOINT).decode())
    except FileNotFoundError:
        if _began(work):
            return _from_state(work)
        return Checkpoint(work.signer.name, 0, Edge().root())
    except (OSError, UnicodeDecodeError, LedgerBroken) as error:
        log.error("checkpoint unreadable: %s", error)
        return _from_state(work)
    return verify_checkpoint(note, own_trust(work.place.folder))[0]


def _from_state(work: _Work) -> Checkpoint:
    """A lost checkpoint, signed anew over exactly the tree that the state says was signed."""
    state = work.store.load()
    if state is None:
        raise LedgerBroken("both the checkpoint and state.json are gone: restore log/checkpoint from a backup")
    head = Checkpoint(work.signer.name, state.base.size, state.base.root)
    _publish(work, head)
    work.done.append(f"signed the lost checkpoint anew at {head.size} leaves")
    return head


def _publish(work: _Work, head: Checkpoint) -> None:
    if Edge.load(Tiles(work.log, head.size)).root() != head.root:
        raise LedgerBroken(f"the tiles do not lead to the root at {head.size} leaves: nothing was signed")
    note = Note(head.text(), (work.signer.sign(head.text()),))
    work.log.publish(CHECKPOINT, str(note).encode())


def _tiles(work: _Work, head: Checkpoint) -> Checkpoint:
    """Recompute every hash tile from the entries; written only where the whole leads to the signed root."""
    tiles, edge, derived = Tiles(work.log, head.size), Edge(), dict[str, bytes]()
    for number in range(-(-head.size // WIDTH)):
        try:
            grown = edge.grow(tiles.leaves(number))
        except LedgerBroken as error:
            work.left.append(f"{error}: restore this file from a backup or a mirror")
            return head
        edge = grown.edge
        full = {name: data for name, data in grown.files.items() if "entries" not in name and ".p/" not in name}
        derived |= {name: data for name, data in full.items() if not _same(work.log, name, data)}
    partial = edge.partial_tiles()
    derived |= {name: data for name, data in partial.items() if not _same(work.log, name, data)}
    if edge.root() != head.root:
        work.left.append(
            "the entries do not lead to the signed root: an entry was changed; restore it from a backup"
        )
        return head
    for name, data in derived.items():
        work.log.publish(name, data)
        work.done.append(f"computed {name} anew from its entries")
    return head


def _began(work: _Work) -> bool:
    """Whether the log has a first entry."""
    return any(_there(work.log, tile_name(ENTRIES, 0, width)) for width in (WIDTH, *range(1, WIDTH)))


def _there(log_: Log, name: str) -> bool:
    try:
        return bool(log_.read(name))
    except OSError:
        return False


def _same(log_: Log, name: str, data: bytes) -> bool:
    try:
        return log_.read(name) == data
    except OSError:
        return False


def _mend(work: _Work) -> list[str]:
    """Close gaps that another hand made in the intake; the streams that hold what lay behind them."""
    try:
        state = work.store.load()
    except LedgerBroken:
        state = None
    before = set(work.store.intake.names())
    work.done += work.store.intake.mend({} if state is None else state.base.cursors)
    return [name for name in work.store.intake.names() if name not in before]


def _again(work: _Work, head: Checkpoint, mended: list[str]) -> None:
    """Of what lay behind a gap, pass over what is in the log already."""
    state = work.store.load() if mended else None
    if state is not None and (known := _cursors(work, head, mended)):
        base = replace(state.base, cursors=state.base.cursors | known)
        work.store.save(State(base, state.plan))


def _state(work: _Work, head: Checkpoint) -> Checkpoint:
    try:
        state = work.store.load()
    except LedgerBroken:
        state = None
    if state is None or head.size > max(state.base.size, state.plan.size if state.plan else 0):
        if head.size == 0 and state is None:
            return head
        cursors = _cursors(work, head)
        work.store.save(State(Mark(head.size, head.root, cursors), None))
        work.done.append(f"rebuilt {STATE} at {head.size} leaves by finding the journals' records in the log")
        return head
    if state.plan is not None and head.size == state.plan.size:
        return head
    if head.size < state.base.size:
        newer = Checkpoint(head.origin, state.base.size, state.base.root)
        _publish(work, newer)
        work.done.append(
            f"an older checkpoint ({head.size}) was put back; signed the later one ({newer.size}) anew"
        )
        head = newer
    if state.plan is not None:
        head = _plan(work, head, state.base, state.plan)
    return head


def _plan(work: _Work, head: Checkpoint, base: Mark, plan: Mark) -> Checkpoint:
    """Finish a step whose journals were altered from its tiles; if they are not all there, it was never signed."""
    intake = work.store.intake
    for name, end in plan.cursors.items():
        if base.cursors.get(name) != end:
            part = intake.read(name, base.cursors.get(name), end.offset)
            if part is None or part.end != end:
                break
    else:
        return head
    planned = Checkpoint(head.origin, plan.size, plan.root)
    try:
        _publish(work, planned)
    except LedgerBroken:
        work.store.save(State(Mark(base.size, base.root, _cursors(work, head)), None))
        work.store.vault.cut(base.size)
        work.done.append("a journal was altered during a step that was never signed; the rest is integrated anew")
        return head
    work.store.save(State(plan, None))
    work.done.append(f"a journal was altered during a step; finished it from its tiles at {plan.size} leaves")
    return planned


def _cursors(work: _Work, head: Checkpoint, names: Iterable[str] | None = None) -> Cursors:
    """How far each journal is in the log: the longest start of it whose every leaf is there."""
    intake, cursors = work.store.intake, Cursors()
    places: dict[str, tuple[frame.Cursor, list[bytes]]] = {}
    for name in intake.names() if names is None else names:
        for part in parts(intake, name):
            _, hashes = places.setdefault(name, (part.start, []))
            hashes += map(leaf_hash, part.records.leaves)
    wanted = {item for _, hashes in places.values() for item in hashes}
    tiles, present = Tiles(work.log, head.size), set[bytes]()
    for number in range(-(-head.size // WIDTH)):
        data = tiles.tile(0, number)
        present |= wanted.intersection(data[at : at + 32] for at in range(0, len(data), 32))
    for name, (start, hashes) in places.items():
        count = next((n for n, item in enumerate(hashes) if item not in present), len(hashes))
        if count:
            cursors[name] = intake.place(name, start, count)
    return cursors


def _index(work: _Work, head: Checkpoint) -> None:
    try:
        fits = Index(work.place.folder).make() == head.size
    except LedgerBroken:
        fits = False
    if not fits:
        Index(work.place.folder).drop()
        work.done.append("dropped the index; it is rebuilt from the log")


def _salvage(work: _Work) -> None:
    """Take whole records from behind the damage in segments kept aside, and journal them again."""
    for path in sorted((work.place.folder / "journals" / TORN).glob(f"*{SUFFIX}")):
        records = frame.salvage(path.read_bytes())
        if records:
            journal = work.place.journal("repair")
            journal.start(owes=False)  # what is refused here the next repair takes again, from the same file
            tickets = [*map(journal.append, records.leaves, records.tails)]
            for ticket in tickets:
                ticket.wait()
            journal.close()
            work.done.append(f"saved {len(records)} records from behind the damage in {path.name}")
        else:
            work.left.append(f"journals/{TORN}/{path.name}: no whole record behind the damage")
        path.rename(path.with_suffix(SALVAGED))


def _say_so(work: _Work) -> None:
    """An entry in the ledger itself: what was repaired, so that a repair never passes for nothing."""
    time = now()
    change = Change("ledger.repaired", f"repair-{time}", time, "", "operator", {"done": list(work.done)})
    journal = work.place.journal("repair")
    journal.start()
    journal.append(change.leaf()).wait()
    journal.close()
