"""pulls: a pull that a person begins: seen first, agreed to, then done by itself in a process of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from selat.core.errors import BadRequest, Misused, ModelRefused
from selat.flows.pull import SPARE_BYTES, Terms, Watch, free_bytes, need_bytes, pull
from selat.flows.shelve import Shelving
from selat.flows.tasks import Runner, Teller, launching
from selat.models.licence import Licence, licence
from selat.models.offer import Offer, Source
from selat.models.pulls import Pull, Wish
from selat.models.sources import source_of
from selat.models.tasks import RUNNING, Tasks
from selat.models.web import Web

AT_ONCE = 3


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


@dataclass(frozen=True, slots=True)
class Pulling:
    """Begins, stops and does pulls; `shelving(by)` books in a name."""

    runner: Runner[Pull]
    shelving: Callable[[str], Shelving]
    source: Callable[[Wish], Source]
    fresh_id: Callable[[], str]

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
        for one in self.runner.running():
            if one.wish.source == wish.source and one.wish.only == wish.only:
                raise Misused(f"{wish.source} is being pulled already; stop that pull first")
        self.runner.leave_room()
        made = Pull(id=self.fresh_id(), wish=checked(wish), shown=shown, by=by, began=shelving.now())
        shelving.record("pull.begun", {"pull": made.id, "source": wish.source, "licence_accepted": wish.accepted})
        self.runner.start(made)
        self.runner.tasks.forget_old()
        return made

    def resume(self, pull_id: str, by: str) -> Pull:
        """Go on with a pull that is not running. Raises: NotFound, Misused, LedgerUnavailable."""
        found = self.runner.left(pull_id)
        self.runner.leave_room()
        self.shelving(by).record("pull.resumed", {"pull": found.id, "source": found.wish.source})
        again = msgspec.structs.replace(found, state=RUNNING, ended="", code="", reason="", interrupted=False)
        self.runner.start(again)
        return again

    def stop(self, pull_id: str, by: str) -> Pull:
        """Ask a pull to stop; what came is kept to go on from. Raises: NotFound, Misused, LedgerUnavailable."""
        found = self.runner.running_one(pull_id)
        self.shelving(by).record("pull.stopped", {"pull": found.id, "source": found.wish.source})
        self.runner.tasks.ask_to_stop(pull_id)
        return found

    def carry_out(self, pull_id: str) -> Pull:
        """Do a pull, here and now, and write how it ended. Raises: NotFound."""
        asked = self.runner.tasks.find(pull_id)
        wish, teller, shelving = asked.wish, Teller(self.runner.tasks, asked), self.shelving(asked.by)
        terms = Terms(wish.accepted, wish.licence, wish.vendor, wish.country)

        def offered(offer: Offer, its: Licence) -> None:
            if digest_of(offer, its) != asked.shown:
                raise ModelRefused(f"{offer.name} is not what it was when it was looked at; look at it again")
            teller.learned(model=offer.name, revision=offer.revision, size_bytes=offer.size_bytes)

        does = partial(pull, shelving, self.source(wish), terms, Watch(offered, teller.told))
        return teller.see_through(does, shelving.now)


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

    tasks = Tasks(home / "models" / "pulls", Pull)
    return Pulling(Runner(tasks, launching(home, "pull"), AT_ONCE), shelving, source, fresh_id)
