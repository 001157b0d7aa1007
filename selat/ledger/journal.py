"""The intake journal of one worker process: append is a plain call, one thread writes and syncs for all."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets as chance
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final, Protocol

from selat.core.entry import Change
from selat.core.errors import LedgerUnavailable
from selat.durable import NO_ROOM, Unwritten, make_folder
from selat.ledger import frame
from selat.ledger.owed import ALTERED, OWED_BYTES, closes, kept
from selat.ledger.segment import ROOM_BYTES, SUFFIX, Altered, Segment
from selat.ledger.ticket import Ticket
from selat.stamps import now

MAX_BATCH: Final = 4096
SEGMENT_BYTES = 16 * 2**20
SEGMENT_AGE_S = 60.0
RETRY_S = 0.25
SPACING_S = 0.003
"""While several wait at once, a sync begins no sooner than this after the last one began.

A sync costs as much for one entry as for fifty: some 250 µs of CPU beside a busy event loop, most of it switches
and the disk's driver, and it interrupts the loop, whose thread then finds its caches cold. So the worker took, in
both threads, at 0, 2, 3, 4 and 6 ms: 129, 126, 116, 112 and 117 µs a request with 64 callers of small requests;
244, 238, 206, 207 and 216 with 16 callers of 32 KB, answered after 4.2, 4.3, 3.6, 4.2 and 6.1 ms in the median.
Where there is CPU to spare, those who ask at once wait up to 3 ms more for an engine; one alone waits for nothing.
"""
LINGER_S = 0.01
"""The longest an entry that nobody waits for waits for company: it then goes with a sync of its own."""

log = logging.getLogger("selat.ledger")


class Writable(Protocol):
    """A segment: a file (Segment), or a stream in a database."""

    @property
    def filled(self) -> int: ...
    def commit(self, bodies: list[bytes]) -> None: ...
    def abandon(self) -> None: ...
    def close(self) -> None: ...


class Journal:
    """Appends records durably, in batches: what is appended while the writer is at work goes with its next sync.

    The writer looks by itself for whoever waits when it has done a batch. Only while it rests must it be rung:
    once a turn of an event loop, when all that is ready has been appended. An entry that nobody waits for, such as
    a closing, has it rung only after LINGER_S. One lock guards what is gathered and what says who must ring.

    A segment is left for a new one when it is 16 MiB long, or 60 s old with something in it, so that the
    secrets in it leave the disk soon after the sequencer has moved them to the vault. After a disk error
    the segment is abandoned; appends are refused at once until a new one could be made.

    But for closings, whose answers have gone. They are owed, in memory, and so are openings that were refused with
    their batch; the first room there is takes them, in order. Owed is only what is known to be in no segment, so
    that nothing is booked twice: of a batch whose sync failed nobody knows, and its closings may be lost.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", worker):
            raise ValueError("a worker's name has 1 to 40 letters, digits, - or _")
        self._folder = folder / "journals"
        self._name = f"{worker}.{chance.token_hex(6)}"
        self._made = 0
        self._segment: Writable | None = None
        self._opened_at = 0.0
        self._lock = threading.Lock()
        self._bell = threading.Condition(self._lock)
        self._gathering = Ticket(self._lock, self._hurry)
        self._full: deque[Ticket] = deque()
        self._resting = self._closing = False
        self._watched = True  # what is gathered: by the writer, which will look, or by a timer that rings
        self._began, self._shared = 0.0, False
        self._down: str | None = "ledger: the journal is not started"
        self._owes = False
        self._owed: list[Ticket] = []
        self._owed_room = OWED_BYTES
        self._writer = threading.Thread(target=self._run, name=f"journal-{worker}", daemon=True)

    def start(self, *, owes: bool = True) -> None:
        """Make the first segment. With `owes` off, what is refused is written no more: for who will try it again.

        Raises: LedgerUnavailable, naming the folder and what the system said.
        """
        try:
            self._prepare()
            self._open(ROOM_BYTES)
        except OSError as error:
            raise LedgerUnavailable(f"ledger: cannot write in {self._folder}: {error.strerror}") from error
        self._down, self._owes = None, owes
        self._writer.start()

    def append(self, leaf: bytes, secrets: bytes = b"") -> Ticket:
        """Queue a record, its secrets (`record.secret`) beside it; the ticket tells when it is durable. Safe in
        `finally`, in any thread.

        A closing is owed while the disk refuses: its ticket is settled when it is durable, or lost at the end.
        Raises: LedgerUnavailable, for all else at once meanwhile; TooLarge, for a leaf over 65,535 bytes.
        """
        whole = frame.body(leaf, secrets)
        with self._lock:
            if self._down is not None and not self._may_owe(leaf, len(whole)):
                raise LedgerUnavailable(self._down)
            ticket = self._gathering
            ticket.bodies.append(whole)
            if len(ticket.bodies) == MAX_BATCH:
                self._full.append(ticket)
                self._gathering = Ticket(self._lock, self._hurry)
        if not self._watched:
            self._linger()
        return ticket

    @property
    def down(self) -> str | None:
        """Why entries are refused now; None while they are taken."""
        return self._down

    @property
    def waiting(self) -> int:
        """Entries that wait for the writer, or for room on its disk."""
        owed = sum(len(batch.bodies) for batch in [*self._owed])
        with self._lock:
            return owed + len(self._gathering.bodies) + MAX_BATCH * len(self._full)

    def close(self) -> None:
        """Make what was appended durable and stop; later appends raise LedgerUnavailable.

        What is owed by then, and still finds no room, is lost; the log says how much, `selat ledger check` what.
        """
        if not self._writer.is_alive():
            return
        with self._bell:
            self._closing = True
            self._bell.notify()
        self._writer.join()

    def _may_owe(self, leaf: bytes, size_bytes: int) -> bool:
        """Whether a record is taken while the disk refuses. Called under the lock."""
        if not self._owes or size_bytes > self._owed_room or not closes(leaf):
            return False
        self._owed_room -= size_bytes
        return True

    def _linger(self) -> None:
        """See to it that the writer is rung in LINGER_S; at once where no event loop could do that."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._ring()
            return
        self._watched = True
        loop.call_later(LINGER_S, self._ring)

    def _hurry(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Somebody waits: ring at the end of the loop's turn, or at once in a thread.

        Not while the writer is at work, which looks before it rests again.
        """
        if loop is None:
            self._ring()
        elif self._resting:
            loop.call_soon(self._ring)

    def _ring(self) -> None:
        with self._bell:
            self._watched = not self._resting or bool(self._gathering.bodies or self._full)
            if self._resting and self._watched:
                self._bell.notify()

    def _run(self) -> None:
        open_ = True
        while open_:
            self._wait()
            closing = self._closing  # read before the batch is: what is appended before the end is written
            if self._segment is None:
                self._recover()
            batch = self._gathered()
            if batch is not None:
                self._commit(batch)
            self._rotate()
            open_ = batch is not None or not closing
        with self._lock:
            self._down, self._owes = "ledger: the journal is closed", False
        while (batch := self._gathered()) is not None:
            self._owed.append(batch)
        if self._segment is not None:
            self._pay()
        if lost := self.waiting:
            log.error("journal %s: closed; %d entries that found no room are lost", self._name, lost)
        for batch in self._owed:
            batch.settle(self._down)
        if self._segment is not None:
            self._segment.close()

    def _wait(self) -> None:
        """Until the next sync may begin; then until somebody waits for one, or the segment needs something."""
        with self._bell:
            pause_s = self._began + SPACING_S - time.monotonic()
            if self._shared and pause_s > 0 and not (self._full or self._closing):
                self._bell.wait(pause_s)
            if self._full or self._closing or self._gathering.hurried:
                return
            lingers, down = bool(self._gathering.bodies), self._segment is None
            left_s = LINGER_S if lingers else max(self._opened_at + SEGMENT_AGE_S - time.monotonic(), 1.0)
            self._resting, self._watched = True, lingers or down
            self._bell.wait(RETRY_S if down else left_s)
            self._resting, self._watched = False, True

    def _gathered(self) -> Ticket | None:
        """The batch to write now, if any; what is appended from here on goes with the next."""
        with self._lock:
            if self._full:
                return self._full.popleft()
            if not self._gathering.bodies:
                return None
            batch, self._gathering = self._gathering, Ticket(self._lock, self._hurry)
            return batch

    def _commit(self, batch: Ticket) -> None:
        segment = self._segment
        if segment is None:
            self._refuse(batch)
            return
        self._began = time.monotonic()
        try:
            segment.commit(batch.bodies)
        except Altered as error:
            self._set_aside(segment, error)
            self._commit(batch)
            return
        except OSError as error:
            self._fail(error)
            segment.abandon()
            self._segment = None
            if isinstance(error, Unwritten):
                self._refuse(batch)
            else:
                log.error("journal %s: %d entries may be lost, or not", self._name, len(batch.bodies))
                batch.settle(self._down)
            return
        self._shared = batch.waiters > 1
        batch.settle(None)

    def _refuse(self, batch: Ticket) -> None:
        """Owe what is true, all the same, of a batch that is in no segment; tell who waits that it is refused."""
        due = kept(batch.bodies) if self._owes else None
        if due is not None and due.whole:
            self._owed.append(batch)
            return
        if due is not None and due.bodies:
            owed = Ticket(self._lock, self._hurry)
            owed.bodies = due.bodies
            self._owed.append(owed)
        batch.settle(self._down or "ledger: no journal segment")

    def _set_aside(self, segment: Writable, error: Altered) -> None:
        """Go on in a new segment whose first entry names what another hand did to this one."""
        log.error("journal: %s", error)
        segment.close()
        self._segment = None
        facts: dict[str, object] = {"journal": error.name, "bytes": error.found, "written": error.written}
        change = Change(ALTERED, f"{error.name}@{error.written}", now(), "", "ledger", facts)
        told = Ticket(self._lock, self._hurry)
        told.bodies.append(frame.body(change.leaf()))
        self._owed.append(told)
        self._recover()

    def _fail(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        # Told to callers, who need not know where it lies.
        down = f"ledger: entries cannot be made durable: {reason}; the log of the gateway says where"
        if down != self._down:  # tried again four times a second, said once
            log.error(
                "journal %s in %s: %s; refusing entries until a new segment can be made",
                self._name,
                self._folder,
                reason,
            )
        self._down = down

    def _recover(self) -> None:
        """Make a segment with room for what is owed, and write that; only then are entries taken again."""
        due_bytes = sum(frame.size_of(batch.bodies) for batch in self._owed)
        try:
            self._open(due_bytes + ROOM_BYTES)
        except OSError as error:
            self._fail(error)
            if due_bytes and error.errno in NO_ROOM:
                self._squeeze(due_bytes)
            return
        self._pay()
        if self._segment is not None:
            if self._down is not None:
                log.warning("journal %s: writing again", self._name)
            with self._lock:  # who appends looks twice at it
                self._down = None

    def _squeeze(self, due_bytes: int) -> None:
        """Write what is owed into a segment no larger than that, where there is room for as much.

        There often is, since the room of the segment before came free; and memory does not outlive the process.
        """
        try:
            self._open(due_bytes)
        except OSError:
            return
        self._pay()
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _pay(self) -> None:
        """Write what is owed, in order. What then is in no segment is owed as before."""
        due, self._owed = self._owed, []
        for batch in due:
            self._commit(batch)
        if not self._owed:
            with self._lock:
                self._owed_room = OWED_BYTES

    def _rotate(self) -> None:
        segment = self._segment
        if segment is None or not segment.filled:
            return
        old = time.monotonic() - self._opened_at >= SEGMENT_AGE_S
        if old or segment.filled >= SEGMENT_BYTES:
            segment.close()
            self._segment = None
            self._recover()

    def _open(self, room_bytes: int) -> None:
        self._made += 1
        self._segment = self._make(f"{self._name}.{self._made:06d}", room_bytes)
        self._opened_at = time.monotonic()

    def _prepare(self) -> None:
        make_folder(self._folder)

    def _make(self, name: str, room_bytes: int) -> Writable:
        return Segment.make(self._folder / f"{name}{SUFFIX}", room_bytes)
