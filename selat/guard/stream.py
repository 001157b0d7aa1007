"""Scans text that arrives in pieces of any size, with the findings of the whole."""

from __future__ import annotations

from selat.core.finding import Finding, Scan
from selat.guard.scanner import MARGIN, SEGMENT, Guard, cut, settle


class StreamScanner:
    """Feeds a guard segment by segment as text arrives, so that memory stays bounded whatever its length.

    Segments are cut by their own characters alone, so any chunking finds what `guard.scan` of all of it does.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pieces: list[str] = []
        self._room = SEGMENT + MARGIN  # characters that may still come before a segment is full
        self._buffer = ""
        self._base = self._start = 0  # offsets of the buffer's first character and of the segment's
        self._findings: list[Finding] = []
        self._flags: set[str] = set()
        self._whole: list[str] | None = [] if guard.detectors else None

    def feed(self, chunk: str) -> None:
        self._pieces.append(chunk)
        self._room -= len(chunk)
        if self._whole is not None:
            self._whole.append(chunk)
        if self._room < 0:
            self._advance()

    def close(self) -> Scan:
        """All findings, with positions in all that was fed."""
        if not self._buffer:
            # No segment was cut off, so it is a text as any other, which may come again in the next ask.
            return self._guard.scan("".join(self._pieces))
        self._advance()
        self._part(len(self._buffer), final=True)
        ok = True
        if self._whole is not None:
            extra, ok = self._guard.ask_detectors("".join(self._whole))
            self._findings.extend(extra)
        return Scan(tuple(settle(self._findings)), frozenset(self._flags), ok)

    def _advance(self) -> None:
        self._buffer += "".join(self._pieces)
        self._pieces = []
        while len(self._buffer) - (self._start - self._base) > SEGMENT + MARGIN:
            end = cut(self._buffer, self._start - self._base)
            self._part(end, final=False)
            drop = max(0, end - MARGIN)
            self._start = self._base + end
            self._buffer, self._base = self._buffer[drop:], self._base + drop
        self._room = SEGMENT + MARGIN - len(self._buffer) + self._start - self._base

    def _part(self, end: int, *, final: bool) -> None:
        part = self._guard.segment(self._buffer, self._start - self._base, end, final=final)
        self._flags |= part.flags
        self._findings.extend(
            Finding(f.start + self._base, f.end + self._base, f.kind, f.confidence) for f in part.findings
        )
