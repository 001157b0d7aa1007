"""pulls: a pull that a person begins goes on by itself in a process of its own, and is found again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from selat.core.errors import BadRequest, Misused, ModelRefused, SelatError
from selat.flows.pull import SPARE_BYTES, Terms, Watch, free_bytes, need_bytes, pull
from selat.flows.shelve import Shelving
from selat.models.fetch import Stopped
from selat.models.licence import Licence, licence
from selat.models.offer import Offer, Source
from selat.models.pulls import DONE, FAILED, RUNNING, STOPPED, Progress, Pull, Pulls, Wish
from selat.models.sources import source_of
from selat.models.web import Web

AT_ONCE = 3
TELL_EVERY_S = 0.5
RATE_OVER_S = 8.0
STOP_GRACE_S = 2.0
LEAVING_S = 20.0
"""A pull says how it ended before its process is gone; so long may that take when it is begun again."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a source offers, seen before a byte is kept. `digest` names it, for who then agrees to just this."""

    offer: Offer
    licence: Licence
    need_bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        return self.need_bytes + SPARE_BYTES <= self.free_bytes

    @property
    def digest(self) -> str:
        return digest_of(self.offer, self.licence)


def digest_of(offer: Offer, its: Licence) -> str:
    """SHA-256 of all that a person is shown of an offer: its name, revision, files with digests, and licence."""
    files = [[one.path, one.size_bytes, one.sha256, one.git_sha1] for one in offer.files]
    told = [offer.name, offer.revision, offer.source, its.id, files]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


@dataclass
class Pulling:
    """Begins, stops and does pulls. `shelving(by)` books in a name; `launch(pull, lock)` starts a process."""

    pulls: Pulls
    shelving: Callable[[str], Shelving]
    source: Callable[[Wish], Source]
    launch: Callable[[str, int], subprocess.Popen[bytes]]
    fresh_id: Callable[[], str]
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def look(self, wish: Wish) -> Sight:
        """What the source offers; nothing is kept. Raises: Misused, NotFound, SourceFailed, ModelRefused."""
        offer = self.source(checked(wish)).offer()
        folder = self.shelving("").store.folder
        return Sight(
            offer,
            licence(offer.card.licence or wish.licence.lower()),
            need_bytes(offer, folder),
            free_bytes(folder),
        )

    def begin(self, wish: Wish, shown: str, by: str) -> Pull:
        """Start a pull of exactly what was shown; it is booked first.

        Raises: Misused, when it runs already or too many do; LedgerUnavailable.
        """
        shelving = self.shelving(by)
        for one in self._running():
            if one.wish.source == wish.source and one.wish.only == wish.only:
                raise Misused(f"{wish.source} is being pulled already; stop that pull first")
        self._leave_room()
        made = Pull(id=self.fresh_id(), wish=checked(wish), shown=shown, by=by, began=shelving.now())
        shelving.record("pull.begun", {"pull": made.id, "source": wish.source, "licence_accepted": wish.accepted})
        self._start(made)
        self.pulls.forget_old()
        return made

    def resume(self, pull_id: str, by: str) -> Pull:
        """Go on with a pull that is not running. Raises: NotFound, Misused, LedgerUnavailable."""
        found = self._left(pull_id)
        self._leave_room()
        self.shelving(by).record("pull.resumed", {"pull": found.id, "source": found.wish.source})
        again = msgspec.structs.replace(found, state=RUNNING, ended="", code="", reason="", interrupted=False)
        self._start(again)
        return again

    def stop(self, pull_id: str, by: str) -> None:
        """Ask a pull to stop; what came is kept to go on from. Raises: NotFound, Misused, LedgerUnavailable."""
        found = self.pulls.find(pull_id)
        if found.state != RUNNING or found.interrupted:
            raise Misused("this pull is not running")
        self.shelving(by).record("pull.stopped", {"pull": found.id, "source": found.wish.source})
        self.pulls.ask_to_stop(pull_id)

    def carry_out(self, pull_id: str) -> Pull:
        """Do a pull, here and now, and write how it ended. Raises: NotFound."""
        asked = self.pulls.find(pull_id)
        wish, teller = asked.wish, _Teller(self.pulls, asked)
        terms = Terms(wish.accepted, wish.licence, wish.vendor, wish.country)
        shelving = self.shelving(asked.by)
        end = {"state": DONE, "code": "", "reason": ""}
        try:
            pull(shelving, self.source(wish), terms, Watch(teller.offered, teller.told))
        except Stopped:
            end["state"] = STOPPED
        except SelatError as error:
            end = {"state": FAILED, "code": error.code, "reason": str(error)}
        except OSError as error:
            end = {"state": FAILED, "code": "unavailable", "reason": error.strerror or type(error).__name__}
        ended = msgspec.structs.replace(teller.pull, ended=shelving.now(), **end)
        self.pulls.tell(pull_id, Progress(teller.done_bytes))
        self.pulls.save(ended)
        return ended

    def end(self) -> None:
        """Let go of the pulls that this process began; they stop, and can be resumed later."""
        for process in self._started:
            process.communicate()
        self._started = []

    def _left(self, pull_id: str) -> Pull:
        """A pull that no process is at any more. Raises: NotFound, Misused."""
        deadline = time.monotonic() + LEAVING_S
        while True:
            found = self.pulls.find(pull_id)
            if found.state == DONE:
                raise Misused("this pull is done; its model is on the shelf")
            if not self.pulls.at_work(pull_id):
                return found
            if found.state == RUNNING or time.monotonic() > deadline:
                raise Misused("this pull is running already")
            time.sleep(0.05)

    def _start(self, made: Pull) -> None:
        for over in [one for one in self._started if one.poll() is not None]:
            over.communicate()
            self._started.remove(over)
        with self.pulls.locked(made.id) as lock:
            if lock is None:
                raise Misused("this pull is running already")
            self.pulls.save(made)  # under its lock, or whoever looks now would call it interrupted
            self._started.append(self.launch(made.id, lock))

    def _running(self) -> list[Pull]:
        return [one for one in self.pulls.all() if one.state == RUNNING and not one.interrupted]

    def _leave_room(self) -> None:
        if len(self._running()) >= AT_ONCE:
            raise Misused(f"{AT_ONCE} pulls run already; wait for one to end, or stop one")


def checked(wish: Wish) -> Wish:
    """A wish from a page: of a hub or the web, not of this machine's folders. Raises: Misused, BadRequest."""
    source = wish.source
    if source.startswith(("/", ".", "~")):
        raise Misused("a folder of this machine is taken in there, by: selat model add PATH")
    if "://" in source and "@" in urlsplit(source).netloc:
        raise Misused("a source's URL holds no user or password: it would be kept")
    if len(source) > 500 or not source.isprintable() or not source:
        raise BadRequest("a source is OWNER/NAME of a hub, or an http(s) URL", param="source")
    return wish


def pulling(
    home: Path, shelving: Callable[[str], Shelving], hub: tuple[str, str], fresh_id: Callable[[], str]
) -> Pulling:
    """The pulls of a home, each done by a process of its own; `hub` is its URL and token."""
    url, token = hub

    def source(wish: Wish) -> Source:
        # The hub gets its token, and nobody else.
        return source_of(wish.source, Web("" if "://" in wish.source else token), url, wish.name, wish.only)

    def launch(pull_id: str, lock: int) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "selat.process", "pull", "--home", str(home), "--id", pull_id)
        # Its standard input closes when we are gone, and it then stops.
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock,), start_new_session=True)  # noqa: S603

    return Pulling(Pulls(home / "models" / "pulls"), shelving, source, launch, fresh_id)


class _Teller:
    """Hears of a pull's offer and bytes, in several threads, and writes them down now and then."""

    def __init__(self, pulls: Pulls, pull: Pull) -> None:
        self.pull = pull
        self.done_bytes = 0
        self._pulls = pulls
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._told = 0.0

    def offered(self, offer: Offer, its: Licence) -> None:
        """Raises: ModelRefused, for another offer than the one that was agreed to."""
        if digest_of(offer, its) != self.pull.shown:
            raise ModelRefused(f"{offer.name} is not what it was when it was looked at; look at it again")
        known = {"model": offer.name, "revision": offer.revision, "size_bytes": offer.size_bytes}
        self.pull = msgspec.structs.replace(self.pull, **known)
        self._pulls.save(self.pull)

    def told(self, size_bytes: int) -> None:
        """Raises: Stopped, once somebody asked for it."""
        with self._lock:
            self.done_bytes += size_bytes
            now = time.monotonic()
            if now - self._told < TELL_EVERY_S:
                return
            self._told = now
            self._seen.append((now, self.done_bytes))
            while now - self._seen[0][0] > RATE_OVER_S and len(self._seen) > 2:
                self._seen.popleft()
            since, before = self._seen[0]
            per_s = (self.done_bytes - before) / (now - since) if now > since else 0.0
            self._pulls.tell(self.pull.id, Progress(self.done_bytes, per_s))
        if self._pulls.asked_to_stop(self.pull.id):
            raise Stopped("stopped as it was asked")


def end_when_told(pulls: Pulls, pull_id: str, gone: Callable[[], bool], leave: Callable[[], None]) -> None:
    """Wait until a stop is asked for or `gone()`, give the pull a moment to end by itself, then `leave()`.

    A source that says nothing would otherwise hold a pull until its time is up. Runs in a thread of its own.
    """
    while not gone():
        if pulls.asked_to_stop(pull_id):
            time.sleep(STOP_GRACE_S)
            found = pulls.find(pull_id)
            if found.state == RUNNING:
                pulls.save(msgspec.structs.replace(found, state=STOPPED))
            break
        time.sleep(0.2)
    leave()
