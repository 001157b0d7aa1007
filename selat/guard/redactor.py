"""Masks a text as it streams by: words go on at once, save the last few and those that a detector is still reading."""

from __future__ import annotations

from collections.abc import Callable

from selat.core.errors import GuardFailed
from selat.core.finding import Finding
from selat.guard.mask import Mask
from selat.guard.scanner import MARGIN, Guard

BEHIND = 64
"""Characters always held: a name or number may turn out to have begun so far back, as `siti nurhaliza` at `binti`."""
AHEAD = 96
"""Characters that must follow a finding before it goes: so far may an address or a name still grow."""
LEAST, STEP, LONGEST = 16, 256, 12_288
"""What is held is looked at anew at the end of a word after so many characters, and of a very long word after so many;
so many held make what has been found go as it stands."""
RARELY = LONGEST // 8
"""The longer what is held, the more must come before it is looked at anew, an eighth of it up to so many characters:
looking at all of it for every word would cost its square."""


class StreamRedactor:
    """`feed` gives what may go on, masked; `close` the rest. The words of one caller, as the mask is.

    What goes on is decided word by word, by the words alone: any chunking gives the same text. Where detectors of
    other makers take part, all is held until `close`, since they only read whole texts. `hides` tells of a finding
    in a text whether it is masked.
    """

    def __init__(
        self, guard: Guard, mask: Mask, hides: Callable[[Finding, str], bool] = lambda finding, text: True
    ) -> None:
        self._guard, self._mask, self._hides = guard, mask, hides
        self._text = ""  # some that went on, for context, and all that did not
        self._gone = self._seen = 0  # in `_text`: where what is held begins; up to where it was looked at
        self._later: list[str] = []

    def feed(self, chunk: str) -> str:
        """What may go on to the reader now. Raises: GuardFailed."""
        if self._guard.detectors:
            self._later.append(chunk)
            return ""
        self._text += chunk
        pieces = []
        while (stop := self._next()) is not None:
            self._seen = stop
            pieces.append(self._release(stop))
        return "".join(pieces)

    def close(self) -> str:
        """All that was still held. Raises: GuardFailed, and then nothing of it may go on."""
        if self._guard.detectors:
            whole, self._later = "".join(self._later), []
            scan = self._guard.scan(whole)
            if not scan.ok:
                raise GuardFailed("a detector failed; the text is held back")
            return self._mask.redact(whole, [finding for finding in scan.findings if self._hides(finding, whole)])
        size = len(self._text)
        return self._go(size, self._findings(size))

    def _next(self) -> int | None:
        """The end of a word soon after the last, or of the next piece of a very long one; None until it has come."""
        rarely = min((self._seen - self._gone) // 8, RARELY)
        least, step = self._seen + max(LEAST, rarely), self._seen + max(STEP, rarely)
        for stop in range(least, min(len(self._text), step) + 1):
            if self._text[stop - 1].isspace():
                return stop
        return step if len(self._text) >= step else None

    def _release(self, stop: int) -> str:
        if stop - self._gone <= BEHIND:
            return ""
        findings = self._findings(stop)
        if stop - self._gone > LONGEST:
            return self._go(stop, findings)
        end = self._word_end(stop - BEHIND)
        for finding in findings:
            if finding.start < end and finding.end + AHEAD > stop:
                end = finding.start
        return self._go(end, findings) if end > self._gone else ""

    def _word_end(self, at: int) -> int:
        while at > self._gone and not self._text[at - 1].isspace():
            at -= 1
        return at

    def _findings(self, stop: int) -> list[Finding]:
        """What is found in the held text up to `stop`; of what began in text that is gone, the part still held."""
        scan = self._guard.segment(self._text[:stop], 0, stop, final=True)
        return [
            Finding(max(f.start, self._gone), f.end, f.kind, f.confidence)
            for f in sorted(scan.findings)
            if f.end > self._gone
        ]

    def _go(self, end: int, findings: list[Finding]) -> str:
        start = self._gone
        mine = [
            Finding(f.start - start, f.end - start, f.kind)
            for f in findings
            if f.end <= end and self._hides(f, self._text)
        ]
        masked = self._mask.redact(self._text[start:end], mine)
        drop = max(0, end - MARGIN)
        self._text, self._gone, self._seen = self._text[drop:], end - drop, max(self._seen, end) - drop
        return masked
