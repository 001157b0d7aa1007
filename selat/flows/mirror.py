"""mirror: models on the shelf are given to callers who may have them; others are fetched into quarantine."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock

from selat.core.caller import Caller
from selat.core.errors import BadRequest, CallerError, NotFound, SelatError
from selat.core.label import parse_label
from selat.flows.pull import Terms, Watch, pull
from selat.flows.shelve import Shelving
from selat.models import Model, ModelFile, ModelStore
from selat.models.offer import Source
from selat.models.reading import Reading
from selat.models.record import QUARANTINED, READY, check_name
from selat.models.sources import Hub
from selat.models.web import Web

AGAIN_S = 600.0
"""How long a failed fetch from upstream is not tried again."""
MAX_WAITING = 100
MAIN = "main"
_REVISION = re.compile(r"[0-9a-f]{7,40}")
log = logging.getLogger("selat.mirror")


class RevisionUnknown(CallerError):
    status = 404
    code = "revision_not_found"


class FileUnknown(CallerError):
    status = 404
    code = "entry_not_found"


@dataclass
class Upstream:
    """Fetches models that are allowed (`owner/*`, by pattern) from another hub, one after the other, on its own.

    What comes is in quarantine. Licences that are not permissive are refused: someone must accept them by a pull.
    """

    shelving: Shelving
    source: Callable[[str, str], Source]
    allow: tuple[str, ...]
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "upstream"))
    _running: dict[tuple[str, str], Future[Model]] = field(default_factory=dict)
    _failed: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def want(self, name: str, revision: str) -> str:
        """What is done about a model that is not here, in words for the caller; "" when nothing is."""
        if not any(fnmatchcase(name, pattern) for pattern in self.allow):
            return ""
        with self._lock:
            return self._want((name, revision))

    def _want(self, key: tuple[str, str]) -> str:
        running = self._running.get(key)
        if running is not None and not running.done():
            return "it is being fetched from upstream; ask again later"
        if running is not None:
            self._settle(key, running)
        when, why = self._failed.get(key, (0.0, ""))
        if why and time.monotonic() - when < AGAIN_S:
            return f"upstream did not give it: {why}"
        if sum(not one.done() for one in self._running.values()) >= MAX_WAITING:
            return "too many models are waiting to be fetched; ask again later"
        self._failed.pop(key, None)
        self._running[key] = self._pool.submit(self._fetch, *key)
        return "it is being fetched from upstream; ask again later"

    def close(self) -> None:
        """Let the running fetch end at the process's end; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, name: str, revision: str) -> Model:
        return pull(self.shelving, self.source(name, revision), Terms(state=QUARANTINED), Watch())

    def _settle(self, key: tuple[str, str], ended: Future[Model]) -> None:
        del self._running[key]
        error = None if ended.cancelled() else ended.exception()
        if isinstance(error, SelatError):
            log.warning("upstream: %s@%s was not fetched: %s", *key, error)
            self._failed[key] = (time.monotonic(), str(error))
        elif error is not None:
            log.error("upstream: %s@%s was not fetched: %s", *key, type(error).__name__)
            self._failed[key] = (time.monotonic(), "it failed here; the log says why")


def upstream_of(shelving: Shelving, url: str, allow: str, token: str) -> Upstream | None:
    """The hub at `url`, for models of the patterns in `allow` (by comma); None for no URL."""
    if not url:
        return None
    web, patterns = Web(token), tuple(word.strip() for word in allow.split(",") if word.strip())
    return Upstream(shelving, lambda name, revision: Hub(web, url, name, revision), patterns)


@dataclass(frozen=True, slots=True)
class Mirror:
    """What gives models away: the shelf, the book (kind, facts, tenant, key), and upstream where there is one."""

    store: ModelStore
    record: Callable[[str, dict[str, object], str, str], str]
    upstream: Upstream | None = None

    def models(self, caller: Caller) -> list[Model]:
        """The current revisions of all that the caller may have."""
        seen: set[str] = set()
        found = []
        for model in self.store.models():
            if model.name not in seen and _may(caller, model):
                seen.add(model.name)
                found.append(model)
        return found

    def model(self, caller: Caller, name: str, revision: str) -> Model:
        """A model that the caller may have, at a revision; `main` is the current one.

        One above the caller's clearance is as absent as one that is not there. Raises: NotFound, RevisionUnknown.
        """
        try:
            known = self.store.revisions(check_name(name))
        except BadRequest:
            raise NotFound("no model of that name") from None
        seen = [one for one in known if _cleared(caller, one)]
        ready = [one for one in seen if one.state == READY]
        for one in ready:
            if revision == MAIN or (_REVISION.fullmatch(revision) and one.revision.startswith(revision)):
                return one
        if seen and not ready:
            raise NotFound("this model is in quarantine; an officer may admit it: selat model admit")
        wanted = self.upstream is not None and (not known or len(revision) == 40)
        if wanted and self.upstream and (told := self.upstream.want(name, revision)):
            raise NotFound(f"this model is not here yet: {told}")
        if ready:
            raise RevisionUnknown(
                f"this model is not kept at revision '{revision[:40]}'; kept: {ready[0].revision}"
            )
        raise NotFound("no model of that name is kept here; it is put here by: selat model pull")

    def file(self, model: Model, path: str) -> tuple[ModelFile, Callable[[int, int], Reading]]:
        """A file, checked, and how a stretch of it is read. Raises: FileUnknown, ModelBroken."""
        file = model.file(path)
        if file is None:
            raise FileUnknown(f"{model.name} has no such file")
        return file, self.store.opener(model, file)

    def give(self, caller: Caller, model: Model, file: ModelFile) -> str:
        """Book that a file goes to a caller, before its first byte; the receipt. Raises: LedgerUnavailable."""
        facts: dict[str, object] = {"model": model.name, "revision": model.revision, "file": file.digest}
        return self.record("model.given", facts, caller.tenant, caller.key)


def _cleared(caller: Caller, model: Model) -> bool:
    return not model.label or parse_label(model.label).within(caller.clearance)


def _may(caller: Caller, model: Model) -> bool:
    return model.state == READY and _cleared(caller, model)
