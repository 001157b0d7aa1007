"""The sequencer: alone with the signing key, it integrates the journals into the log and signs checkpoints."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import chain, count
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.checkpoint import Checkpoint
from selat.core.errors import HomeBusy, LedgerBroken, LedgerUnavailable
from selat.core.note import Note, Signature, parse_note
from selat.core.proof import verify_checkpoint
from selat.core.signer import Signer
from selat.core.trust import Trust
from selat.ledger import points
from selat.ledger.edge import Edge, Growth
from selat.ledger.facts import Details, all_details
from selat.ledger.fold import catch_up
from selat.ledger.index import Index
from selat.ledger.intake import Part
from selat.ledger.keys import load_trust, own_trust
from selat.ledger.lines import Lines
from selat.ledger.log import CHECKPOINT
from selat.ledger.page import Group
from selat.ledger.place import Place, place_of
from selat.ledger.record import SALT_BYTES, SALTS, secrets_of
from selat.ledger.state import Mark, State
from selat.ledger.store import Store
from selat.ledger.tiles import HEIGHT, WIDTH, Tiles, tile_name

if TYPE_CHECKING:
    from selat.ledger.cosign import Cosigners

WITNESS_WAIT_S = 0.5
WITNESS_AGAIN_S = 5.0
LOOKS = 5
"""In a pause at whose beginning there was nothing to seal. One costs half a millisecond."""

log = logging.getLogger("selat.ledger")


class Sequencer:
    """Integrates each acknowledged record exactly once, however often it is killed.

    A step writes its plan first (which journal bytes make up which tree), then secrets, tiles and, last, the
    checkpoint; all but the plan can be repeated from the journals, and comes out the same.
    """

    def __init__(self, place: Path | Place, signer: Signer, origin: str = "", store: Store | None = None) -> None:
        place = place_of(place)
        self._folder, self._log = place.folder, place.log
        self._signer, self._origin = signer, origin or signer.name
        if self._origin != signer.name:
            raise LedgerBroken(f"the key is named {signer.name}, the log {self._origin}: they must be the same")
        self._store: Store = place.store() if store is None else store
        self._index, self._indexed = Index(place.folder), 0
        self._hold, self._held = contextlib.ExitStack(), False
        self._cosigners: Cosigners | None = None
        self._asked_at, self._lacking, self._more = 0.0, False, False
        self._state = State(Mark(0, b"", {}), None)
        self._edge = Edge()

    def start(self) -> None:
        """Take the ledger, finish a step that a crash cut short, and sign a first checkpoint.

        Raises: HomeBusy, when another sequencer has it; LedgerBroken, when what is stored does not fit
        together: nothing is signed then.
        """
        if self._held:
            return
        self._log.prepare()
        self._hold.enter_context(self._store.hold())
        self._held = True
        try:
            self._recover()
        except BaseException:
            self.close()
            raise

    def step(self) -> int:
        """Integrate what the journals hold and sign a checkpoint over it; how many leaves are new.

        Raises: OSError, LedgerUnavailable, when the disk refuses: nothing is lost, and the next step goes on.
        """
        self.start()
        if self._state.plan is not None:
            return self._finish_plan()
        parts = self._store.intake.news(self._state.base.cursors)
        fresh = [part for part in parts if part.records]
        if fresh:
            self._plan(fresh)
        elif self._lacking and time.monotonic() - self._asked_at > WITNESS_AGAIN_S:
            self._publish(self._state.base)
        self._clear(parts)
        self._more = any(part.more for part in parts)
        return sum(len(part.records) for part in fresh)

    def run(self, stop: threading.Event, every_s: float = 1.0, *, stand_by: bool = False) -> None:
        """Step once a second until `stop`, then once more. A disk that refuses is waited for.

        After a step that found nothing the next looks sooner: what comes after a rest is sealed soon, and steps
        that seal are a second apart. With `stand_by`, wait for the lead instead of raising HomeBusy, keep the
        local index up to date meanwhile, and stand by again when another node takes the lead.
        """
        if not stand_by:
            self.start()
        try:
            whole = False
            while not stop.wait(every_s if whole else every_s / LOOKS):
                whole = self._catch_up(stand_by)
            self._catch_up(stand_by)
        finally:
            self.close()

    def close(self) -> None:
        """Let the ledger go."""
        self._held = False
        if self._cosigners is not None:
            self._cosigners.close()
        self._index.close()
        self._store.vault.close()
        self._hold.close()
        self._log.close()

    @property
    def refusals(self) -> dict[str, str]:
        """Witnesses that did not cosign the latest checkpoint, and why."""
        return {} if self._cosigners is None else dict(self._cosigners.refusals)

    def _catch_up(self, stand_by: bool) -> bool:
        """Step, and again at once while a step leaves something that it had no room for; as `_try_step`."""
        whole, self._more = False, True
        while self._more:
            self._more = False
            whole = self._try_step(stand_by) or whole
        return whole

    def _try_step(self, stand_by: bool) -> bool:
        """Whether a whole pause is due: leaves were new, or the step was refused or another node's."""
        try:
            return self.step() > 0
        except (OSError, LedgerUnavailable) as error:
            log.error("ledger: integration waits: %s; entries stay safe in the journals", error)
            if stand_by:
                self.close()
        except HomeBusy as error:
            if not stand_by:
                raise
            if self._held:
                log.warning("ledger: %s", error)
            self.close()
            self._follow()
        return True

    def _follow(self) -> None:
        """While another node leads: keep this node's index up to date with the shared log."""
        try:
            signed, _ = self._signed()
            catch_up(self._index, Tiles(self._log, signed.size))
        except (OSError, LedgerUnavailable, LedgerBroken) as error:
            log.warning("ledger: this node's index waits: %s", error)

    def _recover(self) -> None:
        self._store.prepare()
        signed, mine = self._signed()
        state = self._store.load()
        if state is None:
            if signed.size:
                raise LedgerBroken(f"{self._folder}: {signed.size} leaves but no state: selat ledger repair")
            state = State(Mark(0, signed.root, {}), None)
        self._state = state = self._agreed(state, signed)
        self._edge = Edge.load(Tiles(self._log, state.base.size))
        if self._edge.root() != state.base.root:
            raise LedgerBroken(
                "the tiles do not lead to the signed root: see selat ledger check; nothing was signed"
            )
        self._lacking = bool(load_trust(self._folder).urls)
        self._forget_gone()
        if state.plan is not None:
            self._finish_plan()
        elif not mine or signed.size != state.base.size:
            # Whoever sees the first checkpoint may ask the index at once.
            self._index.make()
            self._publish(state.base)
        self._fold()

    def _agreed(self, state: State, signed: Checkpoint) -> State:
        """The state as the published checkpoint has it. Raises: LedgerBroken, when the two cannot be of one log.

        A store that commits knows better than the checkpoint, which a node that lost the lead may have put back.
        """
        reached = [mark for mark in (state.base, state.plan) if mark is not None]
        if self._store.commits:
            if signed.size > max(mark.size for mark in reached):
                raise LedgerBroken(f"the checkpoint has {signed.size} leaves, the database fewer: it was put back")
            return state
        for mark in reached:
            if (mark.size, mark.root) == (signed.size, signed.root):
                return state if mark is state.base else State(mark, None)
        raise LedgerBroken(
            f"the checkpoint is at {signed.size} leaves, the sequencer was at {state.base.size}: one of them "
            "was put back from an older copy. Nothing was signed: selat ledger repair"
        )

    def _fold(self) -> None:
        tiles = Tiles(self._log, self._edge.size)
        catch_up(self._index, tiles)
        self._indexed = tiles.size

    def _signed(self) -> tuple[Checkpoint, bool]:
        """The published tree head (empty where there is none), and whether our key is on it."""
        try:
            note = parse_note(self._log.read(CHECKPOINT).decode())
        except FileNotFoundError:
            return Checkpoint(self._origin, 0, Edge().root()), False
        checkpoint, signers = verify_checkpoint(note, own_trust(self._folder))
        if checkpoint.origin != self._origin:
            raise LedgerBroken(f"the log is {checkpoint.origin}, the key is for {self._origin}: give its own key")
        return checkpoint, self._signer.key in signers

    def _plan(self, parts: list[Part]) -> None:
        growth = self._edge.grow(chain.from_iterable(part.records.leaves for part in parts))
        cursors = self._state.base.cursors | {part.name: part.end for part in parts}
        self._store.intake.settle(parts)
        state = State(self._state.base, Mark(growth.edge.size, growth.edge.root(), cursors))
        self._store.save(state)
        self._state = state
        self._carry_out(parts, growth)

    def _finish_plan(self) -> int:
        """Repeat the planned step from the journals, byte for byte."""
        base, plan = self._state.base, self._state.plan
        assert plan is not None
        parts = []
        for name, end in sorted(plan.cursors.items()):
            if base.cursors.get(name) != end:
                part = self._store.intake.read(name, base.cursors.get(name), end.offset)
                if part is None or part.end != end:
                    raise LedgerBroken(f"journal {name} was altered during a step: selat ledger repair")
                parts.append(part)
        growth = self._edge.grow(chain.from_iterable(part.records.leaves for part in parts))
        if (growth.edge.size, growth.edge.root()) != (plan.size, plan.root):
            raise LedgerBroken("the journals do not repeat the planned step: selat ledger repair")
        self._carry_out(parts, growth)
        return plan.size - base.size

    def _carry_out(self, parts: list[Part], growth: Growth) -> None:
        plan = self._state.plan
        assert plan is not None
        first = self._state.base.size
        lines = self._index.lines(first)
        held = _secrets(parts, lines)
        if (secret := next(held, None)) is not None:
            self._store.vault.put(first, chain([secret], held))
            points.reached("vault.written")
        self._log.write(growth.files)
        points.reached("tiles.synced")
        self._publish(plan)
        self._state, self._edge = State(plan, None), growth.edge
        if self._store.commits:
            self._store.save(self._state)
        if self._indexed == first:
            self._index.add(lines)
            self._indexed = growth.edge.size
        else:
            # An earlier step was published but could not be indexed, or this is a step finished at the start.
            self._fold()
        points.reached("index.written")
        self._drop_partials(first, growth.edge.size)

    def _publish(self, head: Mark) -> None:
        """Sign, ask the witnesses, and put the checkpoint in place with what they answered in time.

        Asked before it is published: a crash in between signs the same tree again, never another.
        """
        text = Checkpoint(self._origin, head.size, head.root).text()
        note = Note(text, (self._signer.sign(text),))
        points.reached("checkpoint.signed")
        trust = load_trust(self._folder)
        lines = {(line.name, line.key_id): line for line in self._cosigned(text)}
        for line in self._ask(note, head.size, trust):
            lines[line.name, line.key_id] = line
        self._asked_at = time.monotonic()
        self._lacking = bool(trust.urls) and len(lines) < len(trust.witnesses)
        note = Note(text, (*note.signatures, *lines.values()))
        self._store.fence()
        self._log.publish(CHECKPOINT, str(note).encode())

    def _ask(self, note: Note, size: int, trust: Trust) -> list[Signature]:
        """The witnesses' cosignatures that arrive in time."""
        if not trust.urls:
            return []
        if self._cosigners is None:
            from selat.ledger.cosign import Cosigners  # brings HTTP: only where there is a witness to ask

            self._cosigners = Cosigners(self._log)
        return self._cosigners.ask(note, size, trust, WITNESS_WAIT_S)

    def _cosigned(self, text: str) -> list[Signature]:
        """Cosignatures that the published checkpoint already has, when it is the same."""
        try:
            note = parse_note(self._log.read(CHECKPOINT).decode())
        except FileNotFoundError:
            return []
        own = (self._signer.name, self._signer.key.id)
        same = note.unverified_text == text
        return [line for line in note.signatures if same and (line.name, line.key_id) != own]

    def _drop_partials(self, old: int, new: int) -> None:
        """Remove the partial tiles of tiles that have become full. Source: C2SP tlog-tiles, Partial Tiles."""
        level = 0
        while old >> HEIGHT * level:
            number, width = divmod(old >> HEIGHT * level, WIDTH)
            if width and new >> HEIGHT * (level + 1) > number:
                for kind in (level, "entries") if level == 0 else (level,):
                    self._log.drop(f"{tile_name(kind, number)}.p")
            level += 1
        points.reached("partials.removed")

    def _clear(self, parts: list[Part]) -> None:
        """Remove segments integrated to their end whose writers have gone, then forget their places."""
        gone = self._store.intake.clear(parts)
        for name in gone:
            self._state.base.cursors.pop(name, None)

    def _forget_gone(self) -> None:
        present = set(self._store.intake.names())
        for name in set(self._state.base.cursors) - present:
            if self._state.plan is None:
                del self._state.base.cursors[name]


def _secrets(parts: Sequence[Part], lines: Lines) -> Iterator[Group]:
    """What the vault keeps of records; on the way, `lines` takes what their leaves say: each is read once."""
    for part in parts:
        for at in range(0, len(part.records), WIDTH):
            records, first = part.records[at : at + WIDTH], lines.end
            said = all_details(records.leaves)
            lines.take(said)
            yield from _of(first, said, records.tails)


def _of(first: int, said: Sequence[Details], tails: Sequence[bytes]) -> Iterator[Group]:
    """The secrets of leaves from `first` on: one group, where all are of one tenant with but a salt each."""
    salt = SALTS.get
    rows = [
        (leaf, one.id, one.time, salt(tail[:-SALT_BYTES], ""), tail[-SALT_BYTES:])
        for leaf, one, tail in zip(count(first), said, tails, strict=False)
    ]
    tenants = set(map(attrgetter("tenant"), said))
    if len(tenants) == 1 and "" not in map(itemgetter(3), rows):
        yield tenants.pop(), rows
        return
    for leaf, one, tail in zip(count(first), said, tails):
        if tail:
            secrets = secrets_of(tail)
            yield one.tenant, [(leaf, one.id, one.time, name, value) for name, value in secrets]
