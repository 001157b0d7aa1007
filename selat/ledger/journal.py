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
from selat.durable import make_folder
from selat.ledger import frame
from selat.ledger.segment import SUFFIX, Altered, Segment
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
        self._writer = threading.Thread(target=self._run, name=f"journal-{worker}", daemon=True)

    def start(self) -> None:
        """Make the first segment. Raises: LedgerUnavailable, naming the folder and what the system said."""
        try:
            self._prepare()
            self._open()
        except OSError as error:
            raise LedgerUnavailable(f"ledger: cannot write in {self._folder}: {error.strerror}") from error
        self._down = None
        self._writer.start()

    def append(self, leaf: bytes, secrets: bytes = b"") -> Ticket:
        """Queue a record, its secrets (`record.secret`) beside it; the ticket tells when it is durable. Safe in
        `finally`, in any thread.

        Raises: LedgerUnavailable, at once while the disk refuses; TooLarge, for a leaf over 65,535 bytes.
        """
        whole = frame.body(leaf, secrets)
        with self._lock:
            if self._down is not None:
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
        """Entries that wait for the writer."""
        with self._lock:
            return len(self._gathering.bodies) + MAX_BATCH * len(self._full)

    def close(self) -> None:
        """Make what was appended durable and stop; later appends raise LedgerUnavailable."""
        if not self._writer.is_alive():
            return
        with self._bell:
            self._closing = True
            self._bell.notify()
        self._writer.join()

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
            batch = self._gathered()
            if self._segment is None and (batch is not None or self._down is not None):
                self._recover()
            if batch is not None:
                self._commit(batch)
            self._rotate()
            open_ = batch is not None or not closing
        with self._lock:
            self._down = "ledger: the journal is closed"
        while (batch := self._gathered()) is not None:
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
            lingers = bool(self._gathering.bodies)
            left_s = LINGER_S if lingers else max(self._opened_at + SEGMENT_AGE_S - time.monotonic(), 1.0)
            self._resting, self._watched = True, lingers
            self._bell.wait(RETRY_S if self._segment is None else left_s)
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
            batch.settle(self._down or "ledger: no journal segment")
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
            batch.settle(self._down)
            return
        self._shared = batch.waiters > 1
        batch.settle(None)

    def _set_aside(self, segment: Writable, error: Altered) -> None:
        """Go on in a new segment whose first entry names what another hand did to this one."""
        log.error("journal: %s", error)
        segment.close()
        self._segment = None
        self._recover()
        if self._segment is not None:
            time_ = now()
            facts: dict[str, object] = {"journal": error.name, "bytes": error.found, "written": error.written}
            change = Change("ledger.journal-altered", f"{error.name}@{error.written}", time_, "", "ledger", facts)
            told = Ticket(self._lock, self._hurry)
            told.bodies.append(frame.body(change.leaf()))
            self._commit(told)

    def _fail(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        # Told to callers, who need not know where it lies.
        self._down = f"ledger: entries cannot be made durable: {reason}; the log of the gateway says where"
        log.error(
            "journal %s in %s: %s; refusing entries until a new segment can be made",
            self._name,
            self._folder,
            reason,
        )

    def _recover(self) -> None:
        try:
            self._open()
        except OSError as error:
            self._fail(error)
            return
        if self._down is not None:
            log.warning("journal %s: writing again", self._name)
        self._down = None

    def _rotate(self) -> None:
        segment = self._segment
        if segment is None or not segment.filled:
            return
        old = time.monotonic() - self._opened_at >= SEGMENT_AGE_S
        if old or segment.filled >= SEGMENT_BYTES:
            segment.close()
            self._segment = None
            self._recover()

    def _open(self) -> None:
        self._made += 1
        self._segment = self._make(f"{self._name}.{self._made:06d}")
        self._opened_at = time.monotonic()

    def _prepare(self) -> None:
        make_folder(self._folder)

    def _make(self, name: str) -> Writable:
        return Segment.make(self._folder / f"{name}{SUFFIX}")
