"""Scans text for personal and secret data: a linear pass over every byte, careful reading only at the hits."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from selat.core.errors import GuardFailed
from selat.core.finding import CLEAN, Finding, Scan
from selat.guard import (
    addresses,
    contact,
    dates,
    documents,
    flags,
    name_patterns,
    names,
    names_chinese,
    names_tamil,
    numbers,
    plates,
    prefilter,
    secrets,
    spelled,
    tables,
)
from selat.guard.kinds import KINDS
from selat.guard.normal import normalise
from selat.tags import fresh_tagger

log = logging.getLogger("selat.guard")

SEGMENT = 65_536
"""Characters scanned at a time: the cost of any input is then at most linear in its length."""
MARGIN = 512
"""Characters of context a segment sees on either side, and more than any finding's usual length."""
_CACHE_SIZE = 4096
Hit = tuple[int, int]
"""A detector's number and where a trigger of its own ends."""


class Detector(Protocol):
    """A further detector, such as an adapter to Presidio or GLiNER; findings of kinds in `KINDS`.

    Whatever it raises makes the scan fail (`ok` False), so that policy denies.
    """

    name: str

    def find(self, text: str) -> Iterable[Finding]: ...


class Reader(NamedTuple):
    """One of our own detectors: what to look for, and how to read the places where it occurs."""

    triggers: Iterable[str]
    find: Callable[[str, list[int]], Iterator[Finding]]


READERS = (
    Reader(secrets.TRIGGERS, secrets.find),
    Reader(contact.TRIGGERS, contact.find),
    Reader(documents.TRIGGERS, documents.find),
    Reader(documents.PASSPORT_TRIGGERS, documents.find_passports),
    Reader(numbers.TRIGGERS, numbers.find),
    Reader(spelled.TRIGGERS, spelled.find),
    Reader(dates.TRIGGERS, dates.find),
    Reader(plates.TRIGGERS, plates.find),
    Reader(tables.TRIGGERS, tables.find),
    Reader(addresses.TRIGGERS, addresses.find),
    Reader(name_patterns.LINKED_TRIGGERS, names.find_linked),
    Reader(name_patterns.TITLED_TRIGGERS, names.find_titled),
    Reader(name_patterns.LABELLED_TRIGGERS, names.find_labelled),
    Reader(name_patterns.LISTED_TRIGGERS, names.find_listed),
    Reader(names_chinese.TRIGGERS, names_chinese.find),
    Reader(names_tamil.TRIGGERS, names_tamil.find),
)
# Flags have numbers above the readers'.
_FIRST_FLAG = len(READERS)
FLAG_NUMBERS = {len(READERS) + k: name for k, name in enumerate(flags.TRIGGERS)}
_CHINESE = next(k for k, reader in enumerate(READERS) if reader.find is names_chinese.find)
# Of the readers of names, the surer come first; what one has read as a name the next need not read again.
_LATIN_NAMES = frozenset(
    k
    for k, reader in enumerate(READERS)
    if reader.find in (names.find_titled, names.find_labelled, names.find_listed)
)
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


class Guard:
    """Finds personal data. Safe to use from several threads; scans of equal texts are remembered by digest."""

    def __init__(self, engine: prefilter.Prefilter, detectors: Sequence[Detector] = ()) -> None:
        self._engine = engine
        self.detectors = tuple(detectors)
        self._known: dict[bytes, Scan] = {}
        self._tag = fresh_tagger()

    @classmethod
    def load(cls, *caches: Path, detectors: Sequence[Detector] = ()) -> Guard:
        """A guard with the fastest engine here; each of `caches` keeps the compiled database, which takes seconds.

        Raises: GuardFailed, if the database cannot be compiled.
        """
        return cls(prefilter.load(triggers(), *caches), detectors)

    @property
    def engine(self) -> str:
        """The prefilter in use: `hyperscan` or `re2`."""
        return self._engine.name

    def scan(self, text: str) -> Scan:
        """What is in `text`, positions in its own characters; `ok` is False if any detector failed.

        Raises: GuardFailed, if the text could not be scanned at all.
        """
        # Most of what is asked came before: the rules of a system, and all but the last of a conversation.
        key = self._tag(text.encode("utf-8", "surrogatepass"))
        known = self._known.get(key)
        if known is None:
            known = self._scan(text)
            if known.ok:
                self._remember(key, known)
        return known

    def _remember(self, key: bytes, scan: Scan) -> None:
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()  # cheaper than an order of use, and chats fill it anew in one turn
        self._known[key] = scan

    def _scan(self, text: str) -> Scan:
        if len(text) <= SEGMENT + MARGIN and not self.detectors:
            if not text.isascii():
                return self.segment(text, 0, len(text), final=True)
            # The same without a segment's care for margins and twins: most texts of a chat are short and plain.
            hits = self._engine.hits(text.encode())
            return self._read(text, hits) if hits else CLEAN
        findings: list[Finding] = []
        raised: set[str] = set()
        for start, end in segments(text):
            part = self.segment(text, start, end, final=end == len(text))
            findings.extend(part.findings)
            raised |= part.flags
        extra, ok = self.ask_detectors(text)
        return Scan(tuple(settle([*findings, *extra])), frozenset(raised), ok)

    def ask_detectors(self, text: str) -> tuple[list[Finding], bool]:
        """What the further detectors find, and whether all of them could look."""
        findings: list[Finding] = []
        ok = True
        for detector in self.detectors:
            try:
                findings.extend(_checked(detector, text))
            except Exception as error:  # noqa: BLE001 - a foreign detector may raise anything: all of it denies
                log.error("detector %s failed: %s", detector.name, type(error).__name__)
                ok = False
        return findings, ok

    def segment(self, text: str, start: int, end: int, *, final: bool) -> Scan:
        """Findings that begin in `text[start:end]`, seen with a margin of context on both sides."""
        floor = max(0, start - MARGIN)
        ceiling = len(text) if final else min(len(text), end + MARGIN)
        raw = text[floor:ceiling] if (floor, ceiling) != (0, len(text)) else text
        normal = normalise(raw)
        read = self._find(normal.text)
        if read is CLEAN or (not normal.starts and raw is text and end == len(text)):
            return read
        placed = []
        for finding in read.findings:
            first, last = normal.origin(finding.start, finding.end)
            if start <= first + floor < end:
                placed.append(Finding(first + floor, last + floor, finding.kind, finding.confidence))
        return Scan(tuple(placed), read.flags)

    def _find(self, text: str) -> Scan:
        """What is in a text in its normal spelling."""
        data = text.encode("utf-8", "surrogatepass")
        hits = self._engine.hits(data)
        if len(data) == len(text):
            return self._read(text, hits) if hits else CLEAN
        hits = in_characters(data, hits)
        hits += [(_CHINESE, end) for end in names_chinese.seek(text)]
        return self._read(text, hits) if hits else CLEAN

    def _read(self, text: str, hits: list[Hit]) -> Scan:
        """What the readers find at the hits, whose ends count characters."""
        places: dict[int, list[int]] = {}
        for number, end in hits:
            if number in places:
                places[number].append(end)
            else:
                places[number] = [end]
        findings: list[Finding] = []
        topics = []
        for number in sorted(places):
            ends = places[number]
            if len(ends) > 1:
                ends.sort()
            if number >= _FIRST_FLAG:
                topics.append((FLAG_NUMBERS[number], ends))
                continue
            if findings and number in _LATIN_NAMES:
                ends = _unread(ends, findings)
            if ends:
                findings += READERS[number].find(text, ends)
        if len(findings) > 1:
            findings = settle(findings)
        raised = [name for name, ends in topics if flags.is_raised(name, text, ends, findings)]
        return Scan(tuple(findings), frozenset(raised)) if findings or raised else CLEAN


def in_characters(data: bytes, hits: list[Hit]) -> list[Hit]:
    """Hits whose ends count bytes, as hits whose ends count characters, in order of place."""
    at = chars = 0
    placed = []
    for number, end in sorted(hits, key=_by_end):
        if end > at:
            chars += len(data[at:end].decode("utf-8", "ignore"))
            at = end
        placed.append((number, chars))
    return placed


def triggers() -> list[prefilter.Trigger]:
    """What the prefilter looks for: the readers' expressions, then the flags'."""
    own = [(k, expression) for k, reader in enumerate(READERS) for expression in reader.triggers]
    return own + [(k, expression) for k, name in FLAG_NUMBERS.items() for expression in flags.TRIGGERS[name]]


def _by_end(hit: tuple[int, int]) -> int:
    return hit[1]


def _checked(detector: Detector, text: str) -> list[Finding]:
    found = list(detector.find(text))
    for finding in found:
        if finding.kind not in KINDS or not 0 <= finding.start < finding.end <= len(text):
            raise GuardFailed(f"detector {detector.name}: a finding of an unknown kind or outside the text")
    return found


def _unread(ends: list[int], findings: list[Finding]) -> list[int]:
    """Of places in ascending order, those that lie in no name found so far."""
    spans = sorted([(f.start, f.end) for f in findings if f.kind == "NAME"])
    if not spans:
        return ends
    left, k = [], 0
    for end in ends:
        while k < len(spans) and spans[k][1] < end:
            k += 1
        if k == len(spans) or end <= spans[k][0]:
            left.append(end)
    return left


_by_start = attrgetter("start")


def _by_rank(finding: Finding) -> tuple[int, int, int]:
    return _RANK[finding.kind], finding.start - finding.end, finding.start


def settle(findings: Iterable[Finding]) -> list[Finding]:
    """Of findings that overlap, keep the kind that ranks first, then the longer, then the earlier."""
    given = list(findings)
    if len(given) < 2:
        return given
    given.sort(key=_by_start)
    if not any(first.end > second.start for first, second in pairwise(given)):
        return given
    ordered = sorted(given, key=_by_rank)
    kept: list[Finding] = []  # in order of place, none overlapping: its neighbours tell whether one fits in
    for finding in ordered:
        at = bisect_left(kept, finding)
        if (at == 0 or kept[at - 1].end <= finding.start) and (at == len(kept) or finding.end <= kept[at].start):
            kept.insert(at, finding)
    return kept


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Where a long text is cut: at a line's end if one comes late in the segment, else at a space, else hard."""
    start = 0
    while len(text) - start > SEGMENT + MARGIN:
        end = cut(text, start)
        yield start, end
        start = end
    yield start, len(text)


def cut(text: str, start: int) -> int:
    """The end of the segment from `start`; decided by its own characters only, so a stream cuts alike."""
    limit, half = start + SEGMENT, start + SEGMENT // 2
    for mark in ("\n\n", "\n", ". ", " "):
        end = text.rfind(mark, half, limit)
        if end >= 0:
            return end + len(mark)
    return limit
