"""The intake journal of one worker process: append is a plain call, one thread writes and syncs for all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import re
import secrets as chance
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from selat.core.entry import Change
from selat.core.errors import LedgerUnavailable
from selat.durable import make_folder
from selat.ledger import frame
from selat.ledger.segment import SUFFIX, Altered, Segment
from selat.ledger.ticket import Ticket, settle

MAX_BATCH = 4096
SEGMENT_BYTES = 16 * 2**20
SEGMENT_AGE_S = 60.0
RETRY_S = 0.25
LINGER_S = 0.01
"""The longest an entry that nobody waits for waits for company: it then goes with a sync of its own."""
_NOTHING: Mapping[str, bytes] = {}

log = logging.getLogger("selat.ledger")


class Writable(Protocol):
    """A segment: a file (Segment), or a stream in a database."""

    @property
    def filled(self) -> int: ...
    def commit(self, bodies: list[bytes]) -> None: ...
    def abandon(self) -> None: ...
    def close(self) -> None: ...


class Journal:
    """Appends records durably, in batches: whoever waits while one fsync runs shares the next.

    The writer is rung once a turn of an event loop, when all that is ready has been appended: ringing it for each
    entry costs two switches of threads an entry, and an fsync for every two or three. An entry that nobody waits
    for, such as a closing, rings it only after LINGER_S, unless another has by then.

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
        self._queue: deque[Ticket] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = self._ringing = self._lingering = self._closing = False
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

    def append(self, leaf: bytes, secrets: Mapping[str, bytes] = _NOTHING) -> Ticket:
        """Queue a record; the ticket tells when it is durable. Safe in `finally`, in any thread.

        Raises: LedgerUnavailable, at once while the disk refuses; TooLarge, for a leaf over 65,535 bytes.
        """
        if self._down is not None:
            raise LedgerUnavailable(self._down)
        ticket = Ticket(frame.body(leaf, secrets), self._hurry)
        self._queue.append(ticket)
        if not self._lingering:
            self._linger()
        return ticket

    @property
    def down(self) -> str | None:
        """Why entries are refused now; None while they are taken."""
        return self._down

    @property
    def waiting(self) -> int:
        """Entries that wait for the writer."""
        return len(self._queue)

    def close(self) -> None:
        """Make what was appended durable and stop; later appends raise LedgerUnavailable."""
        if not self._writer.is_alive():
            return
        self._closing = True
        self._ring()
        self._writer.join()
        settle(self._queued(), self._down)

    def _linger(self) -> None:
        """See to it that the writer is rung in LINGER_S; at once where no event loop could do that."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._ring()
            return
        self._lingering = True
        loop.call_later(LINGER_S, self._ring)

    def _hurry(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Somebody waits: ring at the end of the loop's turn, or at once in a thread."""
        if loop is None:
            self._ring()
        elif not self._ringing:
            self._ringing = True
            loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._ringing = self._lingering = False
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _run(self) -> None:
        open_ = True
        while open_:
            self._wait()
            open_ = not self._closing  # read before the queue is: what is appended before the end is written
            batch = self._queued()
            if self._segment is None and (batch or self._down is not None):
                self._recover()
            if batch:
                self._commit(batch)
            self._rotate()
        self._down = "ledger: the journal is closed"
        settle(self._queued(), self._down)
        if self._segment is not None:
            self._segment.close()

    def _wait(self) -> None:
        """Until rung, or until there is something to do about the segment."""
        left_s = self._opened_at + SEGMENT_AGE_S - time.monotonic()
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=RETRY_S if self._segment is None else max(left_s, 1.0))
        self._rung = False

    def _queued(self) -> list[Ticket]:
        """What waits to be written, at most MAX_BATCH; rings again for what is left."""
        batch: list[Ticket] = []
        with contextlib.suppress(IndexError):
            while len(batch) < MAX_BATCH:
                batch.append(self._queue.popleft())
            self._ring()
        return batch

    def _commit(self, batch: list[Ticket]) -> None:
        segment = self._segment
        if segment is None:
            settle(batch, self._down or "ledger: no journal segment")
            return
        try:
            segment.commit([ticket.body for ticket in batch])
        except Altered as error:
            self._set_aside(segment, error)
            self._commit(batch)
            return
        except OSError as error:
            self._fail(error)
            segment.abandon()
            self._segment = None
            settle(batch, self._down)
            return
        settle(batch, None)

    def _set_aside(self, segment: Writable, error: Altered) -> None:
        """Go on in a new segment whose first entry names what another hand did to this one."""
        log.error("journal: %s", error)
        segment.close()
        self._segment = None
        self._recover()
        if self._segment is not None:
            time_ = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            facts: dict[str, object] = {"journal": error.name, "bytes": error.found, "written": error.written}
            change = Change("ledger.journal-altered", f"{error.name}@{error.written}", time_, "", "ledger", facts)
            self._commit([Ticket(frame.body(change.leaf(), _NOTHING), self._hurry)])

    def _fail(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self._down = f"ledger: entries cannot be made durable in {self._folder}: {reason}"
        log.error("journal %s: %s; refusing entries until a new segment can be made", self._name, reason)

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
