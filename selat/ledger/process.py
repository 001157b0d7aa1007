"""The sequencer as a process of its own: it alone opens the signing key, and it ends when its parent does."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from pathlib import Path
from types import FrameType

from selat.ledger.keys import prepare
from selat.ledger.place import Place, place_of
from selat.ledger.sequencer import Sequencer

_LOOK_S = 0.5


def sequence(place: Path | Place, key_file: Path, origin: str = "", every_s: float = 1.0) -> None:
    """Make the ledger where it is missing, then integrate and sign until SIGTERM, SIGINT or the parent's end.

    With a database, stand by while another node leads.
    Call it in the main thread. Raises: HomeBusy, LedgerBroken, OSError.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    for watch in (_watch_parent, _watch_stdin):
        threading.Thread(target=watch, args=(stop,), daemon=True).start()
    place = place_of(place)
    signer = prepare(place.folder, key_file, origin)
    Sequencer(place, signer).run(stop, every_s, stand_by=bool(place.database))


def _watch_parent(stop: threading.Event) -> None:
    parent = os.getppid()
    while not stop.wait(_LOOK_S):
        if os.getppid() != parent:
            stop.set()


def _watch_stdin(stop: threading.Event) -> None:
    """Where a parent holds our standard input as a pipe, its end is the parent's."""
    try:
        if not stat.S_ISFIFO(os.fstat(sys.__stdin__.fileno() if sys.__stdin__ else -1).st_mode):
            return
        while os.read(0, 4096):
            continue
    except OSError:
        return
    stop.set()
