"""What a caller gets of an answer: their own values restored, personal data that they did not send masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from selat.core.errors import GuardFailed
from selat.core.finding import Finding
from selat.guard.mask import Mask, Restorer
from selat.guard.redactor import StreamRedactor
from selat.guard.scanner import Guard


class Answers:
    """For one request: `kinds` are masked in its answer, unless the caller's own `texts` hold the value.

    `mask` is what was masked of the prompt, or None. A number counts as sent however it is spaced, cased or hyphenated; a
    name, if all its words were.
    """

    def __init__(self, guard: Guard, kinds: frozenset[str], texts: Iterable[str], mask: Mask | None) -> None:
        self._guard, self._kinds, self._texts, self._mask = guard, kinds, texts, mask
        self._others = Mask()  # one for all channels: the same value gets the same placeholder

    def whole(self, text: str) -> str:
        """Raises: GuardFailed, and then nothing of the answer may go on."""
        if self._mask is not None:
            text = self._mask.restore(text)
        scan = self._guard.scan(text)
        if not scan.ok:
            raise GuardFailed("a detector failed; the answer is held back")
        return self._others.redact(text, [finding for finding in scan.findings if self._hides(finding, text)])

    def stream(self, inside_json: bool) -> MaskedStream:
        """For one channel of a stream; `inside_json`: its text is JSON in a string, as a tool call's arguments are."""
        restorer = Restorer(self._mask, json_string=inside_json) if self._mask is not None else None
        return MaskedStream(restorer, StreamRedactor(self._guard, self._others, self._hides))

    def _hides(self, finding: Finding, text: str) -> bool:
        return finding.kind in self._kinds and not self._was_sent(finding.kind, text[finding.start : finding.end])

    def _was_sent(self, kind: str, value: str) -> bool:
        signs, words = self._sent
        if kind == "PHONE":  # with the country's code or the trunk's 0, it is the same
            return _signs(value).removeprefix("60").removeprefix("0") in signs
        if any(char.isdigit() for char in value):
            return _signs(value) in signs
        return words.issuperset(_WORD.findall(value.casefold()))

    @cached_property
    def _sent(self) -> tuple[str, frozenset[str]]:
        """The signs and the words of all that the caller sent, made when a first finding asks for them."""
        texts = [*self._texts]
        words = frozenset(word for text in texts for word in _WORD.findall(text.casefold()))
        return " ".join(map(_signs, texts)), words


class MaskedStream:
    """One channel: restored, then masked. `feed` and `close` raise GuardFailed."""

    def __init__(self, restorer: Restorer | None, redactor: StreamRedactor) -> None:
        self._restore: Callable[[str], str] = restorer.feed if restorer else str
        self._restorer, self._redactor = restorer, redactor

    def feed(self, chunk: str) -> str:
        return self._redactor.feed(self._restore(chunk))

    def close(self) -> str:
        rest = self._restorer.close() if self._restorer else ""
        return self._redactor.feed(rest) + self._redactor.close()


_WORD = re.compile(r"[^\W\d_]+")


def _signs(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
