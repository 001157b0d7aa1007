"""Where anything might be: one pass of hyperscan (or RE2) over the bytes, reporting where triggers end."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from selat.core.errors import GuardFailed

hyperscan: Any
try:
    hyperscan = importlib.import_module("hyperscan")
except ImportError:  # no wheel for this machine: RE2 takes its place
    hyperscan = None

log = logging.getLogger("selat.guard")

Trigger = tuple[int, str]
"""A detector's number and an expression in the common subset of hyperscan and RE2, over UTF-8 bytes."""


_Desk = tuple[Callable[..., None], Callable[[int, int, int, int, object], None], Any, list[tuple[int, int]]]


class Prefilter(Protocol):
    """Reports (detector number, end byte) for triggers that occur, ends ascending within a detector."""

    name: str

    def hits(self, data: bytes) -> list[tuple[int, int]]: ...


class HyperscanPrefilter:
    """Start-of-match is left off: it triples the cost, and detectors find their own starts."""

    name = "hyperscan"

    def __init__(self, database: Any) -> None:
        self._database = database
        self._local = threading.local()

    def hits(self, data: bytes) -> list[tuple[int, int]]:
        """Raises: GuardFailed, if the engine reports an error."""
        desk: _Desk
        try:
            desk = self._local.desk
        except AttributeError:  # a scratch serves one scan at a time, so each thread has its own
            desk = self._local.desk = self._desk()
        scan, seen, scratch, found = desk
        try:
            scan(data, seen, 0, None, scratch)  # by place: names cost a third of a short scan
        except hyperscan.error as error:
            found.clear()
            raise GuardFailed(f"guard: hyperscan could not scan {len(data)} bytes") from error
        if not found:
            return []
        hits = found.copy()
        found.clear()
        return hits

    def _desk(self) -> _Desk:
        """What a thread needs to scan: the call, what is called at each hit, a scratch, and where the hits then lie."""
        found: list[tuple[int, int]] = []
        add = found.append

        def seen(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            add((number, end))

        return self._database.scan, seen, hyperscan.Scratch(self._database), found


class Re2Prefilter:
    """The same hits from RE2: linear too, about a third of the speed, and with wheels for every machine."""

    name = "re2"

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        import re2  # another 2 MB that a process with hyperscan does without

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = 64 << 20
        self._set = re2.Set.SearchSet(options)
        self._patterns = []
        for number, expression in triggers:
            flagged = f"(?s){expression}".encode()
            self._set.Add(flagged)
            self._patterns.append((number, re2.compile(flagged, options)))
        self._set.Compile()

    def hits(self, data: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for index in self._set.Match(data) or ():
            number, pattern = self._patterns[index]
            at = 0
            while (match := pattern.search(data, at)) is not None:
                found.append((number, match.end()))
                # Hyperscan reports overlapping matches: step back over the separator that ended this one.
                at = max(match.end() - 1, match.start() + 1)
        found.sort(key=lambda hit: hit[1])
        return found


def load(triggers: Sequence[Trigger], *caches: Path) -> Prefilter:
    """The fastest prefilter this machine has. The compiled database is kept in each of `caches`, taken from the first.

    Its file is named by the hash of the triggers and of the library, so a new version never reads an old
    file; one that does not load is rebuilt. Raises: GuardFailed, if a trigger does not compile.
    """
    if hyperscan is None:
        return Re2Prefilter(triggers)
    seed = repr((hyperscan.__version__, list(triggers))).encode()
    database, without = None, []
    for cache in caches:
        path = cache / f"guard-{hashlib.sha256(seed).hexdigest()[:24]}.hs"
        database = _stored(path)
        if database is not None:
            break
        without.append(path)
    if database is None:
        database = _compiled(triggers)
    for path in without:
        _store(path, database)
    return HyperscanPrefilter(database)


def _compiled(triggers: Sequence[Trigger]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[expression.encode() for _, expression in triggers],
            ids=[number for number, _ in triggers],
            elements=len(triggers),
            flags=hyperscan.HS_FLAG_DOTALL,
        )
    except hyperscan.error as error:
        raise GuardFailed(f"guard: the triggers do not compile: {error}") from error
    return database


def _stored(path: Path) -> Any | None:
    """A sum over the bytes goes first: hyperscan itself does not check what it loads."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, body = stored[:32], stored[32:]
    if hashlib.sha256(body).digest() != digest:
        log.warning("the compiled guard %s is damaged; it is compiled again", path.name)
        return None
    try:
        return hyperscan.loadb(body, hyperscan.HS_MODE_BLOCK)
    except hyperscan.error:
        log.warning("the compiled guard %s is for another machine; it is compiled again", path.name)
        return None


def _store(path: Path, database: Any) -> None:
    body = hyperscan.dumpb(database)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(hashlib.sha256(body).digest() + body)
        part.replace(path)
    except OSError as error:
        log.warning("the compiled guard could not be kept: %s", error.strerror)
